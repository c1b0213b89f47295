# Two commands do everything on a machine that has Python 3.11 or newer: make demo and make test.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PYTHON

bin := .venv/bin
# A virtual screen where there is none.
ifeq ($(shell uname)$(DISPLAY),Linux)
screen := QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1600x1000x24"
endif
# Tests run in two processes, each on a virtual screen of its own (pytest-xvfb); a file's tests stay together. Threads
# that wait for others sleep: the cores are shared.
side_by_side := OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0 $(if $(filter Linux,$(shell uname)),QT_QPA_PLATFORM=xcb) $(bin)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0
# Images from real microscopes, where this machine has them; without them their tests say so and skip.
ifneq ($(wildcard ../shared/data),)
export ANNOTRAIN_DATA ?= $(abspath ../shared/data)
endif

# Benchmarks in the order they run; the first ones need the tools they compare with.
with_peers := tiling augmentation
alone := training sliding_window decoding joining batches forest startup latency live strokes rounds window large real_data
alone += denoising

# Quality on real images, in the order in which most is learnt soonest; hours, kept row by row in benchmarks/measured.
qualities := quality pictures few_shot annotator membranes scratch

on_pyside := $(patsubst %,tests/gui/test_%.py,panel first_steps loop keeping)

.PHONY: help demo test check lint bench quality docs screenshots pyside nightly clean libraries

help: ## say what there is to make
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /\1 /' | while read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

demo: libraries ## annotate, train and predict sample cells in napari (without a display: into demo-output/)
	$(bin)/annotrain demo

test: libraries lint ## lint, types, floors, then every test, the window included
	$(side_by_side) --cov --cov-report=term:skip-covered

check: libraries lint ## the same without the slow tests
	$(side_by_side) -m "not nightly and not slow"

lint: .venv/.ready
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports

nightly: libraries .venv-metrics/.ready ## the tests that take many minutes
	$(screen) $(bin)/python -m pytest -m nightly

bench: libraries .venv-peers/.ready ## measure, also beside other tools, and write the numbers into docs/benchmarks.md
	for page in $(with_peers); do .venv-peers/bin/python benchmarks/$$page.py; done
	for page in $(alone); do $(screen) $(bin)/python benchmarks/$$page.py; done

quality: libraries .venv-metrics/.ready ## score the cells on real images beside other tools, into docs/quality.md (hours; goes on where it stopped)
	for page in $(qualities); do $(bin)/python benchmarks/$$page.py; done

docs: .venv/.ready ## the documentation as a website, in site/
	$(bin)/python scripts/settings_page.py
	NO_MKDOCS_2_WARNING=1 $(bin)/mkdocs build --strict --quiet

screenshots: libraries ## pictures of the window in every state, into docs/screenshots (some minutes)
	$(screen) $(bin)/python scripts/screenshots.py

pyside: libraries .venv-pyside/.ready ## the main tests of the window on PySide6 instead of PyQt6
	$(screen) env QT_API=pyside6 .venv-pyside/bin/python -m pytest -o qt_api=pyside6 $(on_pyside)

clean: ## remove what the other targets made, .venv excepted
	rm -rf demo-output site dist .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests examples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

libraries: .venv/.ready
	@scripts/set_up.sh libraries

.venv/.ready: pyproject.toml constraints-dev.txt
	@scripts/set_up.sh environment

.venv-peers/.ready: pyproject.toml constraints-dev.txt
	@scripts/set_up.sh peers

.venv-metrics/.ready: pyproject.toml constraints-dev.txt
	@scripts/set_up.sh metrics

.venv-pyside/.ready: pyproject.toml constraints-dev.txt
	@scripts/set_up.sh pyside
