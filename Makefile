# Everything a person does with a checkout. Needs Python ≥ 3.11 with venv, make and git.

VENV ?= .venv
BIN := $(VENV)/bin
MINIMUM := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '$(MINIMUM)' 2>/dev/null && echo $$python && break; done)
VERSIONS := 3.11 3.12 3.13 3.14
unexport PYTHONDONTWRITEBYTECODE  # else every process that a test starts compiles all that it loads
RUN_DB := .queuectl/queue.db

.PHONY: help setup run test test-all scenarios web screenshots faults soak fuzz lint format docs bench bench-smoke clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make .venv with queuectl and its development tools in it

$(VENV)/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "make: $(PYTHON) has no venv (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@$(BIN)/python -m pytest --collect-only -n 0 >/dev/null || true  # compiles the tests, once
	@touch $@

run: setup ## Apply jobs.d to a queue of its own, run it until idle, show what happened and what fires next
	@QUEUECTL_DB=$(RUN_DB) sh -euc '\
		$(BIN)/queuectl apply jobs.d --yes; echo; \
		$(BIN)/queuectl run --until-idle; echo; \
		$(BIN)/queuectl list; echo; \
		$(BIN)/queuectl next'

test: setup ## Run the tests (a minute)
	$(BIN)/python -m pytest

test-all: ## Run them on every Python ≥ 3.11 found
	@for version in $(VERSIONS); do \
		if python$$version -c '$(MINIMUM)' 2>/dev/null; then \
			echo "== Python $$version"; \
			$(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON=python$$version || exit 1; \
		else echo "== Python $$version: not on this machine"; fi; \
	done

scenarios: setup ## Play whole stories: every example as its README says, hooks with real receivers (half a minute)
	$(BIN)/python -m pytest tests/scenarios

web: setup ## Test the dashboard, also in a real Chromium (3 minutes)
	$(BIN)/python -m pytest tests/web --timeout 300
	$(BIN)/python -m pytest tests/browser --timeout 180 -n 2

faults: setup ## Provoke every fault of the catalogue and torment workers for a minute (8 minutes)
	$(BIN)/python -m pytest tests/faults --timeout 300 $(FAULTS)

soak: setup ## The same with the times of a real queue, the torment for longer: make soak MINUTES=60
	SOAK_MINUTES=$(or $(MINUTES),60) $(BIN)/python -m pytest tests/faults --timeout 0 $(FAULTS)

fuzz: setup ## Feed the loader and apply with hostile spec files for so long: make fuzz MINUTES=5
	$(BIN)/python -m tests.faults.fuzz --minutes $(or $(MINUTES),5)

lint: setup ## Check style, types and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## Write the generated parts of README.md anew
	$(BIN)/python docs/generate.py

screenshots: setup ## Take the pictures of the dashboard anew: make screenshots ALL=some/folder for every page
	$(BIN)/python docs/screenshots.py $(ALL)

bench: setup ## Measure queuectl beside its limits and peers (25 minutes; one: make bench BENCH=drain)
	PYTHON=$(abspath $(BIN))/python benchmarks/prepare
	$(BIN)/python -m benchmarks $(BENCH)

bench-smoke: setup ## See that everything in benchmarks/ works
	PYTHON=$(abspath $(BIN))/python benchmarks/prepare --smoke
	$(BIN)/python -m benchmarks --smoke $(BENCH)

clean: ## Remove what the other targets made
	rm -rf .venv .venv-* benchmarks/.venv-* benchmarks/.work .queuectl .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
