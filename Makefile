# Everything a person types; `make help` lists it. Needs python3 (3.9 or newer), make and git.

BIN := .venv/bin
READY := .venv/.ready
LOCK := scripts/uv pip compile --quiet --generate-hashes --custom-compile-command "make lock"

# The servers that the serving benchmark measures beside ours; each has an environment of its own.
PEERS := ray litserve

# TFX's command line calls `pip` by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Whole files in each process: they share what they set up. More processes than four want more memory than laptops have.
PROCESSES := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# TensorFlow's native start-up lines say nothing of ours.
TF_CPP_MIN_LOG_LEVEL ?= 3
export TF_CPP_MIN_LOG_LEVEL

.PHONY: help setup run test check lint bench bench-serving docs mutation lock clean FORCE
.DEFAULT_GOAL := help

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s%s\n", $$1, $$2}' Makefile

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

bench-serving: $(READY) $(PEERS:%=.tools/bench-serving/%/.ready)  ## the server beside Ray Serve and LitServe; ARGS="--model FOLDER"
	@python -m benchmarks.serving --peers $(ARGS)

docs: $(READY)  ## make the site of the documents in site/; a dead link is an error
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	@echo "site/index.html is the first page; with its search: python3 -m http.server --directory site"

mutation: $(READY)  ## change the statistics, splits, tokenizer and pusher in many ways; tests should notice
	@mutmut run
	@mutmut results

lock:  ## resolve all locked requirements anew
	@$(LOCK) --python-version 3.10 --python-platform x86_64-manylinux_2_36 \
		pyproject.toml --extra dev requirements.in --output-file requirements.lock
	@$(LOCK) --python-version 3.9 --universal --no-annotate requirements-uv.in --output-file requirements-uv.lock
	@for peer in $(PEERS:%=benchmarks/serving/peers/%); do \
		$(LOCK) --python-version 3.10 --python-platform x86_64-manylinux_2_36 $$peer.in --output-file $$peer.lock || exit; \
	done

clean:  ## remove .venv, tools and caches; the workspace stays
	@rm -rf .venv .tools .coverage mutants .grimp_cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find benchmarks components imdb_core pipeline schemas serving tests -name __pycache__ -type d -prune -exec rm -rf {} +

# These files are copied at installation, also by an editable one.
$(READY): requirements.lock pyproject.toml imdb_core/start.py pipeline/tfx_cli/hook.py pipeline/tfx_cli/hook.pth $(if $(EXTRAS),FORCE)
	@EXTRAS="$(EXTRAS)" scripts/setup

.tools/bench-serving/%/.ready: benchmarks/serving/peers/%.lock
	@echo "Making $(@D) ..."
	@scripts/uv venv --quiet --clear --python 3.10 $(@D)
	@scripts/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $<
	@touch $@
