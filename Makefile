# From nothing but Python 3.10 or newer and make: everything else goes into .venv, dist and the user's cache.

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Folders too, so that a file taken away counts as a change.
SOURCES := pyproject.toml $(wildcard README.md LICENSE) pytest_linq_provider.py $(shell find linq_provider -name __pycache__ -prune -o -print)

DEPENDENCIES := $(VENV)/.dependencies
DOCS := $(VENV)/docs
POLICY := $(VENV)/policy
DIST := dist/.built
INSTALLED := $(VENV)/.installed

# A checkout on PYTHONPATH would hide the installed wheel, which is what is tested.
unexport PYTHONPATH
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

WITH_CLI = cli=$$($(BIN)/python tools/bootstrap/pulumi_cli.py) && PATH="$(BIN):$$cli:$$PATH" && export PATH &&
LANGUAGES = languages=$$($(BIN)/python tools/bootstrap/languages.py)
WITH_TOOLS = $(WITH_CLI) $(LANGUAGES) && toxiproxy=$$(python tools/bootstrap/go_programs.py toxiproxy) && \
  actionlint=$$(python tools/bootstrap/go_programs.py actionlint) && PATH="$$PATH:$$languages:$$toxiproxy:$$actionlint" &&

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-matrix coverage soak lint mutants mutation-score bench bench-quick bench-again bench-report docs build plugin sdks clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

demo: $(INSTALLED) ## the whole story on the real Pulumi engine, against the emulator
	@$(WITH_CLI) python tools/demo.py

test: lint docs $(INSTALLED) $(POLICY)/.installed ## everything that must pass: lint, the documentation, then all tests against the installed wheel
	@$(WITH_TOOLS) pytest -n 6 --dist worksteal

test-matrix: $(INSTALLED) ## every Python of this machine, with the oldest and the newest packages
	@$(WITH_CLI) python tools/matrix.py dist/*.whl

coverage: $(INSTALLED) ## branch coverage of all tests, provider processes included
	@rm -rf .coverage
	@$(WITH_TOOLS) coverage run $(BIN)/pytest -n 2 && coverage combine --quiet && coverage report

soak: $(INSTALLED) ## mutation-score, 10,000 operations with faults, 20 kills and 300 walks of each kind, 1,000 lines: hours
	@$(MAKE) --no-print-directory mutation-score
	@$(WITH_CLI) python tools/soak.py
	@$(WITH_CLI) python tools/soak_lists.py
	@WALKS=300 $(BIN)/pytest -n 2 tests/unit/core/test_walk.py tests/unit/core/test_fleet_walk.py
	@$(WITH_CLI) KILL_ROUNDS=20 WALK_STEPS=200 FLEET_LINES=1000 FLEET_RATE=4 \
	  pytest -n 2 -k "kill or walk or row_24" tests/engine
	@$(WITH_TOOLS) SKIN=native pytest -n 2 -k "row_ and not row_32 and not row_33" tests/engine

lint: $(DEPENDENCIES) ## ruff, mypy, plain English, and which module may know which
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python tools/prose.py
	@said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said" >&2; exit 1; }

mutants: $(INSTALLED) ## remove one behaviour after the other: each time a test must turn red
	@$(WITH_TOOLS) python tools/mutants.py

mutation-score: $(INSTALLED) ## mutmut on the rules, the transport and the resource: 90 % must be found by unit tests; part of soak
	@rm -rf mutants
	@said=$$($(BIN)/mutmut run --max-children 3 2>&1) || { echo "$$said" | tr '\r' '\n' | tail -n 40 >&2; exit 1; }
	@$(BIN)/mutmut results --all true | $(BIN)/python tools/mutation_score.py

bench: $(INSTALLED) ## time, requests and memory beside the no-op resource and beside peers: 40 to 80 minutes
	@$(WITH_CLI) cd tools && python -m bench

bench-quick: $(INSTALLED) ## the same with 10 and 100 lines: 5 minutes
	@$(WITH_CLI) cd tools && python -m bench --quick

bench-again: $(INSTALLED) ## only what was disturbed or not reached in the last run of bench
	@$(WITH_CLI) cd tools && python -m bench --again

bench-report: $(INSTALLED) ## docs/performance.md and its pictures from the last run of bench
	@cd tools && $(BIN)/python -m bench --report

# Not with --quiet, which hides warnings from --strict too.
docs: $(DOCS)/.installed ## the documentation as a site, in the folder site; warnings are errors
	@said=$$(NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict 2>&1) || { echo "$$said" >&2; exit 1; }
	@echo "open $(CURDIR)/site/index.html"

build: $(DIST) ## wheel and source distribution, in dist

plugin: $(DIST) ## the native package as Pulumi installs it, for each platform, in dist
	@$(BIN)/python tools/plugin_assets.py dist

sdks: ## the SDKs of the native package for Python, Node.js and Go, in dist/sdks; needs npm
	@languages=$$($(PYTHON) tools/bootstrap/languages.py) && PATH="$$PATH:$$languages" $(PYTHON) tools/sdks.py dist/sdks

clean: ## remove what make made in this folder; the Pulumi CLI in the user's cache stays
	@rm -rf $(VENV) dist site .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis mutants

$(DEPENDENCIES): constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "linq-provider needs Python 3.10 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@echo "installing the pinned packages into $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "no virtual environment could be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PIP) install --requirement constraints.txt
	@touch $@

$(DOCS)/.installed: docs/requirements.txt | $(DEPENDENCIES)
	@echo "installing the pinned packages of the documentation into $(DOCS)"
	@$(PYTHON) -m venv --clear $(DOCS)
	@$(DOCS)/bin/python -m pip --disable-pip-version-check --quiet install --requirement $<
	@touch $@

# Without what it needs, which is here already: it asks for an older protobuf than others do, and runs with this one.
$(POLICY)/.installed: $(DEPENDENCIES)
	@$(PIP) install --no-deps --upgrade --target $(POLICY) pulumi-policy==1.21.0
	@touch $@

$(DIST): $(SOURCES) | $(DEPENDENCIES)
	@echo "building the wheel"
	@rm -rf dist
	@said=$$($(BIN)/python -m build --no-isolation 2>&1) || { echo "$$said" >&2; exit 1; }
	@touch $@

$(INSTALLED): $(DIST) $(DEPENDENCIES)
	@$(PIP) install --no-deps --force-reinstall dist/*.whl
	@$(PIP) check
	@touch $@
