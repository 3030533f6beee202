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

.PHONY: all demo test install-peers vet unit bench bench-ptp build packages sim plot bench-clock beside-chrony promise test-node prove fuzz race clean FORCE

all: dist/ntsgw

dist/ntsgw: FORCE
	@mkdir -p dist
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/ntsgw
FORCE:

# make demo ARGS="-for 20s"
demo: dist/ntsgw
	@$(NOCLOCK) dist/ntsgw lab $(ARGS)

# Everything, between two looks at this machine's clock: a test that sets it fails the run.
test: install-peers
	@mark=$$($(GO) run ./tests/uml/clockguard) && $(MAKE) vet unit test-node prove && $(GO) run ./tests/uml/clockguard "$$mark"

# The programs that real-peer tests talk to, by Debian's package names.
install-peers:
	@tests/install-peers

vet:
	$(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./cmd/... ./discipline/... ./upstream/...
	GOARCH=arm GOARM=6 $(GO) vet ./cmd/... ./discipline/... ./upstream/...

# Guests and containers have the machine for themselves: beside each other both starve.
unit:
	$(NOCLOCK) $(GO) test -p 2 -timeout 1h $$($(GO) list ./... | grep -v -e /tests/uml$$ -e /tests/compose$$)
	$(NOCLOCK) $(GO) test -timeout 1h ./tests/uml
	$(NOCLOCK) $(GO) test -timeout 1h ./tests/compose

# Costs in ns and allocations. Run it on a machine that does nothing else.
bench:
	$(NOCLOCK) $(GO) test -run '^$$' -bench . -benchmem ./upstream/nts ./downstream/nts ./downstream/beacon ./downstream/mqtt ./discipline ./certs

# A PTP receiver's error through ours as grandmaster beside ptp4l's, in turns: about seven minutes.
bench-ptp: install-peers
	$(NOCLOCK) $(GO) test -timeout 1h -run '^$$' -bench BesidePtp4l -benchtime 1x ./tests/ptp

build:
	@mkdir -p dist
	GOOS=linux GOARCH=amd64        CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/ntsgw-linux-amd64 ./cmd/ntsgw
	GOOS=linux GOARCH=arm64        CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/ntsgw-linux-arm64 ./cmd/ntsgw
	GOOS=linux GOARCH=arm GOARM=7  CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/ntsgw-linux-armv7 ./cmd/ntsgw
	GOOS=linux GOARCH=arm GOARM=6  CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/ntsgw-linux-armv6 ./cmd/ntsgw

# Debian packages. armhf is one package that runs on every Pi: GOARM=6.
NFPM := $(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.1
packages: build
	for a in amd64:amd64 arm64:arm64 armhf:armv6; do \
		ARCH=$${a%%:*} BINARY=dist/ntsgw-linux-$${a#*:} VERSION=$(DEBVERSION) $(NFPM) package -f packaging/deb/nfpm.yaml -p deb -t dist || exit 1; \
	done
DEBVERSION ?= 0.0.0+$(shell git describe --always --dirty 2>/dev/null | tr - .)

# The discipline in simulated worlds: errors, bounds, and the count of violated bounds.
# ARGS="-scenarios REGEXP -seeds N" picks some.
sim:
	$(GO) run ./discipline/sim/simtable $(ARGS)

# make plot TRACKING=FILE: a tracking log as SVG on standard output.
plot:
	@$(GO) run ./discipline/track/plot <$(TRACKING)

# Beside chrony, each in a user-mode Linux guest, same server, same delays, three runs at once: half an hour for RUNS=3.
RUNS ?= 3
bench-clock:
	NTSGW_UML=long NTSGW_UML_RUNS=$(RUNS) $(NOCLOCK) $(GO) test -count=1 -v -timeout 3h -parallel 3 -run TestBesideChrony ./tests/uml

# make beside-chrony CLKNETSIM=DIR [WORLDS=regexp] [SEEDS=n]: the same packets for chronyd, in simulated time, and for our discipline: true
# errors and their ratio, some minutes for all. DIR is a built checkout of https://github.com/mlichvar/clknetsim. ARGS="-random 100 -first 1": worlds
# drawn by chance.
SEEDS ?= 3
beside-chrony:
	@mkdir -p dist && $(GO) build -o dist/samepackets ./tests/samepackets
	@$(NOCLOCK) dist/samepackets -clknetsim "$(CLKNETSIM)" -worlds '$(WORLDS)' -seeds $(SEEDS) $(ARGS)

# The promise on 10^6 adversarial schedules in Go, then on as many others in Go and C: about a quarter of an hour.
promise:
	$(GO) test -count=1 -v -timeout 2h -run TestPromise ./downstream/beacon -schedules 1000000
	$(MAKE) -C node schedules SCHEDULES=1000000 SEED=2

test-node:
	$(MAKE) -C node test

prove:
	$(MAKE) -C node prove

# The race detector (which needs gcc) on what many goroutines share, some minutes.
race:
	$(NOCLOCK) $(GO) test -race -count=1 -p 2 ./upstream/... ./downstream/... ./discipline/loop ./discipline/sysclock ./cmd/ntsgw

# Each fuzz target for FUZZTIME.
FUZZTIME ?= 30s
fuzz:
	@for dir in $$(grep -rl '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -h '^func Fuzz' $$dir/*_test.go | sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/'); do \
			echo "$$dir $$target"; $(NOCLOCK) $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
		done; \
	done
	$(MAKE) -C node fuzz

clean:
	rm -rf dist
	$(MAKE) -C node clean
