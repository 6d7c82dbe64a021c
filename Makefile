# `make test` needs Go alone. `make help` lists the rest.

GO      ?= go
BIN     := $(CURDIR)/.bin
# Modules that build without anything but Go, each with the versions that its
# own users get.
MODULES := . store server examples
# Those that stand on a database or an index. To compile that takes minutes, so it
# is done once: with the race detector, for the linter as for the tests.
HEAVY   := store server examples
LIGHT   := . docs tools bench exporter/collectortest llmhttp/clienttest server/interop e2e
# All, to be checked and formatted.
CHECKED := $(LIGHT) $(HEAVY)
# Modules that users get name their neighbours by version alone, so that they can
# be installed. Until there is such a version their tests need the neighbours' folders.
NEIGHBOURS = $(BIN)/store.mod $(BIN)/server.mod
WITH_NEIGHBOURS = if [ -f $(BIN)/$$m.mod ]; then export GOFLAGS="$$($(GO) env GOFLAGS) -modfile=$(BIN)/$$m.mod"; fi
DROP_NEIGHBOURS = $(GO) mod edit -dropreplace github.com/sessionspan/sessionspan -dropreplace github.com/sessionspan/sessionspan/store
# The race detector needs a C compiler.
RACE    := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null 2>&1 && echo -race)
RACING   = GOFLAGS="$$($(GO) env GOFLAGS) $(RACE)"
# Time for each fuzz target.
FUZZTIME ?= 30s
# Folders whose targets are run.
FUZZIN  ?= .

export GOWORK := off

.PHONY: help test test-long test-all e2e screenshots soak audit licenses sbom lint fmt bench bench-growth bench-steps fuzz tidy tidy-check release-check release dist site

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: $(NEIGHBOURS) ## run all tests that need nothing but Go, with the race detector where there is a C compiler; what tries many faults, lives or deaths tries fewer of them
	@set -e; for m in $(MODULES); do (cd $$m && $(WITH_NEIGHBOURS) && echo "test $$m" && $(GO) test -timeout 20m $(RACE) -short ./...); done
	cd examples && $(GO) test $(RACE) -run '^TestRAG$$' ./evals
	@# Budgets of allocations do not hold under the race detector.
	@[ -z "$(RACE)" ] || $(GO) test -short -run 'Nothing|NotSampled|Allocations|CostOfMerging' \
		. ./exporter ./honeyhive ./internal/otlp ./internal/rawjson

test-long: $(NEIGHBOURS) ## run the same tests in their whole length
	$(GO) test -timeout 30m ./...
	@set -e; for m in $(HEAVY); do (cd $$m && $(WITH_NEIGHBOURS) && echo "test $$m" && $(GO) test -timeout 30m $(RACE) ./...); done

test-all: test test-long e2e ## also run what takes minutes to build or needs Node or a browser: clients of models, of the server, a collector, the page
	cd docs && $(GO) test ./...
	cd tools && $(GO) test ./...
	cd bench && $(GO) test ./...
	cd exporter/collectortest && $(GO) test ./...
	cd llmhttp/clienttest && $(GO) test ./...
	cd server/interop && npm ci --ignore-scripts --no-audit --no-fund && $(GO) test ./...

e2e: ## drive the page in a browser: needs Chromium, and npm for axe
	cd e2e && npm ci --ignore-scripts --no-audit --no-fund && $(GO) test -count=1 -timeout 20m ./...

screenshots: ## make the pictures of the README, with Chromium
	cd e2e && $(GO) test -tags screenshots -count=1 -run Screenshots .

soak: $(NEIGHBOURS) ## run the long tests of delivery and of the server, with their figures: most of an hour
	$(GO) test -tags soak -count=1 -v -timeout 60m -run Soak ./internal/soak
	m=server; cd $$m && $(WITH_NEIGHBOURS) && $(GO) test -tags soak -count=1 -v -timeout 10m -run Soak ./local

lint: $(BIN)/golangci-lint ## look for mistakes, those of go vet among them, and for code that is not formatted
	@set -e; for m in $(LIGHT); do (cd $$m && echo "lint $$m" && $(BIN)/golangci-lint run ./...); done
	@# The linter runs Go without modules as well, which takes no -modfile: neighbours are found by the workspace.
	@set -e; for m in $(HEAVY); do (cd $$m && echo "lint $$m" && GOWORK=$(CURDIR)/go.work $(RACING) $(BIN)/golangci-lint run ./...); done

$(BIN)/golangci-lint: tools/go.mod
	cd tools && $(GO) build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

audit: $(BIN)/golangci-lint $(BIN)/govulncheck ## look for known vulnerabilities (where their database can be reached), licences that are not allowed, what gosec minds, and threats without a test
	cd tools && $(GO) test -count=1 ./audit && $(GO) run ./audit check && $(GO) run ./audit vuln
	$(BIN)/golangci-lint run --enable-only gosec ./...
	@set -e; for m in store server; do (cd $$m && echo "gosec $$m" && GOWORK=$(CURDIR)/go.work $(BIN)/golangci-lint run --enable-only gosec ./...); done

licenses: ## write the list of dependencies with their licences anew
	cd tools && $(GO) run ./audit licenses >$(BIN)/licenses.md && cp $(BIN)/licenses.md ../docs/licenses.md

sbom: ## list what the command of the server is built of, as CycloneDX
	cd server && GOWORK= $(GO) build -trimpath -o $(BIN)/sessionspan ./cmd/sessionspan
	cd tools && $(GO) run ./audit sbom $(BIN)/sessionspan >$(BIN)/sessionspan.cdx.json

$(BIN)/govulncheck: tools/go.mod
	cd tools && $(GO) build -o $@ golang.org/x/vuln/cmd/govulncheck

fmt: $(BIN)/golangci-lint ## format the code
	@set -e; for m in $(CHECKED); do (cd $$m && $(BIN)/golangci-lint fmt ./...); done

bench: ## compare with other libraries, a quarter of an hour at most, and write the tables of bench/README.md; BENCHFLAGS are its flags
	cd bench && $(GO) run ./cmd/compare $(BENCHFLAGS)

bench-growth: ## draw how cost grows with goroutines, children, sizes and sessions
	cd bench && $(GO) run ./cmd/growth

bench-steps: ## run the benchmarks of the packages
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## run each fuzz target for FUZZTIME
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' $(FUZZIN) | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$dir/*_test.go | sed 's/func //'); do \
			echo "fuzz $$dir $$target"; \
			(cd $$dir && $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x .); \
		done; done

release-check: ## install the last commit as strangers do, from a proxy of files: the program of the README, each public package, the command
	cd tools && $(GO) run ./release check

release: ## try a release of VERSION in a clone that is thrown away: all checks, the commits and the tags in their order; with APPLY=1 they come to this repository, and nothing is pushed
	cd tools && $(GO) run ./release make $(if $(APPLY),-apply) $(VERSION)

dist: ## archives of the command of VERSION for six platforms, with their SHA-256, in the folder dist; the same bytes on any machine with the same Go
	cd tools && $(GO) run ./release dist $(VERSION) $(CURDIR)/dist

site: ## write the documentation as a site, in the folder dist/site
	cd docs && $(GO) run ./site -out $(CURDIR)/dist/site

tidy: $(NEIGHBOURS) ## tidy the modules
	@set -e; for m in $(CHECKED); do (cd $$m && $(WITH_NEIGHBOURS) && $(GO) mod tidy); done
	@for m in store server; do cp $(BIN)/$$m.sum $$m/go.sum; done
	@for m in store server; do cp $(BIN)/$$m.mod $$m/go.mod && $(DROP_NEIGHBOURS) $$m/go.mod; done

tidy-check: $(NEIGHBOURS) ## fail where a module is not tidy, or a dependency is not what go.sum says
	@set -e; for m in $(CHECKED); do (cd $$m && $(WITH_NEIGHBOURS) && $(GO) mod tidy -diff && $(GO) mod verify); done

$(BIN)/%.mod: %/go.mod %/go.sum
	@mkdir -p $(BIN) && cp $*/go.sum $(BIN)/$*.sum && cp $*/go.mod $@
	@$(GO) mod edit -replace github.com/sessionspan/sessionspan=../ -replace github.com/sessionspan/sessionspan/store=../store $@
