# Two commands: `make demo` shows mien at work on a photo, `make test` runs every check.
# Each sets up what it needs in .venv; nothing else has to be installed but Python and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test format clean

demo: $(VENV)/.demo
	$(BIN)/python examples/save_astronaut.py demo/astronaut.png
	$(BIN)/mien recognize demo/astronaut.png --out demo/astronaut_annotated.png
	@echo "annotated picture: demo/astronaut_annotated.png"

test: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

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
