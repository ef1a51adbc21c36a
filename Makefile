# The commands of Millrace; `make` alone lists them. Everything they need is installed on first use.
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
STACK := $(PYTHON) -m deploy.local
READY := $(VENV)/.installed
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins

.DEFAULT_GOAL := help
.PHONY: help up down status logs restart doctor demo test test-faults soak bench lint format install

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1mmake %-11s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: install ## Install and start everything, wait until it answers, say where to look
	@$(STACK) up

down: install ## Drain the streams and stop everything; the data stays
	@$(STACK) down

status: install ## Show each part, and whether it answers
	@$(STACK) status

logs: install ## Show logs: all, or PART=kafka, or PART=stream
	@$(STACK) logs $(PART) $(if $(FOLLOW),--follow)

restart: install ## Restart one part: PART=kafka
	@$(STACK) restart $(PART)

doctor: install ## Follow an event from Kafka to gold, and say which hop fails and why
	@$(STACK) doctor

demo: install ## Send more events for a minute and watch the numbers grow
	@$(STACK) demo

test: install ## Run all tests; those that need services start a stack of their own
ifdef ARGS
	@$(PYTHON) -m pytest $(ARGS)
else # apart, because an in-process Spark and another Airflow's settings would get in the way of the stack's clients
	@$(PYTHON) -m pytest tests/unit tests/compose tests/dags tests/spark
	@$(PYTHON) -m pytest tests/services tests/browser
	@$(PYTHON) -m pytest tests/faults -m core
endif

test-faults: install ## Kill, cut off and fill every part under load, and count what arrived
	@$(PYTHON) -m pytest tests/faults $(ARGS)

soak: install ## Random faults for HOURS=1, from SEED=1; reports how long each recovery took
	@$(PYTHON) -m pytest -s tests/faults/soak.py --hours=$(or $(HOURS),1) --seed=$(or $(SEED),1)

bench: install ## Measure every figure beside its rival; ONLY=landing,live for some, QUICK=1 for ten minutes
	@$(PYTHON) -m bench all $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

lint: install ## Check format, style, types, layering, YAML, contracts and generated docs
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(PYTHON) .ci/sizes.py
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/yamllint --strict .
	@$(VENV)/bin/millrace check
	@$(VENV)/bin/millrace docs --check

format: install ## Format the code
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix --quiet .

install: $(READY)

$(READY): requirements.txt pyproject.toml
	@deploy/local/install.sh $(VENV)
