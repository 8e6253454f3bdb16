# The commands of this project; `make help` lists them. All but `help` and `clean` do their own set-up.

# The first Python that is new enough; another one: make demo PYTHON=/path/to/python3
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# More arguments: make demo ARGS="--port 9000", make test ARGS="-k flood"
ARGS ?=
NO_SERVICES := not (kafka or postgres or timescale or browser or slow)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast style types e2e test-faults score bench clean wheel

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 20

setup: ## install everything into .venv, node_modules and web/vendor (done by the others too)
	@if [ -z "$(PYTHON)" ]; then \
		echo "setup: no Python 3.11 or newer was found." >&2; \
		echo "  Debian, Ubuntu:  apt-get install python3 python3-venv" >&2; \
		echo "  elsewhere:       make setup PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi
	@$(PYTHON) scripts/setup.py

demo: setup ## run the demo: Kafka, PostgreSQL, a city night; prints one address, Ctrl-C ends it
	@exec $(BIN)/yiwang demo $(ARGS)

test: setup ## all tests, three files at a time (browser tests are skipped where there is no Chromium)
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: setup ## the tests that need no service and no browser
	@$(BIN)/pytest -m "$(NO_SERVICES)" $(ARGS)

e2e: setup ## the end-to-end tests in a browser
	@$(BIN)/pytest tests/e2e $(ARGS)

test-faults: setup ## twenty rounds of every fault on the real services under load; 40 minutes (ARGS="-k kill_ingest" for one kind)
	@YIWANG_TEST_FAULTS=20 YIWANG_TEST_KILLS=20 $(BIN)/pytest -s --durations=0 tests/faults tests/streams/test_district_worker.py tests/streams/test_persist_kafka.py $(ARGS)

score: setup ## the scenario library held against its truth and the recorded floors
	@$(BIN)/yiwang score --all --floor scenarios/floors.json $(ARGS)

bench: setup ## a measurement: make bench ARGS="detectors --quick"; without ARGS, which there are
	@$(BIN)/python -m bench $(ARGS)

style: setup ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## mypy, strict; TypeScript over the pages where Node is there
	@$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH"; \
	if command -v node >/dev/null; then node_modules/.bin/tsc -p web; \
	else echo "types: the pages were not checked, since there is no Node here"; fi

wheel: setup ## build the wheel into dist/
	@rm -rf dist
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist . >/dev/null
	@ls dist/*.whl

clean: ## remove what set-up, tests and builds made (not the data in .yiwang)
	rm -rf .venv node_modules web/vendor dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
