# ntsgw as a container: one static binary, nothing else, no root.
#
#   docker build -t ntsgw .
#   docker run --rm ntsgw version
#
# It observes the host clock. To let it steer the clock of its host, run it as the sidecar in
# packaging/compose/sidecar.yaml does: user 0:0, every capability dropped but SYS_TIME.

FROM golang:1.26-bookworm AS build
ARG GOPROXY
ARG VERSION=devel
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/ntsgw ./cmd/ntsgw
RUN mkdir -p /root-fs/run/ntsgw /root-fs/var/lib/ntsgw /root-fs/etc/ntsgw /root-fs/lab /root-fs/tmp && \
    chmod 1777 /root-fs/tmp && chown -R 65532:0 /root-fs/run/ntsgw /root-fs/var/lib/ntsgw /root-fs/lab && \
    chmod 0770 /root-fs/run/ntsgw /root-fs/var/lib/ntsgw /root-fs/lab

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /root-fs/ /
COPY --from=build /out/ntsgw /usr/bin/ntsgw
USER 65532:65532
VOLUME /var/lib/ntsgw
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/usr/bin/ntsgw", "status"]
ENTRYPOINT ["/usr/bin/ntsgw"]
CMD ["run"]
