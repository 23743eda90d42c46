# Two commands do everything on a machine with python3, its venv module and make:
# `make demo` and `make test`. The others are for work on the project.

SHELL := /bin/sh
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Tools that only read the code must not start services: they get settings that name none.
OFFLINE := APP_MODE=test DATA_DIR=.data/check DATABASE_URL=postgresql:///none REDIS_URL=redis://none CACHE_URL=redis://none/1
TEST_FLAGS ?=

# Tests start many processes: compiled once, their modules are read.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo run worker sweep test prove seeded-bugs check smoke bench bench-large screenshots openapi lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## Make the virtual environment with the locked dependencies

$(READY): requirements.lock
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PYTHON) -m venv "$(VENV)"
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch "$(READY)"

demo: $(READY) ## Start the whole system with a real catalog, and walk one viewer through it
	@APP_MODE=demo exec "$(BIN)/python" manage.py demo

run: $(READY) ## Start web, worker and sweeper on the data of the demo
	@APP_MODE=demo exec "$(BIN)/python" manage.py demo --no-journey

worker: $(READY) ## Start a task worker alone
	@APP_MODE=$${APP_MODE:-demo} exec "$(BIN)/celery" -A config worker --loglevel INFO --concurrency 2

test: $(READY) ## Run the test suite on private services
	@"$(BIN)/pytest" -n 2 --sampled $(TEST_FLAGS)

prove: $(READY) ## Run the proofs at full count and write docs/evidence.json
	@"$(BIN)/pytest" -n 2 --dist worksteal -m "prove and not alone" --prove --evidence new $(TEST_FLAGS)
	@"$(BIN)/pytest" -n 0 -m "prove and alone" --prove --evidence more $(TEST_FLAGS)

seeded-bugs: $(READY) ## Sow bugs into a copy of the money code, one at a time; the tests have to see each
	@"$(BIN)/python" -m tests.seeded_bugs

check: $(READY) ## Lint, format, types, import contracts, migrations, OpenAPI, settings page, spelling
	@"$(BIN)/ruff" check .
	@"$(BIN)/ruff" format --check .
	@$(OFFLINE) "$(BIN)/mypy" .
	@"$(BIN)/lint-imports" --no-cache
	@$(OFFLINE) LOG_LEVEL=ERROR PYTHONWARNINGS=ignore::RuntimeWarning \
		"$(BIN)/python" manage.py makemigrations --check --dry-run
	@$(OFFLINE) "$(BIN)/python" manage.py write_openapi --check
	@$(OFFLINE) "$(BIN)/python" manage.py describe_settings --check
	@$(OFFLINE) "$(BIN)/python" manage.py describe_events --check
	@$(OFFLINE) "$(BIN)/python" manage.py describe_metrics --check
	@"$(BIN)/codespell"

smoke: $(READY) ## Walk the whole journey over HTTP on a private instance
	@APP_MODE=demo exec "$(BIN)/python" -m demo.smoke

bench: $(READY) ## Measure; one `name value unit` line each
	@"$(BIN)/python" -m tests.benchmarks

bench-large: $(READY) ## The same, with reports over a hundred million events
	@"$(BIN)/python" -m tests.benchmarks --large

screenshots: $(READY) ## Take the pictures under docs/screenshots, of a demo that runs
	@APP_MODE=demo "$(BIN)/python" -m tests.browser.screenshots

openapi: $(READY) ## Write docs/openapi.yaml
	@$(OFFLINE) "$(BIN)/python" manage.py write_openapi
	@$(OFFLINE) "$(BIN)/python" manage.py describe_settings
	@$(OFFLINE) "$(BIN)/python" manage.py describe_events
	@$(OFFLINE) "$(BIN)/python" manage.py describe_metrics

lock: $(READY) ## Resolve requirements.lock anew from pyproject.toml
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check uv
	@"$(BIN)/uv" pip compile --quiet pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock

clean: ## Stop the embedded services and delete data, caches and the virtual environment
	@if [ -x "$(BIN)/python" ] && [ -d .data ]; then "$(BIN)/python" -m config.embedded stop --force || true; fi
	@rm -rf .data .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov "$(VENV)"
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
