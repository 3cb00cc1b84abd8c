# Every target does its own set-up in .venv; nothing but Python >= 3.11 and make is needed.
PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
PORT    ?= 5006
WORKERS ?= 2
MODULES := $(shell find acot_core -name '*.py' ! -name __main__.py | sed 's,/__init__.py$$,,; s,.py$$,,; s,/,.,g' | sort)
CONSTRAINTS ?= constraints.txt
PINS    ?= torch==2.13.0

.PHONY: explore lab test test-core test-browser test-oldest lint audit format bench docs clean help

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

explore: $(VENV)/.app  ## serve the dashboard on http://localhost:5006/explorer (PORT=... for another port)
	$(BIN)/panel serve apps/explorer.py --address 127.0.0.1 --port $(PORT) --warm --show

lab: $(VENV)/.dev  ## open the first notebook in JupyterLab
	$(BIN)/jupyter lab --LabApp.news_url= \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate notebooks/00_start_here.ipynb

test: $(VENV)/.dev  ## unit, notebook and browser tests
	$(MAKE) test-core
	$(MAKE) test-browser

test-core: $(VENV)/.dev  ## unit and notebook tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not browser" $(ARGS)

test-browser: $(VENV)/.dev  ## tests in Chromium, one after the other (skipped where there is none)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser

test-oldest:     ## unit and notebook tests with the oldest versions that pyproject allows, but PINS
	$(MAKE) .venv-oldest/bin/python VENV=.venv-oldest
	.venv-oldest/bin/python tests/lowest.py $(PINS) > .venv-oldest/constraints.txt
	$(MAKE) test-core VENV=.venv-oldest CONSTRAINTS=.venv-oldest/constraints.txt

lint: $(VENV)/.dev  ## ruff (check and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: $(VENV)/.dev  ## known vulnerabilities of the tested versions (fails where the advisories are not reached)
	$(BIN)/python -m pip install -c constraints.txt pip-audit
	$(BIN)/pip-audit --strict --disable-pip --no-deps -r constraints.txt

format: $(VENV)/.dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## all benchmarks, on the GPU too where there is one; results in benchmarks/results
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev  ## API documentation from the docstrings, in docs/api
	$(BIN)/pdoc --math --docformat numpy --output-directory docs/api $(MODULES)

clean:           ## remove the virtual environment and every cache
	rm -rf $(VENV) .venv-oldest .mypy_cache .ruff_cache .pytest_cache .hypothesis docs/api

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	$(BIN)/python -m pip install -c $(CONSTRAINTS) -e '.[app,datasets]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	$(BIN)/python -m pip install -c $(CONSTRAINTS) -e '.[dev]'
	@touch $@ $(VENV)/.app
