# `make demo` shows mien at work on a photo, `make test` runs the checks, `make test-all` the slow
# ones too. Each sets up what it needs in .venv; nothing else has to be installed but Python and
# make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# One more than there are processors, since tests of services and pages wait; each takes up to 3 GB.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(min((os.cpu_count() or 1) + 1, 4))")
PAGE := build/page
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: demo test test-all lint coverage format page clean

demo: $(VENV)/.demo
	$(BIN)/python examples/save_astronaut.py demo/astronaut.png
	$(BIN)/mien recognize demo/astronaut.png --out demo/astronaut_annotated.png
	@echo "annotated picture: demo/astronaut_annotated.png"

test: lint $(VENV)/.browser
	$(PYTEST) -m "not slow"

# Those that take gigabytes run one after another, beside the others.
test-all: test
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m slow

# Tests take about 40 % longer so. Shown are the least covered modules, and the total.
coverage: $(VENV)/.test
	$(PYTEST) -m "not slow" --cov --cov-report=
	@$(BIN)/coverage report --sort=cover | head -22
	@echo "all: $$($(BIN)/coverage report --format=total) %"

lint: $(VENV)/.test $(VENV)/.page
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@if [ -x $(PAGE)/node_modules/.bin/tsc ]; then \
	  echo $(PAGE)/node_modules/.bin/tsc; $(PAGE)/node_modules/.bin/tsc -p src/mien/page; \
	else echo "the types of the page are not checked: needs make page"; fi

# What browsers run networks with, for the wheel and the tests; TypeScript's checker; axe-core.
page: $(VENV)/.test
	mkdir -p $(PAGE)
	cp src/mien/page/package.json src/mien/page/package-lock.json $(PAGE)
	cd $(PAGE) && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1
	$(BIN)/python -m mien.page.packing $(PAGE)/node_modules/onnxruntime-web/dist

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo $(PAGE)

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
	$(PIP) install --editable '.[train,live,table,serve,lab,ray,remote]' --group dev
	@touch $@

# Tests of the page are skipped without these two, so neither fails where it cannot be had.
$(VENV)/.page: src/mien/page/package-lock.json | $(VENV)/.test
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory page; else false; fi \
	  || echo "the page's files are not here: make page needs npm and its registry"
	@touch $@

$(VENV)/.browser: | $(VENV)/.test
	@command -v chromium chromium-browser google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	    && echo "installing Chromium for the tests of the page" && apt-get update -qq \
	    && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "no Chromium: the tests of the page are skipped"
	@touch $@
