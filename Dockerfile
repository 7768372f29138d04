# The daemon's image: portolan, helm and kustomize, and nothing that runs beside them.
#
#   docker build -t portolan:0.1.0 .
#
# Every version is pinned: the bases here (add digests with --build-arg for a bit-identical build), crates by Cargo.lock,
# helm and kustomize by deploy/local/v1.36.3/go.mod, so that the image renders with what the tests render with.
ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG GO_IMAGE=golang:1.26.8-bookworm
ARG BASE_IMAGE=debian:12.15-slim

FROM ${GO_IMAGE} AS tools
WORKDIR /tools
COPY deploy/local/v1.36.3/go.mod deploy/local/v1.36.3/go.sum ./
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly
# helm learns its own version and the newest Kubernetes that it knows from the linker, as in its own build.
RUN set -eu; \
    helm="$(go list -m -f '{{.Version}}' helm.sh/helm/v3)"; \
    kube="$(go list -m -f '{{.Version}}' k8s.io/kubernetes)"; \
    minor="${kube#v1.}"; minor="${minor%%.*}"; \
    flags="-s -w -X helm.sh/helm/v3/internal/version.version=${helm}"; \
    for package in pkg/chartutil pkg/lint/rules; do \
      flags="${flags} -X helm.sh/helm/v3/${package}.k8sVersionMajor=1 -X helm.sh/helm/v3/${package}.k8sVersionMinor=${minor}"; \
    done; \
    GOBIN=/out go install -trimpath -ldflags "${flags}" helm.sh/helm/v3/cmd/helm sigs.k8s.io/kustomize/kustomize/v5; \
    /out/helm version --short; /out/kustomize version

FROM ${RUST_IMAGE} AS build
WORKDIR /src
ENV CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
# libgit2, libssh2 and OpenSSL are compiled in; the base image has the C compiler, perl and make that they take.
COPY Cargo.toml Cargo.lock ./
COPY config config
COPY deploy/local deploy/local
COPY src src
# Cargo looks for the benchmarks that the manifest names, and builds none of them.
COPY benches benches
RUN cargo build --release --locked --bin portolan && install -D target/release/portolan /out/portolan

FROM ${BASE_IMAGE}
RUN groupadd -K GID_MAX=65532 --gid 65532 portolan && \
    useradd -K UID_MAX=65532 --uid 65532 --gid 65532 --home-dir /var/lib/portolan --no-create-home \
      --shell /usr/sbin/nologin portolan && \
    install -d -o 65532 -g 65532 /var/lib/portolan /etc/portolan
# Certificate authorities for git servers over HTTPS.
COPY --from=tools /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=tools /out/helm /out/kustomize /usr/local/bin/
COPY --from=build /out/portolan /usr/local/bin/portolan
# `portolan status` in the running pod finds the daemon's file: config/portolan.yaml, from here.
WORKDIR /etc/portolan
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["portolan"]
CMD ["run", "--config", "/etc/portolan/config/portolan.yaml"]
