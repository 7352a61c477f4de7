# `make demo` and `make test` install what they need into .venv and run, `make test-servers` also into .venv-servers;
# nothing else is touched.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

SERVERS ?= .venv-servers

.PHONY: demo test test-integration test-servers check docs tutorials bench clean

demo: $(STAMP)
	$(BIN)/doubleread demo

# One process more than cores, since some wait; tests of one file share what their fixtures made.
WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile

test: $(STAMP) check
	$(PYTEST) -m "not integration and not servers"

# Browsers, servers, databases, clusters and killed processes; -rs says what was skipped, and why.
test-integration: $(STAMP)
	$(PYTEST) -m integration -rs

# Real model servers, in an environment of their own; one process, so that each server is started once.
test-servers: $(STAMP) $(SERVERS)/.installed
	DOUBLEREAD_SERVERS=$(abspath $(SERVERS)) $(BIN)/python -m pytest tests/servers -m servers -rs

check: $(STAMP) typed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd .typed && $(abspath $(BIN))/lint-imports --config ../pyproject.toml

docs: $(STAMP) typed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Runs docs/tutorials/*.ipynb from scratch and stores them with their outputs.
tutorials: $(STAMP)
	$(BIN)/python docs/tutorials/run.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# The user's top-level folders are sub-packages of doubleread once installed; this shows them to the checkers like that.
.PHONY: typed
typed:
	@rm -rf .typed && mkdir -p .typed/doubleread
	@ln -s $(CURDIR)/doubleread/* $(CURDIR)/agents $(CURDIR)/orchestrator $(CURDIR)/rag $(CURDIR)/prompts $(CURDIR)/evals .typed/doubleread/
	@ln -s $(CURDIR)/benchmarks .typed/benchmarks

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	@touch $(STAMP)

$(SERVERS)/.installed: tests/servers/requirements.txt
	$(PYTHON) -m venv $(SERVERS)
	$(SERVERS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/servers/requirements.txt
	@touch $@

clean:
	rm -rf .typed build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
