# make train      train a network on handwritten digits; needs Python, a C compiler and make
# make test       all tests, in TEST_PROCESSES at a time (auto: as many as cores; PYTEST_ARGS=-n0: in one)
# make test-all   and those that are too long for every day: CONTRIBUTING.md says which
# make bench      kernels and steps, beside the last run that was saved in .benchmarks
# make lint       ruff, clang-format
# make types      the stubs: mypy and pyright on the examples and tests/types, stubtest on pyml
# make docs       the site of the documentation: build/docs/index.html; a warning is an error. make docs-links:
#                 and whether the addresses in it answer
# make sanitize   the tests under AddressSanitizer and UndefinedBehaviorSanitizer
# make thread-sanitize  the kernels' program, tests/c, under ThreadSanitizer
# make attack     random hostile use of everything public, for ATTACK_SECONDS each; ATTACK_SEED is
#                 another day's. make attack-sanitize: the same under the sanitizers
# make clients    libraries written for PyTorch, with pyml under its name and with it: docs/clients.md
# make machines   fit_many and tune by joblib's processes, Dask, Ray and Optuna, which it installs
# make cross      csrc/ and tests/c for the platform TARGET, with a cross compiler; CROSS_RUN runs the test
# make reproducible  an sdist and, of it and without a network, a wheel, made twice in different folders: the same bytes
# make clean      removes all that these make
#
# The environment is .venv, with the package installed in place: Python files are read where they
# lie, and C is compiled again when it changes. setup.py says what PYML_WERROR, PYML_WIDE and PYML_SYMBOLS do.

PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/digits
SANITIZE_CC ?= gcc
TEST_PROCESSES ?= auto
ATTACK_SECONDS ?= 600
ATTACK_SEED ?= 0
TARGET ?= aarch64-linux-musl
CROSS_CC ?= $(BIN)/python -m ziglang cc -target $(TARGET)
CROSS_RUN ?=
LINT_TOOLS := ruff==0.17.6 clang-format==23.1.5
CROSS_TOOLS := ziglang==0.17.1
TYPE_TOOLS := mypy==2.4.1 pyright==1.1.414
DOC_TOOLS := sphinx==9.0.4 myst-parser==5.2.0 furo==2025.12.19 sphinx-external-toc==1.1.0

BIN := $(VENV)/bin
CLIENTS := $(VENV)-clients
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
BUILD_REQUIRES := $(shell sed -n 's/^requires = \[\(.*\)\]/\1/p' pyproject.toml | tr -d ,)
SOURCES := $(shell find csrc -name '*.[ch]') $(shell find pyml -name '*.pyx' -o -name '*.pxd')
CONFIGURATION := CC=$(CC) PYML_WERROR=$(PYML_WERROR) PYML_WIDE=$(PYML_WIDE) PYML_SYMBOLS=$(PYML_SYMBOLS)

.PHONY: train test test-all bench lint types docs docs-links sanitize thread-sanitize attack attack-sanitize clients machines cross reproducible clean
.DELETE_ON_ERROR:

train: $(VENV)/package
	$(BIN)/pyml train --out $(OUT) --force

test: $(VENV)/package $(VENV)/test-extra
	$(BIN)/pytest -n $(TEST_PROCESSES) --dist worksteal $(PYTEST_ARGS)

test-all:
	PYML_TEST_LECTURE=1 $(MAKE) test PYTEST_ARGS="--exhaustive $(PYTEST_ARGS)"
	$(MAKE) clients
	$(MAKE) machines

# That nothing was saved yet, or on another machine, is a warning and no error.
bench: $(VENV)/package $(VENV)/test-extra
	$(BIN)/pytest bench --benchmark-autosave --benchmark-compare --benchmark-max-time=0.5 \
	    --benchmark-columns=median,iqr,rounds --benchmark-group-by=fullfunc \
	    --benchmark-sort=fullname -W default::pytest_benchmark.logger.PytestBenchmarkWarning \
	    $(PYTEST_ARGS)

lint: $(VENV)/lint-tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $$(find csrc -name '*.[ch]')

# The functions of the examples have no types: they are short, and read by beginners. pyright is a
# program of Node, which it fetches where there is none.
types: $(VENV)/package $(VENV)/test-extra $(VENV)/type-tools
	$(BIN)/mypy tests/types
	$(BIN)/mypy --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls --allow-any-generics examples
	$(BIN)/pyright --pythonpath $(BIN)/python tests/types examples
	$(BIN)/python docs/stubs.py --test

SPHINX := $(BIN)/sphinx-build --fail-on-warning --quiet -c docs

docs: $(VENV)/package $(VENV)/test-extra $(VENV)/doc-tools
	$(SPHINX) . build/docs
	@echo "build/docs/index.html: $$(find build/docs -name '*.html' | wc -l) pages"

docs-links: docs
	$(SPHINX) -b linkcheck . build/docs-links

# Python itself is not sanitized, so the runtime is loaded before it, and libstdc++ with it for the
# exceptions of other extensions. Leaks are not looked for: an interpreter ends with many.
sanitize: $(VENV)/package $(VENV)/test-extra
	CC=$(SANITIZE_CC) PYML_SANITIZE=1 PYML_WERROR=1 PYML_WIDE=1 $(BIN)/python setup.py --quiet \
	    build --build-base build/sanitize --build-lib build/sanitize/lib
	LD_PRELOAD="$$($(SANITIZE_CC) -print-file-name=libasan.so) \
	    $$($(SANITIZE_CC) -print-file-name=libstdc++.so)" \
	    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
	    PYTHONMALLOC=malloc PYTHONPATH=$(CURDIR)/build/sanitize/lib \
	    $(BIN)/pytest --capture=sys $(PYTEST_ARGS)

# Python and NumPy are not compiled for it, so that it is the C alone, as on another platform.
thread-sanitize:
	$(MAKE) cross TARGET=linux-$$(uname -m) CROSS_CC="$(SANITIZE_CC) -fsanitize=thread" CROSS_RUN=env

ATTACK := tests/attack --attack-seconds $(ATTACK_SECONDS) --attack-seed $(ATTACK_SEED)

attack: $(VENV)/package $(VENV)/test-extra
	$(BIN)/python -m pytest -s $(ATTACK) $(PYTEST_ARGS)

attack-sanitize:
	$(MAKE) sanitize PYTEST_ARGS="$(ATTACK) $(PYTEST_ARGS)"

clients: $(VENV)/package $(VENV)/test-extra $(CLIENTS)/installed
	$(BIN)/pytest tests/clients --clients $(CLIENTS)/bin/python $(PYTEST_ARGS)

machines: $(VENV)/package $(VENV)/test-extra
	$(PIP) install distributed ray "pyml-nn[optuna]"
	$(BIN)/pytest tests/train/test_machines.py tests/train/test_tune.py --exhaustive $(PYTEST_ARGS)

# TARGET=x86_64-windows-gnu CROSS_RUN=wine, aarch64-windows-gnu, aarch64-macos, x86_64-macos, wasm32-wasi,
# x86_64-linux-musl, aarch64-linux-musl CROSS_RUN=qemu-aarch64-static: CROSS_CC is any other compiler.
cross: $(VENV)/cross-tools build/c/calls.h
	CC="$(CROSS_CC)" _PYTHON_HOST_PLATFORM=$(TARGET) PYML_WERROR=1 $(BIN)/python setup.py --quiet build_csrc \
	    --program tests/c/kernels.c --output build/c/kernels-$(TARGET).exe
	$(if $(CROSS_RUN),$(CROSS_RUN) build/c/kernels-$(TARGET).exe)

build/c/calls.h: tests/c/calls.py tests/test_effects.py $(VENV)/package $(VENV)/test-extra
	mkdir -p $(@D)
	PYTHONPATH=tests $(BIN)/python $< > $@

# The time is that of the last commit. pip builds in a new folder each time, and what it builds of is copied elsewhere.
reproducible: export SOURCE_DATE_EPOCH := $(shell git log -1 --format=%ct 2>/dev/null || echo 1000000000)
reproducible: $(VENV)/build-requires
	rm -rf build/reproducible
	for place in here a/deeper/place; do \
	    mkdir -p build/reproducible/$$place && git ls-files -z | xargs -0 cp --parents -t build/reproducible/$$place && \
	    (cd build/reproducible/$$place && $(CURDIR)/$(BIN)/python setup.py --quiet sdist) && \
	    $(PIP) wheel --no-index --no-deps --no-build-isolation --no-cache-dir -w build/reproducible/$$place/dist \
	        build/reproducible/$$place/dist/*.tar.gz || exit 1; \
	done
	for file in $$(cd build/reproducible/here/dist && ls); do \
	    cmp build/reproducible/here/dist/$$file build/reproducible/a/deeper/place/dist/$$file || exit 1; \
	done
	sha256sum build/reproducible/here/dist/*

clean:
	rm -rf $(VENV) $(CLIENTS) build dist runs *.egg-info .pytest_cache .ruff_cache .hypothesis .benchmarks
	find pyml tests bench -name __pycache__ -exec rm -rf {} +
	find pyml \( -name '*.so' -o -name '*.c' \) -delete

# ---- the environment: a file in it stands for each step done --------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 10) and \
	    f"Python 3.10 or newer is needed, $(PYTHON) is {v[0]}.{v[1]}; make PYTHON=python3.12 names another")'
	@command -v $(firstword $(CC)) > /dev/null || \
	    { echo "there is no C compiler ($(CC)): apt install gcc, or the like" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/build-requires: pyproject.toml | $(BIN)/python
	$(PIP) install $(BUILD_REQUIRES)
	@touch $@

$(VENV)/package: $(SOURCES) setup.py pyproject.toml $(VENV)/build-requires $(VENV)/configuration
	@echo "compiling what changed; all of it, the first time, takes minutes"
	$(PIP) install --no-build-isolation --editable ".[plot]"
	@touch $@

$(VENV)/test-extra: pyproject.toml | $(VENV)/package
	$(PIP) install "pyml-nn[test]"
	@touch $@

$(VENV)/lint-tools: Makefile | $(BIN)/python
	$(PIP) install $(LINT_TOOLS)
	@touch $@

$(VENV)/cross-tools: Makefile | $(BIN)/python
	$(PIP) install $(CROSS_TOOLS)
	@touch $@

$(VENV)/type-tools: Makefile | $(BIN)/python
	$(PIP) install $(TYPE_TOOLS)
	@touch $@

$(VENV)/doc-tools: Makefile | $(BIN)/python
	$(PIP) install $(DOC_TOOLS)
	@touch $@

$(CLIENTS)/installed: tests/clients/requirements.txt
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip --quiet --disable-pip-version-check install -r $<
	@touch $@

# Changes when the environment variables of the build do; what was built otherwise is not kept.
$(VENV)/configuration: FORCE | $(BIN)/python
	@echo '$(CONFIGURATION)' | cmp -s - $@ || \
	    { rm -rf build/editable-*; echo '$(CONFIGURATION)' > $@; }

.PHONY: FORCE
FORCE:
