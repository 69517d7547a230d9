# `make` shows what there is to make. Nothing here needs root, Docker or a network other than Go's module proxy, but for
# `image`, `e2e` and `e2e-kind`.

# One static program each, and no C compiler needed. The same for all that is built, so that the build cache is shared.
export CGO_ENABLED := 0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GOOS    := $(shell go env GOOS)
GOARCH  := $(shell go env GOARCH)
# The platform that an image is for.
ARCH    ?= $(GOARCH)
IMAGE       ?= ghcr.io/podshare/podshare:$(VERSION)
AGENT_IMAGE ?= ghcr.io/podshare/podshare-agent:$(VERSION)
# What builds the images: docker, podman or buildah.
BUILDER     ?= docker
# How often each Go benchmark runs: benchstat compares two such outputs.
COUNT ?= 6

# How the kubelet asks the agents that bench-agent measures: exec or httpGet.
PROBE ?= exec

# How long each fuzz target runs.
FUZZTIME ?= 30s

GOLANGCI := go tool -modfile=go.tools.mod golangci-lint

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit bench bench-controller bench-agent sizes fuzz golden lint vulnerabilities build image e2e e2e-kind clean-e2e-kind kube clean-cluster clean always

help: ## Show the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

servers := podshare-webhook podshare-controller
# What runs on this machine; the agent runs in pods alone.
programs := $(servers) kubectl-podshare

# What a local cluster with a node needs beside bin/kube.
node := $(if $(filter linux,$(GOOS)),bin/machine bin/pause)

demo: kube build bin/demo $(node) ## Show podshare on a cluster of its own: with a node if root may make one (NODE=off: without); KEEP=1 leaves it
	@bin/demo

test: kube $(node) ## Run all tests that need no node (one does, where root has what a node needs)
	@echo 'go test ./...    (the first time, it compiles for some minutes before its first line)'
	@go test ./...

test-unit: ## Run the tests that need no control plane: seconds
	go test ./cmd/... ./pkg/... ./manifests/...

fuzz: ## Run each fuzz target for FUZZTIME
	@for package in $$(grep -rl --include='*_test.go' '^func Fuzz' pkg | xargs -n1 dirname | sort -u); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' $$package/*_test.go); do \
	    echo "$$package $$target"; \
	    go test ./$$package -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s || exit 1; \
	  done; \
	done

golden: ## Write the golden pods, docs/mistakes.md and the operator's rules anew; then read the diff
	go test ./pkg/inject -run TestGoldenPods -update
	go test ./pkg/webhook -run TestWhatEachMistakeGets -update
	go test ./manifests/monitoring -run TestTheOperatorGetsTheSameRules -update

lint: ## Check the code, the import directions among it
	$(GOLANGCI) run
	go mod tidy -diff
	cd e2e/kube && go mod tidy -diff
	cd e2e/certmanager && go mod tidy -diff

bench: kube build ## Measure the webhook: its parts, and all of it beside webhooks that do less and that do it otherwise
	go test ./pkg/webhook -run '^$$' -bench . -benchmem -count $(COUNT)
	@go build -o bin/ ./e2e/bench ./e2e/bench/floor
	@bin/bench

bench-controller: kube build ## Measure the controller with 1,000 shares of 10,000 pods, and beside 100,000 pods of others
	@go build -o bin/scale ./e2e/scale
	@bin/scale

bench-agent: kube build $(node) ## Measure the agent in 100 pods on a node of its own (root, Debian or Ubuntu); PROBE=httpGet
	@go build -o bin/agents ./e2e/agents
	@bin/agents -probe $(PROBE)

sizes: $(servers:%=bin/linux_$(ARCH)/%) bin/linux_$(ARCH)/podshare-agent ## Show how large programs and images are; fail when one has grown too much
	@ARCH=$(ARCH) go run ./e2e/sizes

# With the toolchain of go.mod, with which releases are built, and the database as a Go module: nothing but the module proxy is needed.
vulnerabilities: ## Look for known vulnerabilities in what is called
	GOTOOLCHAIN=$$(sed -n 's/^toolchain //p' go.mod) go tool -modfile=go.tools.mod govulncheck \
	  -db=file://$$(go mod download -json golang.org/x/vulndb@latest | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/data/osv ./...

build: $(programs:%=bin/$(GOOS)_$(GOARCH)/%) bin/linux_$(GOARCH)/podshare-agent ## Build bin/podshare-webhook, -controller, -agent, and bin/kubectl-podshare
	@for program in $(programs); do ln -sf $(GOOS)_$(GOARCH)/$$program bin/$$program; done
	@ln -sf linux_$(GOARCH)/podshare-agent bin/podshare-agent
	@ln -sf ../cmd/kubectl-podshare/kubectl_complete-podshare bin/kubectl_complete-podshare

# bin/<os>_<arch>/<program>; Go knows better than make what is up to date.
bin/%: always
	GOOS=$(word 1,$(subst _, ,$*)) GOARCH=$(word 2,$(subst _, ,$(patsubst %/,%,$(dir $*)))) \
	  go build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X github.com/podshare/podshare/pkg/program.Version=$(VERSION)' -o $@ ./cmd/$(patsubst %.exe,%,$(notdir $*))

image: $(servers:%=bin/linux_$(ARCH)/%) bin/linux_$(ARCH)/podshare-agent ## Build the images IMAGE and AGENT_IMAGE for ARCH with BUILDER
	$(BUILDER) build --target podshare --tag $(IMAGE) $(IMAGE_FLAGS) .
	$(BUILDER) build --target podshare-agent --tag $(AGENT_IMAGE) $(IMAGE_FLAGS) .

# The manifest of a release, with IMAGE and AGENT_IMAGE by digest.
dist/install.yaml: always
	@mkdir -p dist
	go run ./e2e/release -image $(IMAGE) -agent-image $(AGENT_IMAGE) > $@.new
	@mv $@.new $@

# The platforms that have kubectl podshare.
plugins := linux_amd64 linux_arm64 darwin_amd64 darwin_arm64 windows_amd64

# The plugin's archives, and beside them its manifest for krew.
dist/podshare.yaml: $(foreach p,$(plugins),bin/$p/kubectl-podshare$(if $(findstring windows,$p),.exe))
	go run ./e2e/archive -version $(VERSION) $(plugins)

# BuildKit knows the arguments by itself, the older builder does not.
IMAGE_FLAGS = --platform linux/$(ARCH) --build-arg TARGETOS=linux --build-arg TARGETARCH=$(ARCH)

# Only `make e2e KUBECONFIG=...` means another cluster, not a KUBECONFIG that the shell has anyway.
elsewhere := $(if $(filter command%,$(origin KUBECONFIG)),$(KUBECONFIG))

e2e: bin/e2e $(if $(elsewhere),,kube $(node)) ## Run the e2e suite on a node of its own (root, Debian or Ubuntu), or on KUBECONFIG=...
	@KUBECONFIG='$(elsewhere)' bin/e2e

e2e-kind: bin/e2e-kind ## Run the e2e suite on three nodes of kind, which needs a Docker engine; KEEP=1 leaves them, TESTS=... picks tests
	@bin/e2e-kind

clean-e2e-kind: bin/e2e-kind ## Remove the cluster that KEEP=1 left running
	@bin/e2e-kind -clean

kube: ## Build the local control plane: 15 to 20 minutes the first time, then seconds
	@go run ./e2e/build

# Not by `go run`, which would not pass on every signal that tells them to clean up.
bin/demo: always
	@go build -o $@ ./e2e/demo

bin/e2e: always
	@go build -o $@ ./e2e/local

bin/e2e-kind: always
	@go build -o $@ ./e2e/kind

bin/machine bin/pause: always
	@go build -ldflags '-s -w' -o $@ ./e2e/$(notdir $@)

clean-cluster: bin/demo ## Stop what KEEP=1 left running, and remove what killed runs left behind
	@bin/demo -clean

clean: clean-cluster ## Remove what was built
	rm -rf bin dist .cache
