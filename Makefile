# `make run` trains the default recipe and ends with pictures; `make test` is what CI runs.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: run test soak lint types rooms docs bench clean

run: $(STAMP)
	$(BIN)/purrtrait prepare kittens --size 32
	run=$$(ls -d runs/kittens-*/run.json 2>/dev/null | tail -n 1); \
	if [ -n "$$run" ]; then $(BIN)/purrtrait resume "$$(dirname "$$run")"; \
	else $(BIN)/purrtrait train portrait --data packs/kittens-32 --seed 1 --name kittens; fi

test: lint types rooms
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST)

soak: $(DEV_STAMP)
	$(BIN)/python -m pytest -m soak $(PYTEST)

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_STAMP)
	$(BIN)/mypy

rooms: $(DEV_STAMP)
	$(BIN)/lint-imports

docs: $(DEV_STAMP)
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(DEV_STAMP)
	$(BIN)/python benchmarks/step.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP) $@

clean:
	rm -rf $(VENV) build site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
