# What a newcomer types. Needs python3 (3.11 or newer) with its venv module, and make; everything else goes into .venv.
#
#   make demo     words from a spoken sample: from the file, then from a live stream
#   make test     the test suite
#   make interop  the vendors' own SDKs against our servers, each in an environment of its own
#   make lint     ruff, pyright, import-linter
#   make docs     the tables of docs/options.md and README.md, from what the providers register
#   make bench    ours, the bare loops and the installed peers side by side, into benchmarks/results.md: about a
#                 quarter of an hour; BENCH=full for all sizes, most of an afternoon; make bench-peers installs the peers
#   make bench-engine   word error rate and event-loop lag of the embedded engine; SPEECH=folder for your recordings
#
# Another interpreter: make PYTHON=python3.13 test. Another folder for the environment: make VENV=/tmp/venv test.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CONSTRAINTS = constraints.txt
BENCH = quick
SPEECH = tests/data/speech
SAMPLE = tests/data/speech/weather.wav
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-lowest interop lint docs bench
.DELETE_ON_ERROR:

demo: $(VENV)/.stamp-demo
	@echo "The file $(SAMPLE), with the embedded engine:"
	@$(BIN)/stt transcribe $(SAMPLE)
	@echo "The same as a live stream, at the pace of speech:"
	@$(BIN)/stt stream $(SAMPLE)

test: $(VENV)/.stamp-test
	$(BIN)/python -m pytest

interop: $(VENV)/.stamp-test
	STT_INTEROP=1 $(BIN)/python -m pytest tests/interop

lint: $(VENV)/.stamp-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(VENV)/.stamp-demo
	$(BIN)/python docs/generate.py

bench: $(VENV)/.stamp-test
	$(BIN)/python benchmarks/bench.py --mode $(BENCH)
	$(BIN)/python docs/generate.py

bench-peers: $(VENV)/.stamp-test
	$(BIN)/python benchmarks/bench.py --install-peers

bench-engine: $(VENV)/.stamp-demo
	$(BIN)/python benchmarks/wer.py $(SPEECH)
	$(BIN)/python benchmarks/loop_lag.py $(SAMPLE)

# The oldest versions that pyproject.toml allows, in an environment of their own.
test-lowest:
	@$(MAKE) --no-print-directory test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

# A stamp is older than what it was made from when something has to be installed again.
$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "stt-core needs Python 3.11 or newer; $(PYTHON) is older or missing. Name one: make PYTHON=python3.11 $(MAKECMDGOALS)"; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --constraint $(CONSTRAINTS) --upgrade pip
	@touch $@

$(VENV)/.stamp-demo: $(VENV)/.stamp-venv pyproject.toml $(CONSTRAINTS)
	$(INSTALL) --constraint $(CONSTRAINTS) --editable ".[local,cli]"
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-venv pyproject.toml $(CONSTRAINTS)
	$(INSTALL) --constraint $(CONSTRAINTS) --editable ".[all]" --group test
	@touch $@

$(VENV)/.stamp-lint: $(VENV)/.stamp-test
	$(INSTALL) --constraint $(CONSTRAINTS) --group lint
	@touch $@
