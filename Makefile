# Everything a developer runs. `make` alone lists the targets. Each target sets up what it needs first; what is already there
# is left alone, so that after the first run everything works without a network.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# One target folder for every Rust build; one environment for every Python tool.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export PYO3_PYTHON := $(CURDIR)/.venv/bin/python
export VIRTUAL_ENV := $(CURDIR)/.venv
export PATH := $(VIRTUAL_ENV)/bin:$(CURDIR)/.cache/tools/bin:$(HOME)/.cargo/bin:$(PATH)
# Test data that is not in this repository (foreign suites); tests that need it skip when it is not there.
export HOPLON_SHARED ?= $(abspath $(CURDIR)/../shared)

STAMPS := .cache/stamps
RUST := $(wildcard Cargo.toml Cargo.lock rust-toolchain.toml)
PYTHON_SOURCES := src tests examples bench tools
say = @printf '\033[1m==> %s\033[0m\n' '$(1)'

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# --- set-up -------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: $(STAMPS)/python ## Set up the tools and the Python environment

$(STAMPS)/tools: tools/setup.sh
	@tools/setup.sh build
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/python: requirements/dev.txt $(STAMPS)/tools
	$(call say,Python environment: .venv (locked in requirements/dev.txt))
	@test -x .venv/bin/python || uv venv --quiet --python '>=3.11' .venv
	@uv pip sync --quiet --require-hashes requirements/dev.txt
	@touch $@

# Everything it would install is there already, so maturin may not look for newer: the second build works without a network.
.PHONY: build
build: $(STAMPS)/python ## Build the package with its Rust half, optimised
	$(call say,build: Rust half and package (release))
	@UV_OFFLINE=1 maturin develop --quiet --uv --locked --release

# The same profile as `cargo test`, so that the dependencies compile once for both.
.PHONY: build-dev
build-dev: $(STAMPS)/python
	$(call say,build: Rust half and package (development))
	@UV_OFFLINE=1 maturin develop --quiet --uv --locked

.PHONY: lock
lock: $(STAMPS)/tools ## Lock the newest Python dependencies (Rust: cargo update)
	@tools/lock.sh

# --- use ----------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: build ## The whole story on a bundled API, in about a minute
	@hoplon demo

.PHONY: apps
apps: build ## Real applications (Kinto, Prefect, Jupyter, PocketBase) through the gateway, by their own clients
	@PYTHONPATH=tests python -m apps --work .cache/apps
	@PYTHONPATH=tests python -m apps.pocketbase_tokens --work .cache/apps

# --- test ---------------------------------------------------------------------------------------------------------

.PHONY: test
test: lint test-rust build-dev test-python docs licences fuzz-smoke ## Everything that must pass
	$(call say,all passed)

.PHONY: lint
lint: lint-python lint-rust ## Style, types, layers

.PHONY: lint-python
lint-python: $(STAMPS)/python
	$(call say,ruff · mypy · import-linter)
	@ruff check --quiet $(wildcard $(PYTHON_SOURCES))
	@ruff format --quiet --check $(wildcard $(PYTHON_SOURCES)) || { ruff format --check $(wildcard $(PYTHON_SOURCES)); exit 1; }
	@mypy
	@PYTHONPATH=src lint-imports --no-logo | tail -n 8

.PHONY: lint-rust
lint-rust: $(STAMPS)/python
	$(call say,rustfmt · clippy)
	@cargo fmt --all --check
	@cargo clippy --quiet --locked --workspace --all-targets -- --deny warnings

.PHONY: test-rust
test-rust: $(STAMPS)/python
	$(call say,cargo test)
	@PROPTEST_RNG_SEED=$${PROPTEST_RNG_SEED-1} cargo test --quiet --locked --workspace 2> >(grep -v '^\.*{"time":' >&2) # the gateways under test log to stderr

.PHONY: conformance
conformance: build-dev $(STAMPS)/conformance ## The tests of others against our API: the SDKs' own, Schemathesis
	@pytest --quiet tests/conformance

CONFORMANCE := tests/conformance/setup.sh tests/conformance/typescript/package-lock.json $(wildcard requirements/conformance*.txt)
$(STAMPS)/conformance: $(CONFORMANCE) $(STAMPS)/tools
	$(call say,the tests of others: .cache/conformance)
	@tests/conformance/setup.sh
	@touch $@

.PHONY: test-python
test-python: build-dev
	@$(MAKE) $(STAMPS)/conformance || echo "the tests of others could not be fetched: they are skipped"
	$(call say,pytest)
	@pytest --quiet

.PHONY: h2spec
h2spec: build-dev ## HTTP/2 conformance: every case of h2spec (needs Go the first time)
	@[ -x .cache/go/bin/h2spec ] || GOBIN=$(CURDIR)/.cache/go/bin go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
	@pytest --quiet tests/gateway/test_h2spec.py

.PHONY: eval
eval: build-dev ## The property suites in full; `make test` runs a seeded part
	$(call say,property suites: all of them)
	@HOPLON_EVAL=1 PROPTEST_CASES=25600 cargo test --quiet --locked --workspace
	@HOPLON_EVAL=1 pytest --quiet --timeout 3600

.PHONY: format
format: $(STAMPS)/python ## Format Python and Rust
	@ruff check --quiet --fix $(wildcard $(PYTHON_SOURCES)); ruff format --quiet $(wildcard $(PYTHON_SOURCES))
	@cargo fmt --all

.PHONY: licences
licences: $(STAMPS)/python ## Every dependency's licence is one we may use
	$(call say,licences)
	@python -m tools.licences

.PHONY: docs
docs: $(STAMPS)/python ## Build the documentation into docs/_build
	$(call say,documentation)
	@sphinx-build -q -W --keep-going -b html docs docs/_build/html

# --- measure and attack -------------------------------------------------------------------------------------------

.PHONY: bench
bench: build $(STAMPS)/bench ## Hoplon beside nginx, HAProxy and Envoy, in one run
	@PYTHONPATH=tests python -m bench $(BENCH)

$(STAMPS)/bench: tools/setup.sh requirements/bench.txt
	@tools/setup.sh bench
	@test -x .cache/bench/bin/python || uv venv --quiet --python '>=3.11' .cache/bench
	@uv pip install --quiet --python .cache/bench --require-hashes -r requirements/bench.txt
	@mkdir -p $(STAMPS) && touch $@

SECONDS ?= 60
.PHONY: fuzz
fuzz: $(STAMPS)/tools ## Fuzz every input surface: make fuzz SECONDS=60
	@fuzz/run.sh $(SECONDS)

.PHONY: fuzz-smoke
fuzz-smoke: $(STAMPS)/tools
	@fuzz/run.sh 3

.PHONY: clean
clean: ## Remove what was built (not the dependency caches)
	@rm -rf target .venv .cache docs/_build fuzz/target build dist src/hoplon/*.so
