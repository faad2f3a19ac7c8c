# Run `make` to see what there is.

.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

CARGO ?= cargo
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/projsync/tools

# Tools that cargo builds, each in a folder of its name and version.
CARGO_DENY := $(TOOLS)/cargo-deny-0.20.2/bin/cargo-deny
CARGO_MACHETE := $(TOOLS)/cargo-machete-0.9.2/bin/cargo-machete
CARGO_CYCLONEDX := $(TOOLS)/cargo-cyclonedx-0.5.9/bin/cargo-cyclonedx

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# The operator's image.
IMG ?= projsync:$(VERSION)
PLATFORMS ?= linux/amd64,linux/arm64
STATIC_TARGET ?= $(shell uname -m)-unknown-linux-gnu
# The same bytes wherever it is built: the folders of this machine are not part of them.
PREFIXES := $(CURDIR)=/projsync $(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo
STATIC_ENV := RUSTFLAGS="-C target-feature=+crt-static $(PREFIXES:%=--remap-path-prefix=%)" \
	CFLAGS="$(PREFIXES:%=-ffile-prefix-map=%)"
KUBECTL ?= kubectl
# What is installed, as one YAML. The image is the only one that is named so.
INSTALLER = $(KUBECTL) kustomize config/default | sed 's|image: projsync:.*|image: $(IMG)|'

comma := ,
RESTRICTED_INSTALLER = { \
	$(KUBECTL) kustomize config/restricted/operator | sed 's|image: projsync:.*|image: $(IMG)|; s|projsync-managed|$(NAMESPACES)|'; \
	for namespace in $(subst $(comma), ,$(NAMESPACES)); do \
		echo "---"; $(KUBECTL) kustomize config/restricted/namespace | sed "s|projsync-managed|$$namespace|"; \
	done; }

# What `make generate` writes.
CHART_FILES := charts/projsync/files
GENERATED := crds docs/api.md docs/cli.md docs/metrics.md docs/reasons.md $(CHART_FILES)

CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ_ROOT := $(TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION)
CARGO_FUZZ := $(CARGO_FUZZ_ROOT)/bin/cargo-fuzz
FUZZ_TARGETS := $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

##@ General

.PHONY: help
help: ## Show this.
	@awk 'BEGIN { FS = ":.*##"; print "Usage: make <target>" } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*##/ { printf "  %-16s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Development

.PHONY: build
build: ## Build the operator (target/debug/projsync).
	$(CARGO) build --locked

# Where `make install-plugin` puts the plugin; it must be in the PATH.
BINDIR ?= $(HOME)/.local/bin

.PHONY: install-plugin
install-plugin: ## Install the command as the kubectl plugin `kubectl projsync` (into BINDIR, ~/.local/bin).
	$(CARGO) build --locked --release
	install -D -m 755 "$${CARGO_TARGET_DIR:-target}/release/projsync" "$(BINDIR)/kubectl-projsync"
	ln -sf kubectl-projsync "$(BINDIR)/kubectl_complete-projsync"
	@case ":$$PATH:" in *":$(BINDIR):"*) ;; *) echo "$(BINDIR) is not in the PATH: kubectl won't find the plugin" >&2 ;; esac

.PHONY: fmt
fmt: ## Format the code.
	$(CARGO) fmt --all

.PHONY: generate
generate: ## Write the files that are made from others: crds/, docs, and the chart's files from config/.
	$(CARGO) run --locked --quiet -- crds --output-dir crds
	$(CARGO) run --locked --quiet -- docs --output-dir docs
	rm -rf $(CHART_FILES)
	mkdir -p $(addprefix $(CHART_FILES)/,crds rbac admission prometheus grafana)
	cp crds/projsync.dev_*.yaml $(CHART_FILES)/crds
	cp config/rbac/*role.yaml $(CHART_FILES)/rbac
	cp config/admission/validating_*.yaml $(CHART_FILES)/admission
	cp config/prometheus/service_monitor.yaml config/prometheus/prometheus_rule.yaml $(CHART_FILES)/prometheus
	cp config/grafana/projsync.json $(CHART_FILES)/grafana

.PHONY: clean
clean: ## Remove what was built here (the caches of the control plane and the tools stay).
	$(CARGO) clean

##@ Tests

.PHONY: controlplane
controlplane: ## Build etcd, Kubernetes and kwok for tests and demo (about 10 minutes the first time).
	$(CARGO) run --locked --quiet -p controlplane -- build

.PHONY: test
test: controlplane ## Run all tests, on a real control plane.
	@# Most of the time a test waits for the cluster, so more of them than cores. Drawn
	@# cases are the same ones every time: new ones are for `make simulate` and `cargo test`.
	PROPTEST_RNG_SEED=$${PROPTEST_RNG_SEED:-1} RUST_TEST_THREADS=$${RUST_TEST_THREADS:-6} \
		$(CARGO) test --locked --workspace

# Histories of the simulation (`make test` runs 64), and seconds for each fuzz target.
CASES ?= 3000
SECONDS_EACH ?= 60

.PHONY: simulate
simulate: ## Run CASES=3000 random histories in memory (PROPTEST_RNG_SEED=... replays).
	PROPTEST_CASES=$(CASES) $(CARGO) test --locked --lib simulation

.PHONY: soak
soak: controlplane ## Random operations on a real control plane for MINUTES=5 (SEED=... makes the same ones).
	MINUTES=$(or $(MINUTES),5) $(CARGO) test --locked --test integration -- --ignored --exact --nocapture \
		soak::every_promise_is_kept

.PHONY: soak-hostile
soak-hostile: controlplane ## One namespace writes as much as the API server takes, while another goes on: latency and memory.
	$(CARGO) test --locked --test integration -- --ignored --exact --nocapture soak::hostile::another_namespace_goes_on

.PHONY: fuzz
fuzz: $(CARGO_FUZZ) ## Fuzz each target for SECONDS_EACH=60 (TARGET=watch: that one); needs a nightly toolchain.
	@# The code is all safe: no sanitizer finds more than its own checks do.
	@for target in $(or $(TARGET),$(FUZZ_TARGETS)); do \
		mkdir -p fuzz/target/corpus/$$target; \
		PATH="$(CARGO_FUZZ_ROOT)/bin:$$PATH" $(CARGO) +nightly fuzz run --sanitizer none --fuzz-dir fuzz $$target \
			fuzz/target/corpus/$$target fuzz/corpus/$$target -- -max_total_time=$(SECONDS_EACH); \
	done

$(CARGO_FUZZ):
	$(CARGO) install cargo-fuzz --locked --version $(CARGO_FUZZ_VERSION) --root $(CARGO_FUZZ_ROOT)

.PHONY: demo
demo: ## See it work on a real control plane (KEEP=1 leaves that for exploring).
	$(CARGO) build --locked --workspace --bins --example demo
	@target="$${CARGO_TARGET_DIR:-target}/debug"; \
		CONTROLPLANE_BIN="$$target/controlplane" exec "$$target/examples/demo"

# Deployments in the cluster; 5011 and 10000 take longer.
SCALE ?= 1201

.PHONY: bench
bench: controlplane ## Measure what the operator costs, with SCALE Deployments (target/bench/: table, JSON, plot).
	$(CARGO) build --locked --release -p projsync -p bench -p controlplane --bins
	@target="$${CARGO_TARGET_DIR:-target}/release"; \
		CONTROLPLANE_BIN="$$target/controlplane" \
		"$$target/bench" --scale $(SCALE) --operator "$$target/projsync" --output target/bench

.PHONY: e2e
e2e: ## Run the end-to-end tests on a kind cluster of their own (KEEP=1, USE_EXISTING=1: see e2e/run.sh).
	e2e/run.sh

##@ Image

.PHONY: static
static: ## Build the operator as one static binary, for an image or a plain host.
	$(STATIC_ENV) $(CARGO) build --locked --release --target $(STATIC_TARGET) --bin projsync

.PHONY: reproducible
reproducible: ## Build the commit twice as `make static` does, in two folders, and compare (10 minutes).
	@folder="$$(mktemp -d)"; trap 'rm -rf "$$folder"' EXIT; \
	for copy in one/projsync another/place/to-build-in; do \
		mkdir -p "$$folder/$$copy"; \
		git archive HEAD | tar --extract --directory "$$folder/$$copy"; \
		env --unset=CARGO_TARGET_DIR $(MAKE) --no-print-directory -C "$$folder/$$copy" static; \
	done; \
	cd "$$folder"; sha256sum */*/target/$(STATIC_TARGET)/release/projsync */*/*/target/$(STATIC_TARGET)/release/projsync; \
	cmp */*/target/$(STATIC_TARGET)/release/projsync */*/*/target/$(STATIC_TARGET)/release/projsync; \
	echo "The same bytes."

.PHONY: sbom
sbom: $(CARGO_CYCLONEDX) ## Write what the binary is made of to dist/projsync.cdx.json (CycloneDX).
	@mkdir -p dist
	@# In a copy without what only tests need: its features would count as the binary's.
	@folder="$$(mktemp -d)"; trap 'rm -rf "$$folder"' EXIT; \
	cp -r Cargo.lock src rust-toolchain.toml "$$folder"; \
	awk '/^\[/ { tests = /^\[(dev-dependencies|\[test)\]/ } /^members = / { next } !tests' Cargo.toml >"$$folder/Cargo.toml"; \
	SOURCE_DATE_EPOCH="$$(git log -1 --format=%ct)" $(CARGO_CYCLONEDX) cyclonedx --quiet --format json --spec-version 1.5 \
		--describe binaries --target $(STATIC_TARGET) --no-build-deps --manifest-path "$$folder/Cargo.toml"; \
	sed "s|file://$$folder#|file:///projsync#|" "$$folder/projsync_bin.cdx.json" >dist/projsync.cdx.json; \
	echo "$$(grep -c '"type": "library"' dist/projsync.cdx.json) libraries in dist/projsync.cdx.json"

.PHONY: image
image: static ## Make the image IMG from a static binary; pulls nothing.
	@mkdir -p target/image
	cp target/$(STATIC_TARGET)/release/projsync target/image/
	DOCKER_BUILDKIT=0 docker build --quiet --tag $(IMG) --target prebuilt --file Dockerfile target/image

.PHONY: docker-build
docker-build: ## Make the image IMG, compiling in a container.
	docker build --tag $(IMG) .

.PHONY: docker-push
docker-push: ## Push the image IMG.
	docker push $(IMG)

.PHONY: docker-buildx
docker-buildx: ## Make and push the image IMG for PLATFORMS.
	docker buildx build --platform $(PLATFORMS) --tag $(IMG) --push .

##@ Installation (of the kubeconfig's current context)

.PHONY: install
install: ## Install the CustomResourceDefinitions.
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: ## Remove the CustomResourceDefinitions, and with them every policy and Projection.
	$(KUBECTL) delete --ignore-not-found -k config/crd

.PHONY: deploy
deploy: ## Install the operator, with its definitions, from the image IMG.
	$(INSTALLER) | $(KUBECTL) apply --server-side -f -

.PHONY: undeploy
undeploy: ## Remove the operator and its definitions. Workloads stay, and are not rolled.
	$(INSTALLER) | $(KUBECTL) delete --ignore-not-found -f -

.PHONY: build-installer
build-installer: ## Write all that `make deploy` applies to dist/install.yaml.
	@mkdir -p dist
	$(INSTALLER) >dist/install.yaml

.PHONY: deploy-restricted
deploy-restricted: ## Install the operator for NAMESPACES=a,b alone, with Roles only (the definitions and projsync-system must exist).
	@test -n "$(NAMESPACES)" || { echo "which ones? NAMESPACES=a,b" >&2; exit 1; }
	$(RESTRICTED_INSTALLER) | $(KUBECTL) apply --server-side -f -

.PHONY: undeploy-restricted
undeploy-restricted: ## Remove what deploy-restricted installed.
	$(RESTRICTED_INSTALLER) | $(KUBECTL) delete --ignore-not-found -f -

##@ Checks

.PHONY: lint
lint: ## Check format, clippy, and the shape of the sources.
	$(CARGO) fmt --all --check
	@# A workspace of its own; tests/corpus.rs compiles what is in it.
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	@$(CARGO) metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null \
		|| { echo "fuzz/Cargo.lock is not up to date: cargo update --workspace --manifest-path fuzz/Cargo.toml" >&2; exit 1; }
	$(CARGO) run --locked --quiet -p shape
	@# The core alone is the same code again, under rules of its own: tests/core/clippy.toml.
	$(CARGO) clippy --locked -p projsync-core-alone -- -D warnings
	$(CARGO) clippy --locked --workspace --exclude projsync-core-alone --all-targets -- -D warnings
	@# These are no default targets: they need a cluster to run.
	$(CARGO) clippy --locked --workspace --test parallel --test serial -- -D warnings

.PHONY: doc
doc: ## Build the documentation; a warning is an error.
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --exclude projsync-core-alone --no-deps

.PHONY: deny
deny: $(CARGO_DENY) ## Check dependencies: bans, licences, sources; advisories where their database can be reached.
	$(CARGO_DENY) --locked check --hide-inclusion-graph bans licenses sources
	@# Nothing of it is handed on, so its licences are nobody's concern.
	$(CARGO_DENY) --locked --manifest-path fuzz/Cargo.toml --config deny.toml check --hide-inclusion-graph \
		--allow unmatched-skip bans sources
	@if timeout 60 $(CARGO_DENY) --locked fetch db >/dev/null 2>&1; then \
		echo "$(CARGO_DENY) --locked check advisories"; \
		$(CARGO_DENY) --locked check --hide-inclusion-graph advisories; \
	else \
		echo "advisories: not checked, their database can't be reached"; \
	fi

.PHONY: unused
unused: $(CARGO_MACHETE) ## Find dependencies that nothing uses.
	$(CARGO_MACHETE) .

$(CARGO_DENY) $(CARGO_MACHETE) $(CARGO_CYCLONEDX): # 1 to 3 minutes each on 2 idle cores, once for each version.
	@root='$(patsubst %/bin/,%,$(dir $@))'; version="$${root##*-}"; \
	echo "Building $(@F) $$version into $$root: some minutes, once."; \
	$(CARGO) install $(@F) --locked --version "$$version" --root "$$root" --config 'profile.release.lto=false'

.PHONY: verify
verify: generate lint doc deny unused ## Check everything but the tests: generated files, format, lints, docs, dependencies.
	@changed=$$(git status --porcelain -- $(GENERATED)); \
	if [ -n "$$changed" ]; then \
		git --no-pager diff -- $(GENERATED); \
		echo "Generated files were not up to date; commit what \`make generate\` wrote:"; \
		echo "$$changed"; \
		exit 1; \
	fi
