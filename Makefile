# One virtual environment, one lock file. `make` without a target lists the commands.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable
# The tests of a module share a worker. ARGS="-n 0" runs without workers, for a debugger.
WORKERS := -n auto --dist loadscope --no-loadscope-reorder
GROUND := pyproject.toml requirements.lock

.PHONY: help docs run test coverage lint bench lock supply clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/quiz  ## start the quiz with a demonstration study (ARGS="--port 8080" for options)
	$(BIN)/python run.py $(ARGS)

test: .venv/all  ## run every test, on every core (ARGS="-k order" for options)
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

coverage: .venv/all  ## run every test and print the branch coverage of each wing; fails below 90 %
	$(BIN)/python -m pytest $(WORKERS) --cov --cov-report= $(ARGS)
	$(BIN)/python -m tests.covered

lint: .venv/all  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/all  ## run every benchmark; each prints its results
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: .venv/all  ## build the documentation into site/; a broken link is an error
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

lock: .venv/all  ## refresh requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --all-extras --upgrade --no-annotate --no-header --quiet pyproject.toml --output-file requirements.lock

supply: .venv/all  ## write a bill of materials (SBOM) and the licences into dist/, and check for known vulnerabilities
	$(PYTHON) -m venv .venv/supply
	.venv/supply/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom pip-audit pip-licenses
	mkdir -p dist
	.venv/supply/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml -o dist/sbom.json
	.venv/supply/bin/pip-licenses --python $(BIN)/python --format=csv --order=license > dist/licences.csv
	.venv/supply/bin/pip-audit --requirement requirements.lock --no-deps --disable-pip

clean:  ## remove the virtual environment and caches, but not the data in instance/
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/quiz: $(GROUND)
	$(PYTHON) -m venv .venv
	$(INSTALL) .
	@touch $@

.venv/all: $(GROUND)
	$(PYTHON) -m venv .venv
	$(INSTALL) ".[everything]"
	@touch $@ .venv/quiz
