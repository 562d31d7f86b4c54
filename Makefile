# Everything a person does with this repository. `make help` shows it.
#
#   make tests T=tests/unit        a part of the tests
#   make logs S=builder            the log of one part
#   make up CLINAI_EDGE_PORT=8080  a setting of docs/operations.md, from here or from the environment

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

T ?=
S ?=
A ?= --help
NAME ?=
# test processes at once, each with platforms of its own; auto: one more than there are cores, 0: one after the other
WORKERS ?= auto

PY := .venv/bin/python
DEPLOY := $(PY) -m deploy
# the page and a browser are there when tests of them are asked for: all tests, all of e2e, or theirs
WEB_TESTS := $(if $(T),$(filter tests tests/ tests/e2e tests/e2e/ tests/e2e/test_web.py%,$(T)),all)
TESTS := $(or $(T),$(wildcard $(addprefix tests/,unit integration hostile e2e chaos)))
WEB_SOURCES := $(shell find web/src web/public web/index.html web/vite.config.ts web/tsconfig.json example-model -type f 2>/dev/null)

##@ A platform to use

.PHONY: demo
demo: .venv/.runtime web-if-possible ## set everything up, start it, and take the example model from ZIP to result
	@$(DEPLOY) demo

.PHONY: up
up: .venv/.runtime web-if-possible ## start every part, wait until all are ready
	@$(DEPLOY) up

.PHONY: down
down: ## stop every part
	@if [ -x $(PY) ]; then $(DEPLOY) down; else echo "nothing is set up here"; fi

.PHONY: status
status: .venv/.runtime ## show every part: state, memory, restarts
	@$(DEPLOY) status

.PHONY: logs
logs: .venv/.runtime ## follow the logs; S=builder for one part
	@$(DEPLOY) logs $(S)

.PHONY: admin
admin: .venv/.runtime ## inspect and maintain: make admin A="users" (A=--help shows the commands)
	@$(PY) -m services.api.admin $(A)

.PHONY: reset
reset: .venv/.runtime ## stop, and remove all data (asks first)
	@$(DEPLOY) reset

##@ Set-up

.PHONY: setup
setup: .venv/.runtime ## Python packages into .venv, from nothing but Python 3.11 or newer

.PHONY: web
web: web/dist/index.html ## build the web page

.PHONY: web-if-possible
web-if-possible: # a platform without its page still serves the API and says so
	@if ! $(MAKE) -s web/dist/index.html; then \
	  if [ -f web/dist/index.html ]; then echo "» the web page could not be built anew; the page of an earlier build is served"; \
	  else echo "» no web page (see above): a page that points to the API is served instead"; fi; fi

.PHONY: system-packages
system-packages: ## a Chromium for the browser tests, where CHROMIUM names none and PATH has none (Debian, Ubuntu)
	@deploy/chromium.sh install >/dev/null

.PHONY: browser-if-possible
browser-if-possible: # a machine without a browser still runs all other tests; those that need one fail and say so
	@$(MAKE) -s system-packages || echo "» no browser (see above): what drives the web page is going to fail"

##@ Working on it

.PHONY: test tests
test tests: .venv/.dev engine $(if $(T),,web-test) $(if $(WEB_TESTS),web/dist/index.html browser-if-possible) ## run all tests, those of the web page included (T=path for a part)
	@$(PY) -m pytest $(if $(T),,-n $(WORKERS) --dist loadfile --no-loadscope-reorder --reruns 1) $(TESTS)

.PHONY: lint
lint: .venv/.dev web/node_modules/.stamp ## ruff, mypy, import directions, schema.sql, eslint, TypeScript
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(DEPLOY) schema-check
	@deploy/web.sh lint
	@deploy/web.sh typecheck

.PHONY: fmt
fmt: .venv/.dev ## let ruff set the form
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

.PHONY: bench
bench: .venv/.dev engine web-if-possible browser-if-possible ## measure the numbers of docs/performance.md, as ratios within one run
	@$(PY) -m tests.bench $(filter-out --help,$(A))

.PHONY: web-dev
web-dev: web/node_modules/.stamp ## the web page with hot reload, against the running platform
	@deploy/web.sh dev

.PHONY: web-test
web-test: web/node_modules/.stamp ## unit tests of the web page
	@deploy/web.sh test

.PHONY: web-e2e
web-e2e: web/node_modules/.stamp system-packages ## browser tests against the running platform
	@deploy/web.sh e2e

.PHONY: screenshots
screenshots: web/dist/index.html system-packages ## pictures of every page, light and dark, wide and narrow
	@deploy/web.sh screenshots

##@ Database

.PHONY: migrate
migrate: .venv/.runtime ## apply migrations to the running platform, write shared/db/schema.sql
	@$(DEPLOY) migrate

.PHONY: rollback
rollback: .venv/.runtime ## undo the last migration, write shared/db/schema.sql
	@$(DEPLOY) rollback

.PHONY: migration
migration: .venv/.runtime ## make a new migration: make migration NAME=add_something
	@$(if $(NAME),$(DEPLOY) migration $(NAME),echo "error: say what it does: make migration NAME=add_something" >&2; exit 1)

.PHONY: schema-check
schema-check: .venv/.runtime ## compare shared/db/schema.sql with the migrations, there and back
	@$(DEPLOY) schema-check

##@ Help

.PHONY: help
help: ## show this
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z0-9 -]*:.*## / { split($$1, names, " "); printf "  %-16s %s\n", names[1], $$2 }' $(MAKEFILE_LIST)

.PHONY: engine
engine: .venv/.runtime # a container engine with the base image; the engine's part of `up`
	@$(DEPLOY) engine ensure
	@CLINAI_DATA="$${CLINAI_DATA:-.clinai}" $(PY) -m services.builder.base_image >/dev/null

# Stamps: what is as locked is not looked at again.

.venv/.runtime: pyproject.toml uv.lock
	@deploy/setup.sh runtime
	@touch $@

.venv/.dev: pyproject.toml uv.lock
	@deploy/setup.sh dev
	@touch .venv/.runtime $@

web/node_modules/.stamp: web/package-lock.json
	@deploy/web.sh install
	@touch $@

web/dist/index.html: web/node_modules/.stamp $(WEB_SOURCES)
	@deploy/web.sh build
	@touch $@
