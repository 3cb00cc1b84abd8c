# Every target does its own set-up in .venv; nothing but Python >= 3.11 and make is needed.
PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
PORT    ?= 5006
WORKERS ?= 2
CONSTRAINTS ?= constraints.txt
PINS    ?= torch==2.13.0

.PHONY: explore lab test test-core test-process test-browser test-oldest lint coverage audit format gpu bench docs clean help

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

explore: $(VENV)/.app  ## serve the dashboard on http://localhost:5006/explorer (PORT=... for another port)
	$(BIN)/panel serve apps/explorer.py --address 127.0.0.1 --port $(PORT) --warm --show

lab: $(VENV)/.dev  ## open the first notebook in JupyterLab
	$(BIN)/jupyter lab --LabApp.news_url= \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate notebooks/00_start_here.ipynb

test: $(VENV)/.dev  ## unit, notebook and browser tests
	$(MAKE) test-core
	$(MAKE) test-process
	$(MAKE) test-browser

test-core: $(VENV)/.dev  ## unit and notebook tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not browser" $(ARGS)

PROCESS ?= float64,no_grad,warnings

test-process: $(VENV)/.dev  ## quick unit tests in a process that its user has set up otherwise (PROCESS=no_grad, say)
	OMP_NUM_THREADS=1 ACOT_TEST_PROCESS=$(PROCESS) $(BIN)/python -m pytest -n $(WORKERS) -m "not browser" \
	  tests/transport tests/baselines tests/datasets tests/gan tests/images tests/riemannian tests/subspace \
	  tests/test_gpu.py tests/test_reports.py tests/test_sequences.py

test-browser: $(VENV)/.dev  ## tests in Chromium (skipped where there is none)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m browser $(ARGS)

test-oldest:     ## unit and notebook tests with the oldest versions that pyproject allows, but PINS
	$(MAKE) .venv-oldest/bin/python VENV=.venv-oldest
	.venv-oldest/bin/python tests/helpers/lowest.py $(PINS) > .venv-oldest/constraints.txt
	$(MAKE) test-core VENV=.venv-oldest CONSTRAINTS=.venv-oldest/constraints.txt

lint: $(VENV)/.dev  ## ruff (check and format), mypy, spelling, workflows and Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/idea.yml
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/hadolint Dockerfile

coverage: $(VENV)/.dev  ## which lines and branches the unit tests run, in coverage.txt
	$(MAKE) test-core ARGS="--cov --cov-report= $(ARGS)"
	$(BIN)/coverage report > coverage.txt; tail -1 coverage.txt

audit: $(VENV)/.dev  ## known vulnerabilities of the tested versions (fails where the advisories are not reached)
	$(BIN)/python -m pip install -c constraints.txt pip-audit
	$(BIN)/pip-audit --strict --disable-pip --no-deps -r constraints.txt

format: $(VENV)/.dev  ## let ruff fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gpu: $(VENV)/.dev  ## every GPU test and timing, a table last (small sizes on the CPU where there is no GPU)
	$(BIN)/python -m benchmarks.gpu $(ARGS)

bench: $(VENV)/.dev  ## all benchmarks, on the GPU too where there is one; results in benchmarks/results
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev  ## the documentation site, in docs/_build/html: warnings are errors, links are checked
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -b html docs docs/_build/html
	$(BIN)/python docs/check.py docs/_build/html

clean:           ## remove the virtual environment and every cache
	rm -rf $(VENV) .venv-oldest .mypy_cache .ruff_cache .pytest_cache .hypothesis docs/_build docs/notebooks/*.ipynb dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	$(BIN)/python -m pip install --no-compile -c $(CONSTRAINTS) -e '.[app]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	$(BIN)/python -m pip install -c $(CONSTRAINTS) -e '.[dev]'
	@touch $@ $(VENV)/.app
