# `make demo` shows mien at work on a photo, `make test` runs the checks, `make test-all` the slow
# ones too. Each sets up what it needs in .venv; nothing else has to be installed but Python and
# make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Each process of the tests takes up to 3 GB.
WORKERS ?= 4
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses $(WORKERS) --dist worksteal

.PHONY: demo test test-all lint coverage format clean

demo: $(VENV)/.demo
	$(BIN)/python examples/save_astronaut.py demo/astronaut.png
	$(BIN)/mien recognize demo/astronaut.png --out demo/astronaut_annotated.png
	@echo "annotated picture: demo/astronaut_annotated.png"

test: lint
	$(PYTEST) -m "not slow"

test-all: lint
	$(PYTEST)

# Tests take about 40 % longer so. Shown are the least covered modules, and the total.
coverage: $(VENV)/.test
	$(PYTEST) -m "not slow" --cov --cov-report=
	@$(BIN)/coverage report --sort=cover | head -22
	@echo "all: $$($(BIN)/coverage report --format=total) %"

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo

# `pip install --group` came with pip 25.1.
$(VENV)/.pip:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/.pip
	@echo "installing mien and its run-time libraries into $(VENV)"
	$(PIP) install --editable . --group demo
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/.pip
	@echo "installing mien with its training libraries into $(VENV): about 3.5 GB"
	$(PIP) install --editable '.[train,live,table,serve]' --group dev
	@touch $@
