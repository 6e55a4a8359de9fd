# Everything runs in .venv, which is made on first use from the lock file.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.ready
# Python stores compiled modules. Without them, each process that the tests start compiles a thousand modules again.
unexport PYTHONDONTWRITEBYTECODE
# The reference is read from the source, which must lie in a folder named `playhead`: a link makes it so in any clone.
SITE = source=$$(mktemp -d) && ln -s "$(CURDIR)" $$source/playhead && \
	PYTHONPATH=$$source $(BIN)/mkdocs build --strict --site-dir build/site

.PHONY: pictures setup demo test test-all check docs bench lock

setup: $(STAMP)

$(STAMP): pyproject.toml .ci/requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet "uv>=0.9"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement .ci/requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# A narrated sample video is made and indexed; then questions about what was said, written and shown are asked.
demo: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

# The tests that finish within minutes.
test: $(STAMP)
	$(BIN)/python -m pytest

# All tests, the slow ones too.
test-all: $(STAMP)
	$(BIN)/python -m pytest -m "slow or not slow"

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy agent tools index prompts
	$(BIN)/python .ci/check_wheel.py
	$(SITE) --quiet

# The documentation as a web site in build/site.
docs: $(STAMP)
	$(SITE)

# Writes figures to tests/benchmarks/results/. Choose benchmarks with `make bench ONLY="speech search"`.
bench: $(STAMP)
	$(BIN)/python tests/benchmarks/bench.py $(ONLY)

# Renew the lock file from pyproject.toml.
lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --extra all --extra dev --python-version 3.11 --no-header --no-annotate --upgrade --output-file .ci/requirements.lock

# The pictures of the README and the guides, from the demo's sample; needs Chromium.
pictures: $(STAMP)
	$(BIN)/python examples/make_pictures.py docs/pictures
