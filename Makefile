# From nothing but Python 3.10 or newer and make: everything else goes into .venv, dist and the user's cache.

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Folders too, so that a file taken away counts as a change.
SOURCES := pyproject.toml $(wildcard README.md LICENSE) $(shell find linq_provider -name __pycache__ -prune -o -print)

DEPENDENCIES := $(VENV)/.dependencies
DIST := dist/.built
INSTALLED := $(VENV)/.installed

# A checkout on PYTHONPATH would hide the installed wheel, which is what is tested.
unexport PYTHONPATH
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

WITH_CLI = cli=$$($(BIN)/python tools/pulumi_cli.py) && PATH="$(BIN):$$cli:$$PATH" && export PATH &&

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint mutants bench build clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

demo: $(INSTALLED) ## the whole story on the real Pulumi engine, against the emulator
	@$(WITH_CLI) python tools/demo.py

test: lint $(INSTALLED) ## everything that must pass: lint, then all tests against the installed wheel
	@$(WITH_CLI) pytest -n 2

lint: $(DEPENDENCIES) ## ruff, mypy, and which module may know which
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

mutants: $(INSTALLED) ## remove one behaviour after the other: each time a test must turn red
	@$(WITH_CLI) python tools/mutants.py

bench: $(INSTALLED) ## wall time and requests beside the no-op resource
	@$(WITH_CLI) python tools/bench.py

build: $(DIST) ## wheel and source distribution, in dist

clean: ## remove what make made in this folder; the Pulumi CLI in the user's cache stays
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(DEPENDENCIES): constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "linq-provider needs Python 3.10 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@echo "installing the pinned packages into $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "no virtual environment could be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PIP) install --requirement constraints.txt
	@touch $@

$(DIST): $(SOURCES) | $(DEPENDENCIES)
	@echo "building the wheel"
	@rm -rf dist
	@$(BIN)/python -m build --quiet --no-isolation
	@touch $@

$(INSTALLED): $(DIST) $(DEPENDENCIES)
	@$(PIP) install --no-deps --force-reinstall dist/*.whl
	@$(PIP) check
	@touch $@
