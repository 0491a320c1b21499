# Every target builds what it needs; a second run of any re-installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# The machine's certificates, as pip: a company's proxy may have its own.
export UV_SYSTEM_CERTS := true
# Compiled once here: an installer that does not compile doubles every later import of Prefect.
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --compile-bytecode
# The lock files name everything: whoever asks a resolver again gets the conflict that overrides.txt settles.
INSTALL_LOCKED := $(INSTALL) --no-deps
COMPILE := $(UV) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url --universal --python-version 3.11 --override overrides.txt

.PHONY: help demo test lint bench chaos setup lock clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: setup ## render examples/lotus.txt to out/lotus.mp4
	$(BIN)/bhiv render examples/lotus.txt -o out/lotus.mp4

# Three at a time even on two cores, file by file: the long ones wait for servers. The first files are the longest.
test: lint ## lint, types and all tests
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev ## measure the figures that the README quotes
	$(BIN)/python -m benchmarks

chaos: $(VENV)/.dev ## kill processes of a running system 200 times and count what is lost
	$(BIN)/python -m benchmarks.chaos $(ARGS)

setup: $(VENV)/.run ## build .venv from requirements.lock

lock: | $(UV) ## choose new pins within pyproject.toml's ranges
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove what rendering left: home, bucket, videos
	rm -rf .bhiv data out

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13'

$(VENV)/.run: requirements.lock pyproject.toml | $(UV)
	$(INSTALL_LOCKED) -r requirements.lock
	$(INSTALL) --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(INSTALL_LOCKED) -r requirements-dev.lock
	@touch $@
