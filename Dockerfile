# The images hold what `make build` built for their platform, and nothing else: no shell, no package manager, no
# libraries. A target per image:
#
#   make image                                            # with the docker of this machine
#   make image ARCH=arm64 IMAGE=registry.example.com/podshare:v0.1.0

FROM scratch AS podshare
ARG TARGETOS
ARG TARGETARCH
COPY bin/${TARGETOS}_${TARGETARCH}/podshare-webhook /podshare-webhook
COPY bin/${TARGETOS}_${TARGETARCH}/podshare-controller /podshare-controller
# Any user but root. The manifests say the same, for clusters that check it there.
USER 65532:65532

FROM scratch AS podshare-agent
ARG TARGETOS
ARG TARGETARCH
COPY bin/${TARGETOS}_${TARGETARCH}/podshare-agent /podshare-agent
USER 65532:65532
ENTRYPOINT ["/podshare-agent"]
