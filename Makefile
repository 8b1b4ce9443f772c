# `make run` and `make test` need Python 3 and make, nothing else.
.DEFAULT_GOAL := help
.PHONY: help setup run test coverage lint browser services schema docs clients bench peers wrk clean

UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON := .venv/bin/python
export UV_PROJECT_ENVIRONMENT := .venv

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{sub(/:.*/, "", $$1); printf "make %-9s %s\n", $$1, $$2}'

.uv/bin/uv:
	@python3 -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

setup: .venv/.installed ## Install everything from uv.lock

# Anew when what is to be installed has changed. The C parser of gunicorn comes as source: it is
# taken where there is a compiler, else gunicorn's own does. Packages that somebody has added stay.
.venv/.installed: uv.lock pyproject.toml .python-version $(filter .uv/bin/uv,$(UV))
	@$(UV) sync --quiet --frozen --inexact --group fast 2>/dev/null || $(UV) sync --quiet --frozen --inexact
	@touch $@

run: setup ## Start the service on SQLite or DATABASE_URL, with your own tasks: TASKS=../bakery
	@exec $(PYTHON) -m service run $(if $(TASKS),--tasks='$(TASKS)') $(ARGS)

# One more than there are processors, because many tests wait; each starts a service of its own, so that
# more than a few bring nothing.
PYTEST_PROCESSES = $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 3 ? n + 1 : 4)))
PYTEST = .venv/bin/pytest --numprocesses $(PYTEST_PROCESSES) --dist loadgroup

test: lint ## Lint, then test on SQLite and on PostgreSQL, one of its own without DATABASE_URL
	@$(PYTEST) --db sqlite $(ARGS)
	@$(PYTEST) --db postgres $(ARGS)

coverage: setup ## Test on both and list what is not covered, which takes twice as long
	@.venv/bin/coverage erase
	@$(PYTEST) --cov --db sqlite --cov-report= $(ARGS)
	@$(PYTEST) --cov --db postgres --cov-append --cov-report=term-missing:skip-covered $(ARGS)

lint: setup ## Check style, types, layers and the Dockerfile
	@.venv/bin/ruff check --quiet --output-format concise
	@.venv/bin/ruff format --quiet --check
	@.venv/bin/mypy --no-error-summary
	@layers=$$(.venv/bin/lint-imports) || { echo "$$layers"; exit 1; }
	@.venv/bin/hadolint Dockerfile

# Install a package of Debian's where that is possible: the program, the package, what follows without.
debian = if command -v $(1) >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -qq --no-install-recommends $(2) >/dev/null; \
	fi || echo "There is no $(1): $(3)."

browser: ## Install Debian's Chromium for the browser tests, where that is possible
	@$(call debian,chromium,chromium,the browser tests will be skipped)

services: ## Install Debian's Redis and nginx for the tests that need them, where that is possible
	@$(call debian,redis-server,redis-server,the tests that need it will be skipped)
	@$(call debian,nginx,nginx-light,the tests that need it will be skipped)

schema: setup ## Write openapi.yaml
	@SECRET_KEY=unused-for-a-document-without-secrets $(PYTHON) -m service spectacular --validate --fail-on-warn --file openapi.yaml

docs: setup ## Write docs/settings.md
	@$(PYTHON) -m service.settings_page > docs/settings.md

DOCUMENT := openapi.yaml
CLIENTS := clients
NODE_MODULES := tests/openapi/node_modules

clients: setup ## Generate clients in Python and, where there is Node, TypeScript
	@rm -rf $(CLIENTS)/python $(CLIENTS)/typescript
	@mkdir -p $(CLIENTS)
	@.venv/bin/openapi-python-client generate --path $(DOCUMENT) --output-path $(CLIENTS)/python \
		--meta uv --fail-on-warning --config tests/openapi/openapi-python-client.yaml
	@if command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory $(NODE_MODULES)/.package-lock.json && \
		$(NODE_MODULES)/.bin/openapi-typescript $(DOCUMENT) --output $(CLIENTS)/typescript/schema.d.ts; \
	else echo "There is no Node: no client in TypeScript."; fi

$(NODE_MODULES)/.package-lock.json: tests/openapi/package-lock.json
	@npm ci --prefix tests/openapi --ignore-scripts --no-audit --no-fund --loglevel error

bench: setup $(if $(filter peers%,$(ARGS)),peers) $(if $(filter growth,$(ARGS)),wrk) ## Measure the service, quickly, or what ARGS names: ARGS=--help
	@$(PYTHON) -m benchmarks $(ARGS)

# What the service is measured beside.
peers: setup wrk
	@$(UV) sync --quiet --frozen --inexact --group peers
	@$(call debian,redis-server,redis-server,there is nothing to measure beside)

wrk:
	@$(call debian,wrk,wrk,a client in Python will make the load)

clean: ## Remove what the other targets make, but no data
	@rm -rf .uv .venv .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist \
		clients $(NODE_MODULES)
