# syntax=docker/dockerfile:1

# An image with the binary and the C library, without a shell, run by nobody in particular:
#
#     docker build -t hookyard .
#     docker run -p 127.0.0.1:8080:8080 -v hookyard:/var/lib/hookyard hookyard
#
# Whatever else is configured comes from HOOKYARD_… variables, or from a file that is mounted: hookyard serve --config.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin hookyard \
    && install -D target/release/hookyard /out/hookyard \
    && install -d -m 0700 /out/data

# The same Debian as above: the binary is linked with its C library.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/hookyard /usr/local/bin/hookyard
# A new volume takes over the owner of what it is mounted on.
COPY --from=build --chown=65532:65532 /out/data /var/lib/hookyard
ENV HOOKYARD_LISTEN=0.0.0.0:8080 \
    HOOKYARD_DATA_DIR=/var/lib/hookyard
USER 65532:65532
EXPOSE 8080
VOLUME ["/var/lib/hookyard"]
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/hookyard", "health"]
ENTRYPOINT ["/usr/local/bin/hookyard"]
CMD ["serve"]
