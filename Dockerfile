# The operator's image: one static binary and nothing else.
#
#   docker build -t projsync .                       builds the binary in a container
#   docker build -t projsync --target prebuilt DIR   takes DIR/projsync as it is; pulls nothing
#                                                    (`make image` does this)
#   docker buildx build --platform linux/amd64,linux/arm64 ...   several architectures

FROM scratch AS base
USER 65532:65532
ENTRYPOINT ["/projsync"]
CMD ["run"]
LABEL org.opencontainers.image.title="projsync" \
      org.opencontainers.image.description="Keeps running Pods in step with the ConfigMaps and Secrets projected into them" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM base AS prebuilt
COPY projsync /projsync

# Builds on the machine's own architecture for that of the image. Only linux/amd64 was tried.
FROM --platform=$BUILDPLATFORM rust:1.95-bookworm AS build
ARG TARGETARCH=amd64
WORKDIR /src
RUN case "$TARGETARCH" in \
        amd64) echo x86_64 ;; \
        arm64) echo aarch64 ;; \
        *) echo "no build for $TARGETARCH" >&2; exit 1 ;; \
    esac >/arch \
    && rustup target add "$(cat /arch)-unknown-linux-gnu" \
    && apt-get update -q \
    && apt-get install -y -q --no-install-recommends "gcc-$(tr _ - </arch)-linux-gnu" "libc6-dev-$TARGETARCH-cross" make
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target,id=projsync-$TARGETARCH \
    arch=$(cat /arch) && target=$arch-unknown-linux-gnu && name=$(echo "$target" | tr a-z- A-Z_) \
    && export "CARGO_TARGET_${name}_LINKER=$arch-linux-gnu-gcc" "CC_$(echo "$target" | tr - _)=$arch-linux-gnu-gcc" \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --target "$target" --bin projsync \
    && cp "target/$target/release/projsync" /projsync

FROM base
COPY --from=build /projsync /projsync
