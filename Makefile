# Two commands for a fresh machine: `make train` and `make test`. Each makes .venv if it is missing.

# TensorFlow has wheels for Python 3.11 to 3.13; `make PYTHON=...` names another interpreter.
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LESSONS := $(wildcard notebooks/[0-9]*.ipynb)

.PHONY: help train test quick style browser test-browser lab app notebooks gallery recipes failing-runs benchmark gpu-check quality interruptions repository clean
.DEFAULT_GOAL := help

help:
	@echo "make train      train on the embedded photographs: lesson 05, run by papermill"
	@echo "make test       check the code's style, run the unit tests and every notebook"
	@echo "make quick      check the code's style, run the unit tests that train nothing"
	@echo "make test-browser   open the lessons with widgets and the app in Chromium, and use them"
	@echo "make lab        open the lessons in JupyterLab: copies for you in my_lessons/, without outputs"
	@echo "make app        deblur photographs of yours in the browser, without code"
	@echo "make notebooks  run every lesson anew and store what it shows"
	@echo "make gallery    copy the figures of docs/ out of the stored lessons"
	@echo "make failing-runs   train the runs of lesson 05 that go wrong"
	@echo "make interruptions   kill a training run twenty times, and compare it with an unbroken one"
	@echo "make benchmark  time steps and photographs against others; results in benchmarks/RESULTS.md"
	@echo "make gpu-check   train each recipe for 200 steps on a GPU: a table to paste into an issue"
	@echo "make quality    score the shipped generators beside older methods: docs/quality.csv"
	@echo "make recipes    train all three recipes for the same number of steps, for the README"
	@echo "make repository   set the address of the repository everywhere: that of the remote 'origin', or"
	@echo "                  NAME=owner/name; with TAG=v1.0 Colab takes the lessons and library of that tag"
	@echo "make clean      remove the environment and everything that was made; runs/ and data/ stay"

# Debian and Ubuntu have ensurepip, without which an environment has no pip, in another package.
$(BIN)/pip:
	@for python in $(PYTHONS); do \
	  $$python -c '$(IN_RANGE)' 2>/dev/null || continue; \
	  if $$python -c 'import ensurepip' 2>/dev/null; then exec $$python -m venv $(VENV); fi; \
	  echo "$$python has no venv module, which Debian and Ubuntu have in the package python3-venv."; \
	done; \
	if [ -n "$(PYTHON)" ]; then \
	  echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13 with venv; name another, or none."; \
	elif command -v uv >/dev/null; then exec uv venv --seed --python '>=3.11,<3.14' $(VENV); \
	else echo "TensorFlow needs Python 3.11, 3.12 or 3.13: on Debian and Ubuntu 'sudo apt install" \
	  "python3.13-venv' (Ubuntu 24.04: python3.12-venv), on Fedora 'sudo dnf install python3.13'," \
	  "on macOS 'brew install python@3.13', and anywhere uv (https://docs.astral.sh/uv), which" \
	  "fetches one; then run make again."; \
	fi; exit 1

$(READY): pyproject.toml constraints.txt | $(BIN)/pip
	@extras=test; if nvidia-smi >/dev/null 2>&1; then extras=test,gpu; \
	  echo "There is an NVIDIA driver: TensorFlow is installed with CUDA."; fi; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  -e ".[$$extras]"
	@touch $@

train: $(READY)
	@mkdir -p runs
	$(BIN)/papermill notebooks/05_training.ipynb runs/05_training.ipynb -p profile sample
	@$(BIN)/python -c "import json; r = json.load(open('runs/course-sample/report.json')); \
	  print('PSNR of', r['n_images'], 'held-out photographs: blurred', round(r['psnr_blurred'], 2), \
	  'dB, restored', round(r['psnr_restored'], 2), 'dB. See runs/course-sample/before_after.png')"

# Three processes for two cores, each with one thread: tests mostly trace graphs, which one thread
# does, and some wait for processes of their own. What is
# handed out whole, and in which order, is in conftest.py.
WORKERS ?= 3
PYTEST := $(BIN)/pytest -n $(WORKERS)

test: style
	$(PYTEST) --nbval --durations=10 $(OPTIONS)

quick: style
	$(PYTEST) -m "not slow" $(OPTIONS) tests

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Debian's Chromium; where there is another package manager, install a Chromium with it first.
browser:
	@for name in chromium chromium-browser google-chrome; do \
	  if command -v $$name; then exit 0; fi; done; \
	  SUDO=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -qq -y --no-install-recommends chromium

test-browser: $(READY) browser $(BIN)/voila
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	$(BIN)/pytest tests/browser.py

$(BIN)/voila: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[app]'
	@touch $@

# Megabytes of a photograph that a page can take; left alone, Jupyter's servers stop at 10.
UPLOAD = 50
lab app: export DEBLURGAN_UPLOAD_MB = $(UPLOAD)
MESSAGES = tornado_settings="{'websocket_max_message_size': $(UPLOAD)_100_000}"

# OPTIONS, as for instance --no-browser or --port=9000, go to the server.
lab: $(READY)
	@$(BIN)/python notebooks/copies.py my_lessons
	$(BIN)/jupyter lab --notebook-dir=my_lessons --ServerApp.$(MESSAGES) $(OPTIONS)

app: $(READY) $(BIN)/voila
	$(BIN)/voila notebooks/app.ipynb --Voila.$(MESSAGES) $(OPTIONS)

notebooks: $(READY)
	$(BIN)/python notebooks/refresh.py $(LESSONS)

gallery: $(READY)
	$(BIN)/python notebooks/gallery.py

failing-runs: $(READY)
	$(BIN)/python experiments/failing_runs.py
	$(BIN)/python experiments/failing_runs.py --critics

# FRAMES: "name=folder" of pairs in blur and sharp; see experiments/quality.py.
quality: $(READY)
	$(BIN)/python experiments/quality.py $(FRAMES)

interruptions: $(READY)
	$(BIN)/python experiments/interruptions.py

# PyTorch, a baseline, has an environment of its own.
TORCH := .venv-torch/bin/python
$(TORCH): | $(READY)
	$(BIN)/python -m venv .venv-torch
	$@ -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy

benchmark: $(READY) $(TORCH)
	$(BIN)/python benchmarks/step_tutorial.py
	$(BIN)/python benchmarks/step_paper.py --torch $(TORCH)
	$(BIN)/python benchmarks/rate.py
	$(BIN)/python benchmarks/rate.py --growth
	$(BIN)/python benchmarks/photo.py --torch $(TORCH)
	$(BIN)/python benchmarks/large_photo.py
	$(BIN)/python benchmarks/input.py
	$(BIN)/python benchmarks/input.py --memory

# OPTIONS, as for instance --data gopro or --precision mixed_float16; see benchmarks/gpu_check.py.
gpu-check: $(READY)
	$(BIN)/python benchmarks/gpu_check.py $(OPTIONS)

recipes: $(READY)
	$(BIN)/python experiments/recipes.py

# The address stands in pyproject.toml; badges, bootstrap cells and the README repeat it. Without
# NAME it is the one on GitHub that this checkout came from. Badges and bootstrap cells take the
# lessons and the library of TAG, a branch or a tag.
GITHUB = s|\.git$$||; s|^\(.*[/@]\)\{0,1\}github\.com[:/]\([^/]*/[^/]*\)$$|\2|p
NAME = $(shell git remote get-url origin 2>/dev/null | sed -n '$(GITHUB)')
TAG = main
OLD = $(shell sed -n 's|^Repository = "https://github.com/\(.*\)"|\1|p' pyproject.toml)
repository:
	@test -n "$(NAME)" || { echo "This checkout has no remote 'origin' on GitHub; name the address:" \
	  "make repository NAME=owner/name"; exit 1; }
	sed -i.old -e 's|$(OLD)|$(NAME)|g' -e 's|$(NAME)/blob/[^/]*/|$(NAME)/blob/$(TAG)/|g' \
	  -e 's|VERSION = \\"[^\\]*|VERSION = \\"$(TAG)|' notebooks/*.ipynb README.md pyproject.toml
	rm -f notebooks/*.old README.md.old pyproject.toml.old

clean:
	rm -rf $(VENV) .venv-torch *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
