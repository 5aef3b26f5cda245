# What a person or CI does here. `make` alone lists the targets.
#
# It needs Go, make, git, and for -race a C compiler. Other tools are installed into .bin/ when a target first
# needs them. Plain /bin/sh, and make 3.81, which macOS has.

.DEFAULT_GOAL := help
SHELL := /bin/sh

MODULES := proto pkg services
IN_ALL_MODULES = ./proto/... ./pkg/... ./services/...

# The mains of bin/: the all-in-one, each service, and the load generator.
MAINS = ./services/parley ./services/*/cmd/* ./services/internal/load/cmd/*

# What can be changed from the command line.
SEED ?=
SEEDS ?=
LONG ?=
FUZZTIME ?= 10s
BENCH_ARGS ?=
# Test binaries that run at once. Each may start a PostgreSQL and a NATS, and the race detector wants its core.
TEST_PARALLEL ?= 2

TOOLS = sh deploy/tools/install.sh
WITH_TOOLS = PATH="$(CURDIR)/.bin:$$PATH"

.PHONY: help run build postgres test patience sim e2e bench fuzz browser lint format generate verify clean

help: ## Show this text
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

##@ Use it

run: ## Build and start everything on http://127.0.0.1:8080; the data stays in .parley/
	@[ -n "$$PARLEY_DATABASE_URL$$PARLEY_DATABASE_URL_FILE" ] || sh deploy/tools/postgres.sh
	@mkdir -p bin
	go build -trimpath -o bin/parley ./services/parley
	@exec bin/parley up

build: ## Build all programs into bin/
	@mkdir -p bin
	go build -trimpath -o bin/ $(MAINS)

postgres: ## Install PostgreSQL if this machine has none (run and test do it as well)
	@sh deploy/tools/postgres.sh

clean: ## Remove bin/ and .bin/, which can be built again; never data
	rm -rf bin .bin

##@ Work on it

# The simulation runs one thing at a time, whatever it simulates: the race detector would find nothing and cost
# minutes. The last line is never answered from the test cache, which does not notice changes outside of a test's module.
test: postgres ## Run the tests of all modules, with the race detector where there is concurrency
	go test -race -p $(TEST_PARALLEL) -timeout 8m $$(go list $(IN_ALL_MODULES) | grep -v /internal/simulation$$)
	go test -timeout 8m ./services/internal/simulation
	go test -count=1 ./services/internal/archtest ./services/internal/demoflows

lint: ## Check format, vet, linters, the architecture, and the contract (also against main)
	@$(TOOLS) golangci-lint buf
	go vet -tags browser,e2e $(IN_ALL_MODULES)
	@for module in $(MODULES); do \
		echo "golangci-lint run ($$module)"; \
		(cd $$module && ../.bin/golangci-lint run --allow-parallel-runners ./...) || exit 1; \
	done
	go test -count=1 ./services/internal/archtest
	.bin/buf lint
	@sh deploy/tools/breaking.sh

format: ## Format the Go code and the contract
	@$(TOOLS) golangci-lint buf
	@for module in $(MODULES); do (cd $$module && ../.bin/golangci-lint fmt) || exit 1; done
	.bin/buf format -w

generate: ## Generate the Go code of the contract and the schema of flow files, and copy the demo flows into the binaries' package
	@$(TOOLS) buf protoc-gen-go
	$(WITH_TOOLS) buf generate --template proto/buf.gen.yaml
	@for code in proto/parley/v1/*.pb.go; do [ -f "$${code%.pb.go}.proto" ] || rm "$$code"; done
	go run ./services/parley flow schema -w deploy/flows/flow.schema.json
	@rm -rf services/internal/demoflows/*.yaml services/internal/demoflows/slots services/internal/demoflows/tests
	cp -R deploy/flows/*.yaml deploy/flows/slots deploy/flows/tests services/internal/demoflows/

##@ Prove it

verify: ## Fail if generated files or go.mod files are out of date, or a module needs go.work to build
	@sh deploy/tools/verify.sh $(MODULES)

sim: ## Simulate the system with faults: SEEDS=5000 tries many, SEED=7 repeats one with its whole trace
	go test ./services/internal/simulation -count=1 -v -timeout 60m \
		$(if $(SEED),-run 'TestSeed$$' -seed=$(SEED),$(if $(SEEDS),-run 'TestSeeds$$' -seeds=$(SEEDS)))

patience: ## Let 100,000 people take their time for a month of virtual time; SESSIONS=5000 fewer
	go test ./services/internal/patience -count=1 -v -timeout 30m -run 'TestMonth$$' -sessions=$(or $(SESSIONS),100000)

e2e: postgres ## Test the real programs from outside, killed and restarted; LONG=1 at full rates, RUN=TestUpLoad one of them
	go test -tags e2e -count=1 -v -timeout 40m $(if $(RUN),-run '$(RUN)') ./services/internal/e2e $(if $(LONG),-long)

browser: ## Test the pages of console and sandbox in a headless browser (needs chromium)
	go test -tags browser -count=1 -timeout 5m ./services/sandbox ./services/console

fuzz: ## Run each fuzz target for FUZZTIME=10s
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' pkg services | sed 's|/[^/]*:func | |' | \
	while read -r folder target; do \
		echo "fuzz $$target ($$folder)"; \
		go test "./$$folder" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s || exit 1; \
	done

bench: postgres ## Measure throughput and latency of the whole system (options in BENCH_ARGS)
	go run ./services/internal/bench $(BENCH_ARGS)
