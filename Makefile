# Every target prepares the environment it needs: on a fresh machine Python >= 3.11 and make suffice.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

WORKERS     ?= 2
PYTEST_ARGS ?=
BENCH_ARGS  ?=

# Compiled programs survive between runs; most of a cold test run is compilation.
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.cache/jax
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow coverage lint format types imports docs peers bench clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## create the environment and install thalweg into it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "thalweg needs Python >= 3.11, got %d.%d: make PYTHON=python3.11 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs,ase]' --constraint constraints.txt
	@touch $@

demo: $(STAMP)  ## map the 13-atom Lennard-Jones cluster, draw its tree and write its report
	$(BIN)/thalweg map lj13 -o lj13.db --budget 60s
	$(BIN)/thalweg tree lj13.db -o lj13.png
	$(BIN)/thalweg report lj13.db -o lj13.html

test: $(STAMP)  ## run the tests (no slow ones)
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

test-slow: $(STAMP)  ## run the slow tests
	$(BIN)/python -m pytest -n $(WORKERS) -m slow --timeout 3600 $(PYTEST_ARGS)

coverage: $(STAMP)  ## run the tests and say which lines they never reach
	$(BIN)/python -m pytest -n $(WORKERS) --cov $(PYTEST_ARGS)

lint: $(STAMP)  ## check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(STAMP)  ## format, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)  ## check types
	$(BIN)/basedpyright --pythonpath $(BIN)/python

imports: $(STAMP)  ## check which package imports which
	$(BIN)/lint-imports

docs: $(STAMP)  ## build the site into site/
	$(BIN)/mkdocs build --strict --quiet

# The peers pin older libraries than ours (SQLAlchemy < 2, NumPy < 2), so each lives on its own.
.venv-pele/.installed:
	$(PYTHON) -m venv .venv-pele
	.venv-pele/bin/python -m pip install --quiet pele==0.1.2
	@touch $@

.venv-topsearch/.installed:
	$(PYTHON) -m venv .venv-topsearch
	.venv-topsearch/bin/python -m pip install --quiet topsearch==0.0.3
	@touch $@

# The CPU build: the plain one brings gigabytes of GPU libraries.
.venv-torch/.installed:
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet torch==2.13.0 numpy torchani==2.9.0 mace-torch==0.3.16 --extra-index-url https://download.pytorch.org/whl/cpu
	@touch $@

peers: .venv-pele/.installed .venv-topsearch/.installed .venv-torch/.installed  ## install the codes that `make bench` compares with

bench: $(STAMP)  ## measure, beside the peers that are installed
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

clean:  ## remove what was built, cached and drawn (environments and .db files stay)
	rm -rf build dist site htmlcov .coverage* .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache lj13.png lj13.html
	find src tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
