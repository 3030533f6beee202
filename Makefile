# ntsgw: `make demo` shows the whole chain in one process, `make test` runs every test.

SHELL := /bin/bash
GO    ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)

# Nothing that is started here may set this machine's clock, not even as root.
ifeq ($(shell id -u),0)
NOCLOCK := setpriv --bounding-set -sys_time --inh-caps -sys_time
else
NOCLOCK :=
endif

.PHONY: all demo test install-peers vet unit bench build packages sim plot test-node bench-clock bench-ptp fuzz prove clean

all: dist/ntsgw

dist/ntsgw: FORCE
	@mkdir -p dist
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/ntsgw
FORCE:

# make demo ARGS="-for 20s"
demo: dist/ntsgw
	@$(NOCLOCK) dist/ntsgw lab $(ARGS)

test: install-peers vet unit test-node prove

# The programs that real-peer tests talk to, by Debian's package names.
install-peers:
	@tests/install-peers

vet:
	$(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./cmd/... ./discipline/... ./upstream/...
	GOARCH=arm GOARM=6 $(GO) vet ./cmd/... ./discipline/... ./upstream/...

unit:
	$(NOCLOCK) $(GO) test -p 2 -timeout 14m ./...

bench:
	$(NOCLOCK) $(GO) test -run '^$$' -bench . -benchmem ./upstream/nts ./downstream/beacon ./downstream/mqtt ./discipline ./certs

build:
	@mkdir -p dist
	GOOS=linux GOARCH=amd64        CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/ntsgw-linux-amd64 ./cmd/ntsgw
	GOOS=linux GOARCH=arm64        CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/ntsgw-linux-arm64 ./cmd/ntsgw
	GOOS=linux GOARCH=arm GOARM=7  CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/ntsgw-linux-armv7 ./cmd/ntsgw
	GOOS=linux GOARCH=arm GOARM=6  CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/ntsgw-linux-armv6 ./cmd/ntsgw

clean:
	rm -rf dist
