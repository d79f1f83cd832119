# `make` lists the targets. VENV=DIR uses another environment, PYTHON=python3.12 another interpreter.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
ALL := $(VENV)/.installed-all

.NOTPARALLEL:
.PHONY: help venv demo test lint types check fmt bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: $(ALL)  ## install everything that runs on a CPU

# One rule for every extra: `.venv/.installed-torch` says that `.[torch]` is installed.
$(VENV)/.installed-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[$*]'
	touch $@

demo: $(VENV)/.installed-torch  ## build GPT-2 from its spec and generate tokens with it
	$(BIN)/archspec run gpt2 --init 0 --prompt-ids 464,3290,318 --max-new-tokens 16

test: $(ALL)  ## run every test
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

lint: $(ALL)  ## check format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(ALL)  ## check types
	$(BIN)/pyright --pythonpath $(BIN)/python

check: lint types  ## lint and types

fmt: $(ALL)  ## format, and fix what lint can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(ALL)  ## measure speed against the reference implementations
	$(BIN)/python -m benchmarks

clean:  ## remove the environment, caches and builds
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
