# `make` lists the targets. VENV=DIR uses another environment, PYTHON=python3.12 another interpreter.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
ALL := $(VENV)/.installed-all

.NOTPARALLEL:
.PHONY: help venv demo clients test lint types check fmt bench kernels-gate clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: $(ALL)  ## install everything that runs on a CPU

# One rule for every extra: `.venv/.installed-torch` says that `.[torch]` is installed.
$(VENV)/.installed-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[$*]'
	touch $@

demo: $(VENV)/.installed-torch  ## build GPT-2 from its spec and generate tokens with it
	$(BIN)/archspec run gpt2 --init 0 --prompt-ids 464,3290,318 --max-new-tokens 16

# Clients of exported folders whose pins clash with ours: each has an environment of its own, which holds what differs, and
# takes all else (torch, ONNX Runtime, numpy) from VENV.
CLIENTS := $(patsubst %,$(VENV)/clients/%/.installed,genai optimum)

clients: $(CLIENTS)  ## install the clients that tests/clients runs, else those tests are skipped

$(VENV)/clients/%/.installed: tests/clients/requirements-%.txt $(ALL)
	$(BIN)/python -m venv --without-pip $(@D)
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > \
		"$$($(@D)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/outer.pth"
	$(BIN)/python -m pip --python $(@D)/bin/python install --quiet --no-deps --no-compile -r $<
	touch $@

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

# With TRITON=3.6.0 the kernels are compiled by that version, in an environment of its own that holds nothing else
# (a download of 0.2 GB, kept in VENV); without, by the version of constraints.txt. GATE="--structure full" asks for less.
COMPILER := $(if $(TRITON),$(VENV)/triton-$(TRITON)/bin/python,$(BIN)/python)

kernels-gate: $(ALL) $(VENV)/.triton $(if $(TRITON),$(VENV)/.triton-$(TRITON))  ## compile the kernels for GPUs that are not there
	$(BIN)/python -m benchmarks.gate --python $(COMPILER) $(GATE)

$(VENV)/.triton: $(ALL)
	$(BIN)/pip install --quiet -c constraints.txt triton
	touch $@

$(VENV)/.triton-%:
	$(PYTHON) -m venv $(VENV)/triton-$*
	$(VENV)/triton-$*/bin/pip install --quiet triton==$*
	touch $@

clean:  ## remove the environment, caches and builds
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
