# Everything a person types; `make help` lists it. Needs python3 (3.9 or newer), make and git.

BIN := .venv/bin
READY := .venv/.ready
LOCK := scripts/uv pip compile --quiet --generate-hashes --custom-compile-command "make lock"

# TFX's command line calls `pip` by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Whole files in each process: they share what they set up. More processes than four want more memory than laptops have.
PROCESSES := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# TensorFlow's native start-up lines say nothing of ours.
TF_CPP_MIN_LOG_LEVEL ?= 3
export TF_CPP_MIN_LOG_LEVEL

.PHONY: help setup run test check lint bench mutation lock clean FORCE
.DEFAULT_GOAL := help

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s%s\n", $$1, $$2}' Makefile

setup: $(READY)  ## make .venv; EXTRAS=gpu adds CUDA

run: $(READY)  ## run the pipeline; CONFIG=FILE.toml, ARGS="--set training.epochs=3"
	@tfx run create --pipeline pipeline/ $(if $(CONFIG),--config "$(CONFIG)") $(ARGS)

test: lint  ## lint, then run all tests; ARGS="-k tokens" runs some of them
	@python -m pytest $(PROCESSES) $(if $(ARGS),,--cov --cov-report=) $(ARGS)

check: lint  ## lint, then run the quick tests: three minutes, for between two edits
	@python -m pytest $(PROCESSES) --quiet -m "not e2e and not slow" $(ARGS)

lint: $(READY)  ## ruff, mypy, the layers of imports, the dependencies
	@ruff check --quiet
	@ruff format --quiet --check
	@mypy --no-error-summary
	@said=$$(lint-imports --no-logo 2>&1) || { echo "$$said"; exit 1; }
	@said=$$(deptry --no-ansi . 2>&1) || { echo "$$said"; exit 1; }

bench: $(READY)  ## compare with the blog's plain script; DATA=aclImdb_v1.tar.gz, ARGS="--presets blog,attention"
	@python -m benchmarks $(if $(DATA),--data "$(DATA)") $(ARGS)

mutation: $(READY)  ## change the statistics, splits, tokenizer and pusher in many ways; tests should notice
	@mutmut run
	@mutmut results

lock:  ## resolve requirements.lock anew
	@$(LOCK) --python-version 3.10 --python-platform x86_64-manylinux_2_36 \
		pyproject.toml --extra dev requirements.in --output-file requirements.lock
	@$(LOCK) --python-version 3.9 --universal --no-annotate requirements-uv.in --output-file requirements-uv.lock

clean:  ## remove .venv, tools and caches; the workspace stays
	@rm -rf .venv .tools .coverage mutants .grimp_cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find benchmarks components imdb_core pipeline schemas serving tests -name __pycache__ -type d -prune -exec rm -rf {} +

# These files are copied at installation, also by an editable one.
$(READY): requirements.lock pyproject.toml imdb_core/start.py pipeline/tfx_cli/hook.py pipeline/tfx_cli/hook.pth $(if $(EXTRAS),FORCE)
	@EXTRAS="$(EXTRAS)" scripts/setup
