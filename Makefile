# Everything a contributor types. `make` alone lists it.

SWIFT ?= swift
# Parallel compiler processes; on a small machine give fewer: make test JOBS=1
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# What `make run` runs, and what is passed on to the command: make run ARGS="--duration 5s"
SCENARIO ?= scenarios/checkout.yaml
ARGS ?=

# The release build carries the Swift runtime with it: one file that runs on a machine without
# Swift, and cheaper calls into the runtime.
RELEASE = -c release --static-swift-stdlib --jobs $(JOBS)
TRACEMILL = .build/release/tracemill
# The commit goes into the program as its ELF build ID, behind the letters "tracemill", and from there into
# result files: make build COMMIT=… where git cannot tell.
COMMIT ?= $(shell .ci/commit)
BUILD_ID = $(addprefix -Xlinker --build-id=0x74726163656d696c6c,$(COMMIT))
SOURCES = find $(wildcard Package.swift Sources Tests Benchmarks Examples) -name '*.swift' \
	-not -path '*/Generated/*' -not -path '*/.build*' -print0

.DEFAULT_GOAL := help
.PHONY: help install build run compare gate gate-baseline scenarios faults schema test report-test kill forks tsan asan fuzz model soak lint format bench \
	bench-instructions bench-runtime-calls \
	benchmarks shop shop-test interop ci-examples bench-peers bench-peers-test otlp-definition clean

help: ## List the targets
	@echo 'make TARGET [ARGS="…"] [SCENARIO=file] [JOBS=n]'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

install: ## Install the system libraries that are missing (libcurl, libdeflate, jemalloc, OpenSSL, SQLite, zlib)
	@.ci/install

build: install ## Build .build/release/tracemill
	$(SWIFT) build $(RELEASE) --product tracemill $(BUILD_ID)

run: build ## Run a scenario (SCENARIO, by default scenarios/checkout.yaml)
	$(TRACEMILL) run $(SCENARIO) $(ARGS)

# Which spans are kept follows from the seed alone, on any machine: compared exactly with the stored
# baseline. Time is compared in pairs, with another build: make gate BASE=old/tracemill
GATE_EXACT = --baseline results/baseline/gate.json --rounds 1 \
	--budget 'keptSpans exact' --budget 'keptSpansChecksum exact'

gate: build ## Gate this build: exact figures, and timing against another build (BASE=program)
	$(TRACEMILL) gate scenarios/gate.yaml $(GATE_EXACT) --output results/gate-exact.json $(ARGS)
	$(if $(BASE),$(TRACEMILL) gate $(SCENARIO) --base $(BASE) --duration 3s $(ARGS))

compare: build ## Eight samplers over the same traces: cost, fidelity, the front (SCENARIO, ARGS)
	$(TRACEMILL) compare $(if $(filter file,$(origin SCENARIO)),scenarios/samplers.yaml,$(SCENARIO)) $(ARGS)

gate-baseline: build ## Store what `make gate` compares with: after a change that is meant
	$(TRACEMILL) gate scenarios/gate.yaml --baseline results/baseline/gate.json --record --rounds 1

scenarios: build ## Run each scenario of scenarios/ briefly, a line each (ROUND=2s; ARGS=FILE)
	@.ci/install python3
	@ROUND=$(or $(ROUND),1s) .ci/scenarios $(TRACEMILL) $(ARGS)

faults: build ## Run the fault matrix (some: ONLY="restarts bomb"; anew: ARGS=--fresh)
	$(TRACEMILL) faults $(if $(ONLY),$(foreach name,$(ONLY),--only $(name)),--studies) $(ARGS)

schema: ## Write scenarios/schema.json and the tables of docs/scenarios.md from the key table
	$(SWIFT) build --jobs $(JOBS) --product tracemill
	.build/debug/tracemill validate --schema > scenarios/schema.json
	sed -i '/^### `scenario`$$/,$$d' docs/scenarios.md
	.build/debug/tracemill validate --key-tables >> docs/scenarios.md

test: install ## Run all tests
	$(SWIFT) test --disable-xctest --jobs $(JOBS) $(ARGS)

report-test: install ## Look at the report in a headless Chromium (`make test` does, where there is one)
	@.ci/install chromium
	CI=true $(SWIFT) test --disable-xctest --jobs $(JOBS) --filter ReportBrowser $(ARGS)

kill: install ## End runs by SIGKILL at seeded moments (KILLS=200): nothing is left that passes for a result
	TRACEMILL_KILLS=$(or $(KILLS),200) $(SWIFT) test --disable-xctest --jobs $(JOBS) --filter KillTests $(ARGS)

forks: install ## Fork a process under load (FORKS=1000): its children are inert, it loses nothing
	TRACEMILL_FORKS=$(or $(FORKS),1000) $(SWIFT) test --disable-xctest --jobs $(JOBS) --filter ForkStormTests $(ARGS)

# What runs on several threads, and what handles bytes by hand: core, pipeline, receiver and replay.
SANITIZED = --filter 'TraceCoreTests|TracePipelineTests|TraceSinkTests|TraceLoadTests'
# Not the suites that go a million times over on one thread, nor the test that measures this process's memory, to which
# a sanitizer adds its own.
NOT_SANITIZED = PropagationFuzz|SamplerShare|DistributionShape|ClosedForm|CurlTrapTests/longAnswers
# A child of a process with threads may not start any under the thread sanitizer.
NOT_TSAN = $(NOT_SANITIZED)|ForkTests|ForkStormTests

tsan: install ## Run the tests of core, pipeline, sink and load under the thread sanitizer
	TSAN_OPTIONS="halt_on_error=1 $$TSAN_OPTIONS" $(SWIFT) test --disable-xctest --jobs $(JOBS) \
		--sanitize=thread --scratch-path .build-tsan $(SANITIZED) --skip '$(NOT_TSAN)' $(ARGS)

asan: install ## Run them under the address and leak sanitizers
	ASAN_OPTIONS="detect_leaks=1 $$ASAN_OPTIONS" \
		LSAN_OPTIONS="suppressions=$(CURDIR)/Tests/sanitizers/leaks.supp print_suppressions=0 $$LSAN_OPTIONS" \
		$(SWIFT) test --disable-xctest --jobs $(JOBS) --sanitize=address --scratch-path .build-asan \
		$(SANITIZED) --skip '$(NOT_SANITIZED)' $(ARGS)

fuzz: install ## Fuzz everything that reads bytes from outside, SECONDS_EACH=60 a target (ARGS="http gzip"; REPLAY=1)
	@SWIFT="$(SWIFT)" JOBS="$(JOBS)" Tests/fuzz/run $(ARGS)

model: ## Ring, queue and store against a model, and mutants of them (OPERATIONS=1000000000; MUTANTS=0)
	@SWIFT="$(SWIFT)" JOBS="$(JOBS)" Tests/model/run $(ARGS)

# The receiver is away for a sixth of it.
soak: build ## An hour at 10,000 spans/s, the receiver away for ten minutes: does memory grow? (SECONDS=3600)
	$(TRACEMILL) soak $(if $(filter file,$(origin SCENARIO)),scenarios/soak.yaml,$(SCENARIO)) \
		--duration $(or $(SECONDS),3600)s --outage $$(($(or $(SECONDS),3600) / 6))s $(ARGS)

lint: ## Check the formatting of every Swift file
	@$(SOURCES) | xargs -0 $(SWIFT) format lint --strict --parallel

format: ## Format every Swift file
	@$(SOURCES) | xargs -0 $(SWIFT) format format --in-place --parallel

bench: build ## Measure the cost of each part on this machine
	$(TRACEMILL) bench $(ARGS)

# Scripts that would not notice would be worth nothing.
INSTRUCTIONS_TEST = python3 -B -m unittest discover -q -s Benchmarks/instructions -p 'test_*.py'

bench-instructions: build ## Hold instruction counts against their budgets (ARGS=--record sets them)
	@.ci/install valgrind objdump python3
	@$(INSTRUCTIONS_TEST)
	@python3 -B Benchmarks/instructions/instructions.py $(TRACEMILL) $(ARGS)

bench-runtime-calls: build ## Count runtime calls and traps in the code of the span path (ARGS=--where)
	@.ci/install objdump python3
	@$(INSTRUCTIONS_TEST)
	@python3 -B Benchmarks/instructions/runtime_calls.py $(TRACEMILL) $(ARGS)

benchmarks: install ## Run the benchmark package (some of it: ARGS="--filter 'span.*'")
	$(SWIFT) package --package-path Benchmarks benchmark $(if $(MAKE_TERMOUT),,--no-progress) $(ARGS)

shop: install ## Run the example: six services, their traces drawn as trees
	$(SWIFT) run --package-path Examples/Shop --jobs $(JOBS) shop

shop-test: install ## Run the example's tests, in a package of its own
	$(SWIFT) test --package-path Examples/Shop --disable-xctest --jobs $(JOBS) $(ARGS)

interop: install ## Compare with Python's OpenTelemetry packages (pip brings them; ARGS="--seed 2")
	@SWIFT="$(SWIFT)" JOBS="$(JOBS)" Tests/interop/run $(ARGS)

ci-examples: build ## Carry out the workflows of Examples/ci step by step, hold them against the published schemas
	@Tests/ci-examples/run $(TRACEMILL) $(ARGS)

bench-peers: build ## The same work through other SDKs, in one table (ROUNDS=5 ONLY=python,go)
	@Benchmarks/peers/run --tracemill $(TRACEMILL) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(ONLY),--only $(ONLY)) $(ARGS)

bench-peers-test: ## Test what makes the table of bench-peers (python3, no peers needed)
	@cd Benchmarks/peers && python3 -B -m unittest discover --pattern 'test_*.py' $(ARGS)

otlp-definition: ## Regenerate the tests' OTLP types (needs protoc)
	$(SWIFT) build --jobs $(JOBS) --product protoc-gen-swift
	protoc --plugin=protoc-gen-swift=.build/debug/protoc-gen-swift \
		--proto_path=Tests/OTLPDefinition --swift_out=Tests/OTLPDefinition/Generated \
		--swift_opt=Visibility=Public OTLPTrace.proto

clean: ## Remove what builds leave behind
	rm -rf .build .build-* Benchmarks/.build Examples/*/.build Tests/fuzz/.build Tests/model/.build
