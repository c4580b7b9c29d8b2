# Two commands are all a newcomer needs: `make demo` and `make test`. Both make their own environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
AUDIT := .local/audit
LINTED := .local/openapi-linted

.PHONY: demo test unit chaos simulate search soak backlog image audit sbom bench instructions record-instructions bench-http check constraints schemas clean

demo: $(READY)
	@$(BIN)/invoicing demo

test: check
	$(BIN)/pytest -m "not soak" --numprocesses 2 --dist loadscope

unit: $(READY)
	$(BIN)/pytest tests/unit tests/property

# Every kind of fault at random for so many minutes and until so many SIGKILLs, then each kind alone.
# The verdict and a table of the faults are printed, and kept as JSON in .local/chaos.
MINUTES ?= 5
KILLS ?= 0
chaos: $(READY)
	CHAOS_SECONDS=$$(( $(MINUTES) * 60 )) CHAOS_KILLS=$(KILLS) $(BIN)/pytest tests/chaos --show-capture=no

# That many commands through the real lanes in a simulated world; the seed of a failure is printed.
COMMANDS ?= 1000000
simulate: $(READY)
	SIMULATION_COMMANDS=$(COMMANDS) $(BIN)/pytest tests/simulation -k nothing_is_found --timeout 86400

# All sequences of up to so many commands about an invoice's money; the counts are printed.
DEPTH ?= 6
search: $(READY)
	SEARCH_DEPTH=$(DEPTH) $(BIN)/pytest tests/property/test_search.py --timeout 86400

# Workers replaced again and again under load, in containers.
soak: $(READY)
	SOAK_SECONDS=$$(( $(MINUTES) * 60 )) $(BIN)/pytest tests/deploy/test_rolling.py

# A worker's memory, while it works a backlog of so many commands off.
backlog: $(READY)
	BACKLOG_COMMANDS=$(COMMANDS) $(BIN)/pytest tests/acceptance/test_backpressure.py -k however_long

# BENCH='--quick --only full-loop' for less; see `invoicing bench --help`.
bench: $(READY)
	$(BIN)/python -m tests.bench --output .local/bench $(BENCH)

# A command's instructions, counted by Valgrind, beside the recorded ones.
instructions: $(READY)
	$(BIN)/python -m tests.bench.instructions

# Record them: no command may take a tenth more in the suite.
record-instructions: $(READY)
	$(BIN)/python -m tests.bench.instructions record

# GETs and lists at a million invoices, beside pgbench.
bench-http: $(READY)
	$(BIN)/python -m tests.bench.http

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m invoicing.tools.schemas check
	@$(MAKE) --no-print-directory $(LINTED)

# Spectral and Redocly, again only when the document or their rules have changed.
$(LINTED): schemas/openapi.yaml $(wildcard tests/node/*)
	@NODE_MODULES=$(CURDIR)/.local/node tests/node/lint $@

# What the models say, for producers and consumers in any language; `check` fails where it is old.
schemas: $(READY)
	$(BIN)/python -m invoicing.tools.schemas write

$(READY): constraints/development.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; this is " + sys.version.split()[0] + ". Say which to use: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement constraints/development.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

# The pins, with the hash of every file that may be installed, for every Python and platform we support.
constraints: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" --output-file constraints/runtime.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" --output-file constraints/build.txt --group build
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" --extra embedded --extra bench --group development --output-file constraints/development.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" --output-file constraints/client-generator.txt --group client-generator
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" --output-file constraints/model-generator.txt --group model-generator
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" --output-file constraints/audit.txt --group audit

image:
	docker build --file deploy/Dockerfile --tag invoicing \
	    --build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
	    --build-arg REVISION=$$(git rev-parse HEAD) .

# Weaknesses of how the code is written, and those that are known of what it runs on. Strict: without
# PyPI's advisories nothing is known, and that must not look like nothing to report.
audit: $(AUDIT)/ready
	$(AUDIT)/bin/bandit --quiet --recursive --configfile pyproject.toml services
	@echo "bandit: nothing found in services"
	@$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --requirement constraints/runtime.txt || { \
	    echo "audit: not passed. A package with an advisory: raise it in pyproject.toml, then make constraints." \
	        "A package 'not found on PyPI', or no connection: its advisories could not be read from here;" \
	        "run this again where PyPI can be reached." >&2; exit 1; }

# The packages in the image, as CycloneDX.
sbom: $(AUDIT)/ready
	$(AUDIT)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	    --output-file .local/sbom.json constraints/runtime.txt

$(AUDIT)/ready: constraints/audit.txt
	$(PYTHON) -m venv --clear $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --require-hashes --requirement constraints/audit.txt
	@touch $@

clean:
	rm -rf $(VENV) .local .mypy_cache .pytest_cache .ruff_cache .hypothesis
