# Running, testing and changing the project. `make` lists the targets; they install the tools that they need (scripts/install-*).

SHELL := bash
.DEFAULT_GOAL := help

REDIS_PORT ?= 6379
# The architecture that the function is built for: arm64 (Graviton, the template's default) or x86_64.
ARCH ?= arm64
EVENT ?= events/http-api.json
# How many cases of each kind `make fuzz` tries.
CASES ?= 100000

TREES := crates/tree-ensemble
# What benches measure is built as what is deployed.
PROFILE := distribution
BUILT := $(or $(CARGO_TARGET_DIR),target)/$(PROFILE)

export REDIS_PORT SAM_CLI_TELEMETRY = 0

# `make lambda` listens where cargo-lambda's own documentation says.
LAMBDA_PORT ?= 9000

## Run it

.PHONY: run
run: ## Start the service on 127.0.0.1:8080; it caches in memory, or in Redis if REDIS_URL is set
	cargo run --release

.PHONY: check-model
check-model: ## Check a model package: load it, replay its golden answers, measure it (MODEL=models/credit_risk)
	cargo run --release --quiet -- check $(MODEL)

.PHONY: redis
redis: ## Start a Redis on 127.0.0.1:6379 (or REDIS_PORT): 64 MB, allkeys-lfu; installed if missing
	@scripts/redis start

.PHONY: redis-stop
redis-stop: ## Stop the Redis that `make redis` started
	@scripts/redis stop

.PHONY: api
api: ## Start the service with that Redis
	REDIS_URL=redis://127.0.0.1:$(REDIS_PORT) cargo run --release

.PHONY: request
request: ## Send the example application; print the answer, hit or miss, and the time (ENDPOINT=probabilities, URL=http://...)
	@scripts/request

.PHONY: demo
demo: ## Show everything in ten seconds: miss, hit, errors, Redis killed and restarted (uses its own Redis)
	@scripts/demo

## Run it as a Lambda function

.PHONY: lambda
lambda: ## Start the function under cargo-lambda on 127.0.0.1:9000; installed if missing
	PATH="$$(scripts/install-cargo-lambda):$$PATH" cargo lambda watch --ignore-changes \
		--invoke-address 127.0.0.1 --invoke-port $(LAMBDA_PORT)

.PHONY: invoke
invoke: ## Send an event to `make lambda` (EVENT=events/rest-api.json)
	@PATH="$$(scripts/install-cargo-lambda):$$PATH" cargo lambda invoke \
		-A 127.0.0.1 -P $(LAMBDA_PORT) --data-file $(EVENT)

.PHONY: events
events: ## Send every event in events/ to the real binary and show the answers
	cargo test --quiet --test service events:: -- --nocapture

.PHONY: build
build: ## Build the function for AWS, target/lambda/predict-once/bootstrap (ARCH=arm64 or x86_64)
	@# As SAM compiles it, which knows the profile `release` only: with the settings of `distribution`.
	PATH="$$(scripts/install-cargo-lambda):$$PATH" CARGO_BUILD_RUSTFLAGS="$$(release/remapped-paths)" \
		CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 \
		cargo lambda build --release --$(subst _,-,$(ARCH))

.PHONY: zip
zip: ## Build the function and zip it reproducibly, target/dist/predict-once-VERSION-lambda-ARCH.zip (ARCH=arm64 or x86_64)
	release/function $(ARCH)

.PHONY: server
server: ## Build the Python package with the binary, the local server and its SBOM for this platform, in target/dist
	release/server

.PHONY: image
image: server ## Build the container image with Docker (TAG=predict-once)
	release/image $(or $(TAG),predict-once)

## Deploy it

.PHONY: deploy
deploy: ## Build the function and deploy it with SAM (docs/aws.md); asks for the parameters the first time (PARAMETERS="Cache=nodes", MODEL=DIR)
	scripts/deploy

.PHONY: smoke-test
smoke-test: ## Check a deployed service from outside (URL=https://..., FUNCTION=..., HEADER='x-api-key: ...', IAM=1, CACHE=redis, WRITE=docs/aws.md)
	@scripts/smoke-test $(if $(FUNCTION),--function "$(FUNCTION)") $(if $(HEADER),--header "$(HEADER)") \
		$(if $(CACHE),--cache "$(CACHE)") $(if $(IAM),--iam) $(if $(WRITE),--write "$(WRITE)") "$(URL)"

## Test it

.PHONY: test
test: ## Run all Rust tests, with real Redis and Valkey servers and an OpenTelemetry collector (installed if missing)
	scripts/install-redis
	VALKEY_SERVER="$$(scripts/install-valkey)" ROTEL_AGENT="$$(scripts/install-rotel)" cargo test --workspace

.PHONY: fuzz
fuzz: ## Fuzz events, bodies, cache entries and packages for minutes, where `make test` takes seconds (CASES=100000)
	PROPTEST_CASES=$(CASES) cargo test --test fuzz

.PHONY: test-api
test-api: ## Lint the OpenAPI document, and test the service against it with schemathesis; installs what it needs
	tests/api_conformance/run

.PHONY: test-docs-page
test-docs-page: ## Test /docs in Chromium (installed if missing): every example, errors, Redis killed, accessibility (axe-core)
	tests/docs_page/run

.PHONY: test-redis-acl
test-redis-acl: ## Test which permissions a Redis user needs, for each layout and tool, on a single Redis and on a cluster
	tests/redis_acl/run

.PHONY: test-clients
test-clients: ## Run the programs of docs/clients.md and the README, `make request` and `make demo`; installs their libraries
	tests/clients/run

.PHONY: test-python
test-python: ## Test the exporter, asked through the running service: estimators × preprocessing × data; and check its types
	cargo build --quiet
	cd python && programs="$$(../scripts/python-tool python -r python/tests/requirements.txt)" && \
		"$$programs/ruff" check --quiet && "$$programs/ruff" format --quiet --check && \
		"$$programs/python" -m mypy --strict src && \
		PYTHONPATH=src PREDICT_ONCE_BIN="$(CURDIR)/target/debug/predict-once" "$$programs/python" -m pytest -q -W ignore

.PHONY: test-python-matrix
test-python-matrix: ## Test the whole matrix of estimators × preprocessing, and write docs/exporter-matrix.md
	cargo build --quiet
	PYTHONPATH=python/src:python/tests PREDICT_ONCE_BIN="$(CURDIR)/target/debug/predict-once" \
		"$$(scripts/python-tool python -r python/tests/requirements.txt)/python" python/tests/matrix.py \
		python/tests/matrix.md.in docs/exporter-matrix.md

.PHONY: test-own-model
test-own-model: ## Run docs/your-own-model.md from top to bottom, from fitting a model to its answers
	tests/your_own_model/run

.PHONY: test-emulators
test-emulators: ## Run what `sam build` builds under AWS's runtime interface emulator, and the function under cargo-lambda
	tests/emulators/run

.PHONY: test-metrics
test-metrics: ## Test the local server's metrics with Prometheus' own parser, and against docs/operations.md
	tests/metrics/run

.PHONY: test-delivery
test-delivery: ## Run docs/without-rust.md from top to bottom, and the service in its container's root file system (DIST=built files)
	tests/delivery/run $(DIST)

.PHONY: test-reproducible
test-reproducible: ## Build the function of the last commit twice and compare the zips (takes two release builds)
	tests/delivery/reproducible

.PHONY: test-smoke-test
test-smoke-test: ## Test `make smoke-test` against the service, and against one that answers wrongly in every way
	tests/smoke_test/run

.PHONY: test-model
test-model: ## Retrain the shipped model, and compare it with the committed files byte for byte
	tests/model_training/run

.PHONY: lint
lint: ## Check the format; clippy, warnings as errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

.PHONY: docs
docs: ## Build the crate's documentation, warnings as errors
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

.PHONY: validate
validate: ## Validate template.yaml in every configuration, `make deploy` without AWS, names of metrics; workflows, Dockerfile, Kubernetes manifests
	tests/template/run
	tests/delivery/validate

.PHONY: deny
deny: ## Check the licences and sources of all dependencies against deny.toml; installs cargo-deny if missing
	"$$(scripts/install-cargo-deny)/cargo-deny" --locked check --hide-inclusion-graph licenses bans sources

.PHONY: advisories
advisories: ## Check the dependencies for known vulnerabilities; fetches the advisory database
	"$$(scripts/install-cargo-deny)/cargo-deny" --locked check advisories

.PHONY: check
check: lint test docs validate ## Run what should pass before a commit

.PHONY: bench
bench: bench-lambda bench-server bench-page ## Compare function and local server with bare ones, FastAPI, Triton and MLServer (takes half an hour, most of it to build them); writes docs/benchmarks.md

.PHONY: bench-lambda
bench-lambda: ## The first part of `make bench`: the function beside bare ones and FastAPI's (ROUNDS=15)
	scripts/install-redis
	cargo build --profile $(PROFILE) --bin predict-once --example bare_lambda --example plain_lambda
	zip="$$(release/function $(subst aarch64,arm64,$(shell uname -m)))" && \
		PYTHON="$$(scripts/python-tool rivals -r benches/rivals/requirements.txt)/python" ZIP="$$zip" \
		PREDICT_ONCE_BIN=$(BUILT)/predict-once cargo bench --bench lambda

.PHONY: bench-server
bench-server: ## The second part: the local server beside a bare one, FastAPI, Triton and MLServer (SECONDS=3 per run, ROUNDS=5)
	scripts/install-redis
	scripts/install-wrk
	cargo build --profile $(PROFILE) --bin predict-once --example bare_server
	"$$(scripts/python-tool rivals -r benches/rivals/requirements.txt)/python" benches/rivals/rivals.py \
		--service $(BUILT)/predict-once --bare $(BUILT)/examples/bare_server \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: bench-first-build
bench-first-build: ## Time `cargo run --release` in an empty clone of the last commit (takes minutes); `make bench-page` shows it
	"$$(scripts/python-tool rivals -r benches/rivals/requirements.txt)/python" benches/first_build.py

.PHONY: bench-page
bench-page: ## Write docs/benchmarks.md from what was measured last, and print its targets
	"$$(scripts/python-tool rivals -r benches/rivals/requirements.txt)/python" benches/page/page.py

.PHONY: count-instructions
count-instructions: ## Count instructions per invocation and per start, beside the bare function (BUDGET=check fails if they grew; BUDGET=write)
	scripts/install-redis
	scripts/install-valgrind
ifndef PREDICT_ONCE_BIN
	cargo build --profile counting --bin predict-once --example bare_lambda --example plain_lambda
endif
	PREDICT_ONCE_BIN="$(or $(PREDICT_ONCE_BIN),$(or $(CARGO_TARGET_DIR),target)/counting/predict-once)" \
		cargo bench --profile dev --bench instructions

.PHONY: link-order
link-order: ## Write build/order.ld, the order of functions in the binary, by what a start and a hit execute (takes a distribution build)
	$(MAKE) --no-print-directory count-instructions ORDER=write

.PHONY: chaos
chaos: ## Break Redis and the network in every way under load; writes docs/reliability.md
	scripts/install-redis
	cargo bench --bench chaos

.PHONY: bench-trees
bench-trees: ## Compare the tree operators with ONNX Runtime, speed and answers (takes minutes); writes docs/trees.md
	cargo bench -p tree-ensemble --bench trees --no-run
	"$$(scripts/python-tool trees -r $(TREES)/benches/requirements.txt)/python" $(TREES)/benches/trees.py \
		"$$(cargo bench -p tree-ensemble --bench trees --no-run --message-format json 2>/dev/null \
			| sed -n 's/.*"name":"trees".*"executable":"\([^"]*\)".*/\1/p')" \
		$(TREES)/benches/trees.md.in docs/trees.md

.PHONY: bench-arrays
bench-arrays: ## Measure what an input costs alone and in an array of 1,000; writes it into docs/caching.md
	scripts/install-redis
	cargo build --profile $(PROFILE)
	BINARY="$(BUILT)/predict-once" benches/arrays

.PHONY: bench-strategy
bench-strategy: ## Compare CACHE_STRATEGY=auto with always and never looking up (takes minutes; STRATEGY=short); writes docs/break-even.md
	scripts/install-redis
ifeq ($(STRATEGY),short)
	STRATEGY=short cargo bench --profile dev --bench strategy
else
	cargo build --profile $(PROFILE) --bin predict-once
	PREDICT_ONCE_BIN="$(BUILT)/predict-once" cargo bench --profile dev --bench strategy
endif

.PHONY: scaling
scaling: ## Calculate docs/scaling.md, environments and cost by request rate, from benches/scaling/prices.toml (CHECK=1 only compares)
	benches/scaling/scaling.py $(if $(CHECK),--check)

.PHONY: soak
soak: ## Run ten minutes (SOAK_SECONDS) of full load and random faults: no wrong answers, no leaks
	scripts/install-redis
	cargo bench --bench soak

.PHONY: lab
lab: ## Measure hit ratio and memory of the cache: policies, sizes, layouts, tiers (LAB=short, MODEL=DIR, REQUESTS=file.jsonl, ZIPF=1.0); writes docs/caching-results.md
	scripts/install-redis
	LAB="$(LAB)" MODEL="$(MODEL)" REQUESTS="$(REQUESTS)" ZIPF="$(ZIPF)" cargo bench --profile dev --bench lab

.PHONY: measure-redis-memory
measure-redis-memory: ## Measure the memory per prediction in Redis and how many fit (takes minutes); writes docs/caching.md
	benches/redis-memory

## Change it

.PHONY: openapi
openapi: ## Write docs/openapi.json, the API's description, from the code
	cargo run --quiet -- openapi > docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json

.PHONY: vendor-swagger-ui
vendor-swagger-ui: ## Copy Swagger UI into assets/docs (the script names the version)
	assets/vendor-swagger-ui

.PHONY: model
model: ## Train the shipped model; writes the package models/credit_risk and its card
	PYTHONPATH=python/src "$$(scripts/python-tool model -r models/credit_risk/requirements.txt)/python" models/credit_risk/train.py

.PHONY: tree-fixtures
tree-fixtures: ## Write the small test models of the tree operators, and their answers
	"$$(scripts/python-tool trees -r $(TREES)/benches/requirements.txt)/python" $(TREES)/tests/fixtures.py

.PHONY: penguins-fixture
penguins-fixture: ## Train the model of docs/your-own-model.md into tests/packages/penguins, which the Rust tests run on
	PYTHONPATH="$(CURDIR)/python/src" \
		"$$(scripts/python-tool own-model palmerpenguins==0.1.6 -r tests/your_own_model/requirements.txt)/python" \
		tests/packages/penguins.py

.PHONY: template-snapshots
template-snapshots: ## Write tests/template/snapshots: what template.yaml creates in each configuration
	tests/template/run --update

.PHONY: emitted
emitted: ## Write tests/template/emitted.json, the names of all log fields and metrics, from what the function writes
	scripts/install-redis
	WRITE_EMITTED=1 cargo test --quiet --test service emitted::

.PHONY: iam-golden
iam-golden: ## Regenerate the IAM tokens in tests/iam with botocore
	"$$(scripts/python-tool botocore botocore==1.43.127)/python" tests/iam/golden.py

.PHONY: help
help: # Lists the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^## / { printf "\n%s\n", substr($$0, 4) } \
		/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
