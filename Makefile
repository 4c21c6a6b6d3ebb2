# Two commands do everything: `make serve` and `make test`.
PORT ?= 8080
SECONDS ?= 60
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
STAMP := $(VENV)/.installed
# Python keeps what it compiled, whatever the shell says: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: serve test quick programs format lint types layers bench sdks clients wild stateful hardening soak fuzz audit docs container-check clean

serve: $(RUNTIME)
	@exec $(BIN)/mockserver serve --port $(PORT)

test: programs format lint types layers
	$(BIN)/python -m pytest -n auto --dist loadfile -rs

# In under a minute: what needs no server, no browser, no Redis and no other process.
quick: format lint types layers
	$(BIN)/python -m pytest -n auto --dist loadfile --no-servers

# What tests need from the system: installed where no password is asked for, else named.
programs: $(STAMP)
	@$(BIN)/python -m tests.programs

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/pip install --quiet --group bench
	$(BIN)/python -m benchmarks

# Let the tests that published SDKs bring ask ours and Steady: SDKS=finch-api to choose.
sdks: $(STAMP)
	$(BIN)/python -m benchmarks.sdks $(SDKS)

# Let clients that others have published make a round trip on stateful data: CLIENTS=twilio to choose.
clients: $(STAMP)
	$(BIN)/python -m benchmarks.clients $(CLIENTS)

# Serve the documents that providers publish, and judge answers of a sample: WILD="--seed 1" for another one.
wild: $(STAMP)
	$(BIN)/python -m benchmarks.wild $(WILD)

# Make a round trip of each inferred resource of documents: DOCUMENTS="a.yaml b.json". OPTIONS="--bodies
# schemathesis" sends bodies that Schemathesis makes, "--store redis://…" sends to two workers on Redis.
stateful: $(STAMP)
	$(BIN)/python -m benchmarks.stateful $(OPTIONS) $(DOCUMENTS)

# Measure what the server is held to under load, faults and hostile input: FIGURES=name to choose.
hardening: $(STAMP)
	@$(BIN)/python -m tests.programs redis-server
	$(BIN)/python -m tests.hardening $(FIGURES)

# A million polls while Redis is restarted and workers are killed; SOAK="--polls 10000" for less.
soak: $(STAMP)
	@$(BIN)/python -m tests.programs redis-server
	$(BIN)/python -m tests.soak $(SOAK)

# SECONDS for each target; TARGETS=name to choose. Findings are kept under .fuzz/.
fuzz: $(STAMP)
	@$(BIN)/python -m pip install --quiet --group fuzz || echo "atheris does not install here; Hypothesis does its work"
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

# Asks a vulnerability service about the runtime dependencies, so it needs the network.
audit: $(STAMP)
	$(BIN)/python -m pip install --quiet --group audit
	$(BIN)/python scripts/audit.py

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# Takes root, buildah and debootstrap; see the script for what it shows.
container-check:
	scripts/container-check

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache

# The server and what it runs with.
$(RUNTIME): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# What all else needs as well. Groups need pip 25.1; both are resolved together, so that they fit each other.
$(STAMP): $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@
