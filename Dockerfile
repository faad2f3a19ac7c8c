# The operator's image: one static binary and nothing else.
#
#   docker build -t projsync .                                    compiles in a container
#   docker buildx build --platform linux/amd64,linux/arm64 ...    the same for several architectures
#   docker build -t projsync --target prebuilt -f Dockerfile DIR  takes DIR/projsync and pulls
#                                                                 nothing (`make image`)

FROM scratch AS base
LABEL org.opencontainers.image.title="projsync" \
      org.opencontainers.image.description="Keeps running Pods in step with the ConfigMaps and Secrets projected into them" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
ENTRYPOINT ["/projsync"]
CMD ["run"]

FROM base AS prebuilt
COPY projsync /projsync

# Compiles on the builder's architecture for that of the image.
# This stage and linux/arm64 have not been tried yet.
FROM --platform=$BUILDPLATFORM rust:1.95-bookworm AS build
ARG TARGETARCH=amd64
RUN case "$TARGETARCH" in \
        amd64) arch=x86_64 ;; \
        arm64) arch=aarch64 ;; \
        *) echo "unknown architecture: $TARGETARCH" >&2; exit 1 ;; \
    esac \
    && echo "$arch-unknown-linux-gnu" >/target \
    && if [ "$TARGETARCH" != "$(dpkg --print-architecture)" ]; then \
        rustup target add "$(cat /target)" \
        && apt-get update -q \
        && apt-get install -y -q --no-install-recommends \
            "gcc-$(echo $arch | tr _ -)-linux-gnu" "libc6-dev-$TARGETARCH-cross"; \
    fi
WORKDIR /src
COPY . .
RUN target=$(cat /target) \
    && gcc=${target%-unknown-linux-gnu}-linux-gnu-gcc \
    && export "CC_$(echo "$target" | tr - _)=$gcc" \
        "CARGO_TARGET_$(echo "$target" | tr a-z- A-Z_)_LINKER=$gcc" \
        RUSTFLAGS="-C target-feature=+crt-static" \
    && cargo build --locked --release --target "$target" --bin projsync \
    && cp "target/$target/release/projsync" /projsync

FROM base
COPY --from=build /projsync /projsync
