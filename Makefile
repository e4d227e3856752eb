# make setup: an environment in .venv · make demo: the main job · make test: the tests · make lint: the linters
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test lint clean

setup: $(VENV)/.ready

# The stamp is newer than what it was made from, so a second call does nothing.
$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,chess,denoise,files,openai,ray,web]'
	touch $@

demo: setup
	$(BIN)/askew models pull
	$(BIN)/askew data pull
	$(BIN)/askew run

test: setup
	$(BIN)/askew models pull
	$(BIN)/askew data pull
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
