# `make demo` and `make test` set up all they need in .venv; uv is used where it can be had.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where no uv is, pip brings it; where that fails too, pip does the work. uv trusts the authorities
# that it brings along; behind a proxy with one of its own, those of the system.
INSTALL = uv=$$(command -v uv || echo $(BIN)/uv); \
	[ -x "$$uv" ] || $(BIN)/python -m pip install --quiet uv || true; \
	with_uv() { "$$uv" pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e "$$what"; }; \
	if [ -x "$$uv" ]; then with_uv 2>/dev/null || UV_SYSTEM_CERTS=true with_uv; \
	else $(BIN)/python -m pip install --quiet -c constraints.txt -e "$$what"; fi

.PHONY: help install demo test test-long cluster-test check audit format bench bench-windows lock clean

help:  ## Show what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@if command -v uv >/dev/null; then uv venv --quiet --python $(PYTHON) $(VENV); \
	else $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is missing. On Debian: apt install python3-venv"; exit 1; }; fi

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing dmlkit into $(VENV)"
	@what='.'; $(INSTALL)
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing dmlkit and its development tools into $(VENV)"
	@what='.[dev,notebook]'; $(INSTALL)
	@touch $@ $(VENV)/.core

$(VENV)/.bench: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing dmlkit and what it is measured beside into $(VENV)"
	@what='.[bench]'; $(INSTALL)
	@touch $@ $(VENV)/.core

install: $(VENV)/.dev  ## Set up .venv with dmlkit and the development tools

demo: $(VENV)/.core  ## Generate card transactions, train, judge, report: demo/report.html
	@$(BIN)/dmlkit run fraud-detection --out demo

test: $(VENV)/.dev  ## Run the tests, two files at a time
	@$(BIN)/pytest -n 2 --dist loadfile

test-long: $(VENV)/.dev  ## What takes minutes: faults in the midst of trainings, further notebooks
	@$(BIN)/pytest -m long tests

cluster-test: $(VENV)/.dev  ## What needs root and a container engine: the composed cluster
	@$(BIN)/pytest -m engine -rs tests

check: $(VENV)/.dev  ## Format, lint, types, import contract
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

$(VENV)/audit/bin/pip-audit: | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/audit && $(VENV)/audit/bin/python -m pip install --quiet pip-audit

audit: $(VENV)/audit/bin/pip-audit  ## Known weaknesses of what constraints.txt pins
	@$(BIN)/python .ci/audit.py $<

format: $(VENV)/.dev  ## Format and fix what can be fixed
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

bench: $(VENV)/.dev  ## The fraud job on the handbook's four folds: make bench DATA=folder
	@$(BIN)/python -m benchmarks.fraud_handbook --data $(DATA)

bench-windows: $(VENV)/.bench  ## Window features beside polars, DuckDB and Spark
	@$(BIN)/python -m benchmarks.time_windows

lock: $(BIN)/python  ## Renew constraints.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--extra dev --extra notebook --extra s3 --extra bench pyproject.toml -o constraints.txt

clean:  ## Remove the virtual environment and the demo
	rm -rf $(VENV) demo
