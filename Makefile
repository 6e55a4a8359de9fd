# Everything runs in .venv, which is made on first use from the lock file.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.ready

.PHONY: setup demo test check bench lock

setup: $(STAMP)

$(STAMP): pyproject.toml .ci/requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement .ci/requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# A narrated sample video, indexed and asked: what was said, written, shown.
demo: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: $(STAMP)
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy agent tools index prompts
	$(BIN)/python .ci/check_wheel.py

# Writes figures to tests/benchmarks/results/; names of benchmarks as in `make bench ONLY="speech search"`.
bench: $(STAMP)
	$(BIN)/python tests/benchmarks/bench.py $(ONLY)

# Renew the lock file from pyproject.toml.
lock: $(STAMP)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra all --extra dev --python-version 3.11 --no-header --no-annotate --upgrade --output-file .ci/requirements.lock
