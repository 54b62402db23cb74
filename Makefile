# `make demo` shows the whole of ReLLa on a laptop; `make test` passes the tests. Either sets everything up first.
PYTHON ?= python3
VENV   ?= .venv
RAW    ?= ml-1m.zip
PY     := $(VENV)/bin/python
READY  := $(VENV)/.installed

.PHONY: demo test test-slow lint bench clean help

help:
	@echo "make demo       everything on a small generated corpus: data set, base model, adapter, scores, cards"
	@echo "make test       the tests (offline, under 10 minutes)"
	@echo "make test-slow  the slow tests and the ones on real data"
	@echo "make lint       ruff"
	@echo "make bench      the benchmarks, each writing benchmarks/results/<name>.md; RAW=ml-1m.zip, after building rella/ml1m"
	@echo "make clean      remove what the commands made and nobody changed, except $(VENV)"

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}. Say which one to use: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -e ".[quant,embed,ray,dev]"
	@touch $@

demo: $(READY)
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" bash training/recipes/demo/run.sh

test: $(READY)
	$(PY) -m pytest -q -m "not slow and not real_data"

test-slow: $(READY)
	$(PY) -m pytest -q -m "slow or real_data"

lint: $(READY)
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

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
	rm -rf .pytest_cache .ruff_cache .hypothesis
