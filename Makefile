# Everything is installed into the checkout: .venv and target.
PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: demo test matrix memory stress lint docs bench dist patched patched-suite clean help

demo:    ## Build, install into .venv, and run the examples
	@scripts/environment $(PYTHON) .venv
	@.venv/bin/python examples/demo.py
	@.venv/bin/python examples/live_server.py
	@.venv/bin/python examples/workers.py

test:    ## Build and run the tests on the default Python
	@scripts/environment $(PYTHON) .venv test
	@.venv/bin/python -X faulthandler -m pytest

matrix:  ## Run the tests on every interpreter of scripts/interpreters
	@scripts/matrix

memory:  ## The tests that write most, where misused memory is seen: PYTHONMALLOC=debug, AddressSanitizer
	@scripts/environment $(PYTHON) .venv test
	@.venv/bin/python tests/stress/memory.py --short

stress:  ## CPython's own tests under chaos (CHAOS_TESTS, CHAOS_SEED), the long model-based test (GCREMAP_STEPS), hundreds of reloads, Dask
	@scripts/environment $(PYTHON) .venv test
	@.venv/bin/python tests/stress/chaos.py
	@GCREMAP_STEPS=$${GCREMAP_STEPS:-100000} .venv/bin/python -X faulthandler -m pytest tests/test_model.py
	@.venv/bin/python -X faulthandler -m pytest tests/reload/leaks.py
	@.venv/bin/python tests/stress/identity.py
	@.venv/bin/python tests/stress/edits.py
	@.venv/bin/python tests/stress/memory.py
	@scripts/environment $(PYTHON) .venv test,ipython,packages
	@.venv/bin/python tests/stress/stdlib_reload.py --seconds 600
	@.venv/bin/python tests/stress/third_parties.py
	@.venv/bin/python tests/stress/third_party_tests.py
	@.venv/bin/python tests/stress/upgrades.py
	@.venv/bin/python tests/stress/servers.py
	@scripts/environment $(PYTHON) .venv test,dask
	@.venv/bin/python -X faulthandler -m pytest tests/reach/dask_cluster.py

lint:    ## Check form, types, bindings and the rules of CONTRIBUTING.md
	@scripts/environment $(PYTHON) .venv test,lint,watch,ipython,docs
	@scripts/lint

docs:    ## Build the pages of docs/ into target/docs
	@scripts/environment $(PYTHON) .venv docs
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet
	@echo target/docs/index.html

bench:   ## Measure what the README claims
	@scripts/environment $(PYTHON) .venv test
	@for bench in benches/*.py; do .venv/bin/python "$$bench" || exit; done

dist:    ## Make the sdist, and a wheel from it, offline; try it in a clean environment
	@scripts/dist $(PYTHON)

patched: ## Build the CPython of patches/ and gcremap for it (OPTIONS: see scripts/patched)
	@scripts/patched $(OPTIONS)

patched-suite: ## Run CPython's own tests on it and on a stock one, built the same way, and compare (OPTIONS: see scripts/patched-suite)
	@scripts/patched-suite $(OPTIONS)

clean:   ## Remove .venv, target and dist
	@rm -rf .venv target dist

help:    ## Show this help
	@sed -n 's/^\([a-z-]*\): *## \(.*\)/\1\t\2/p' Makefile | expand -t 15
