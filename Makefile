# locum: every command that a developer or an operator types.
#
#   make serve [ARGS="--port 9000"]   the server, in an environment made from the hash-locked requirements
#   make install                      that environment alone: afterwards .venv/bin/locum exists
#   make test [ARGS="-k trust"]       the tests
#   make check                        the gate: format, lint, types, tests (layers, locks and docs are tests)
#   make format | lint | long | test-newer | ansible | fuzz | bench [ONLY=name] | pages | lock [UPGRADE=1] | clean

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
ONLY ?=
UPGRADE ?=

BIN := $(VENV)/bin
SOURCES := src tests $(wildcard benchmarks examples fuzz tools)
UV := $(BIN)/uv
UV_INSTALL := $(UV) pip install --quiet --python $(BIN)/python
UV_COMPILE := $(UV) pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header \
	--no-emit-index-url $(if $(UPGRADE),--upgrade)
# The test run uses every core; tests that share a server say so with @pytest.mark.xdist_group.
PYTEST := $(BIN)/pytest -q --numprocesses auto --dist loadgroup

# uv trusts its own list of authorities unless told to use the machine's, as pip and git do.
export UV_SYSTEM_CERTS ?= 1
# Hundreds of tests start a program: none of them compiles its modules again.
export UV_COMPILE_BYTECODE ?= 1
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help serve install dev ansible test check lint format long test-newer bench fuzz pages lock clean

help:
	@sed -n 's/^#  *make /make /p' Makefile

# --- environments: a stamp is younger than its lock, so a changed lock installs again; nothing is ever uninstalled

$(VENV)/.stamp-setup: requirements/setup.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "locum: needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1)" >&2; \
		echo "hint: name another one, as in: make install PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "locum: $(PYTHON) cannot make a virtual environment" >&2; \
		echo "hint: on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r $<
	@touch $@

$(VENV)/.stamp-serve: requirements/serve.lock pyproject.toml $(VENV)/.stamp-setup
	@$(UV_INSTALL) --require-hashes -r $<
	@$(UV_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.stamp-%: requirements/%.lock $(VENV)/.stamp-serve
	@$(UV_INSTALL) --require-hashes -r $<
	@touch $@

# Ansible's collections are many times as large as everything else, and the server is no part of that environment.
$(VENV)/.stamp-ansible: requirements/ansible.lock $(VENV)/.stamp-setup
	@$(UV_INSTALL) --require-hashes -r $<
	@touch $@

install: $(VENV)/.stamp-serve

dev: $(VENV)/.stamp-dev

# What tests/interop/test_ansible.py runs.
ansible: VENV := build/venv-ansible
ansible:
	@$(MAKE) --no-print-directory VENV=$(VENV) $(VENV)/.stamp-ansible

# --- running

serve: install
	@exec $(BIN)/locum serve $(ARGS)

# Peers and all that they bring stay out of the environment that the tests run in; moto alone, with little, is in both.
bench: VENV := build/venv-bench
bench:
	@$(MAKE) --no-print-directory VENV=$(VENV) $(VENV)/.stamp-bench
	@exec $(VENV)/bin/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(ARGS)

# Coverage-guided fuzzing of every decoder; atheris has wheels for Python 3.12 and newer:
# make fuzz PYTHON=python3.12 ARGS=-max_total_time=600
fuzz: VENV := build/venv-fuzz
fuzz:
	@$(MAKE) --no-print-directory VENV=$(VENV) $(VENV)/.stamp-fuzz
	@for target in query_string signature_header policy_document session_token json_web_token saml_response saml_metadata; do \
		$(VENV)/bin/python -m fuzz $$target $(ARGS) || exit 1; \
	done

# --- the gate

check: lint test

lint: dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy $(SOURCES)

test: dev
	$(PYTEST) $(ARGS)

long: dev
	HYPOTHESIS_PROFILE=long $(PYTEST) -m hypothesis $(ARGS)

format: dev
	$(BIN)/ruff check --fix --quiet $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# The unit tests on the newer interpreters of this machine (those behind pyenv's shims included), the newest first:
# make test-newer MOST=1 for that one alone.
MOST ?= 3
test-newer:
	@tested=0; for version in 3.14 3.13 3.12; do \
		[ $$tested -lt $(MOST) ] || break; \
		export PYENV_VERSION="$$(pyenv whence python$$version 2>/dev/null | tail -n 1)"; \
		if python$$version -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "Python $$version"; \
			$(MAKE) --no-print-directory test PYTHON=python$$version VENV=build/venv-$$version \
				ARGS='--ignore=tests/interop --ignore=tests/gate $(ARGS)' || exit 1; \
			tested=$$((tested + 1)); \
		else \
			echo "Python $$version is not on this machine: not tested"; \
		fi; \
	done

# --- upkeep

# The pages of the operations, from the contract and tools/operations/; a test compares.
pages: install
	$(BIN)/python -m tools.pages

# Each lock is made under the one before, so that environments agree on every version that they share.
lock: $(VENV)/.stamp-setup
	$(UV_COMPILE) --group setup --output-file requirements/setup.lock
	$(UV_COMPILE) --constraints requirements/setup.lock --group dev pyproject.toml \
		--output-file requirements/dev.lock
	$(UV_COMPILE) --constraints requirements/dev.lock --extra standard pyproject.toml \
		--output-file requirements/serve.lock
	$(UV_COMPILE) --constraints requirements/dev.lock --group bench pyproject.toml \
		--output-file requirements/bench.lock
	$(UV_COMPILE) --constraints requirements/dev.lock --group fuzz pyproject.toml \
		--output-file requirements/fuzz.lock
	$(UV_COMPILE) --constraints requirements/dev.lock --group ansible --output-file requirements/ansible.lock
	cd tests/interop && npm install --package-lock-only $(if $(UPGRADE),&& npm update --package-lock-only)
	cd benchmarks/node && npm install --package-lock-only $(if $(UPGRADE),&& npm update --package-lock-only)

clean:
	rm -rf $(VENV) build dist tests/interop/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
