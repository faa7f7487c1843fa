# AI-Ops: `make help` lists what can be done here.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test lint unit bench lock docs clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

setup: $(READY) ## make .venv with everything the other targets need

$(READY): requirements.lock pyproject.toml scripts/setup.sh
	@bash scripts/setup.sh $(VENV)
	@touch $(READY)

demo: setup ## run the main job once, from a log line to a proved pull request
	@$(BIN)/ai-ops demo

lint: setup ## ruff, mypy, import contracts, dependency and security checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry . --no-ansi

test: lint ## every check: lint, then unit, contract, integration, scenario and browser tests
	$(BIN)/pytest -n 4 --dist worksteal

unit: setup ## the fast tests only
	$(BIN)/pytest tests/unit

bench: setup ## the benchmark suite; prints ratios measured side by side
	$(BIN)/python -m tests.bench

docs: setup ## write the parts of doc/ that are made from the code
	@$(BIN)/python -m scripts.docs

lock: setup ## compile requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate -o requirements.lock

clean: ## remove what the targets made
	rm -rf $(VENV) data workspaces demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
