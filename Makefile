# Everything runs in .venv, made from the hash-pinned requirements.lock.
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv

.PHONY: run test test-fast test-long torture audit mutants lint lock bench docs dist help

help:
	@echo "make run        environment, then all domains side by side on the embedded data (winnow run)"
	@echo "make test       lint, types, import contracts and every test"
	@echo "make test DOMAIN=climb  the tests of one domain"
	@echo "make test-fast  lint, types, import contracts and the tests of the library: minutes"
	@echo "make test-long  tests that take too long for make test: DVC killed at every moment, queued experiments"
	@echo "make torture    damage inputs at every door at random for MINUTES=20, ends in a table"
	@echo "make audit      the locked packages against PyPI's advisories"
	@echo "make mutants    plant faults, one at a time, and report what the tests do not see"
	@echo "make bench      side-by-side measurements into benchmarks/pipeline/results and docs/performance.md"
	@echo "make docs       the documentation as a site in build/site, links checked"
	@echo "make dist       the wheel and a list of the locked packages (SBOM) in build/dist"
	@echo "make lock       requirements.lock anew from pyproject.toml"

run: .venv/ready
	@echo "Running six domains on their embedded data, one a core: about 5 minutes on 2 cores."
	winnow run$(if $(JOBS), --jobs $(JOBS))

test: .venv/ready lint
	python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=15 $(if $(DOMAIN),-k $(DOMAIN))

test-fast: .venv/ready lint
	python -m pytest -q -n 2 --dist worksteal tests/library

test-long: .venv/ready
	python -m pytest -q -m long

torture: .venv/ready
	OMP_NUM_THREADS=1 python -m tests.faults.torture --minutes $(or $(MINUTES),20) --seed $(or $(SEED),0)

audit: .venv/ready
	python -m benchmarks.pipeline.audit

mutants: .venv/ready
	python -m benchmarks.mutation.mutants --mutants $(or $(MUTANTS),200) --seed $(or $(SEED),0)

lint: .venv/ready
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache

bench: .venv/ready
	python -m benchmarks.pipeline.second_repro
	python -m benchmarks.pipeline.stage_overhead
	python -m benchmarks.pipeline.loop
	python -m benchmarks.performance

docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

dist: .venv/ready
	rm -rf build/dist
	uv build -q --wheel --no-build-isolation --out-dir build/dist
	rm -f build/dist/.gitignore
	uvx --quiet --from cyclonedx-bom@7.5.0 cyclonedx-py requirements requirements.lock --output-reproducible -o build/dist/winnow.cdx.json

lock: .venv/ready
	uv pip compile --universal --fork-strategy fewest --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev --extra heic --extra ocr --extra onnx --extra pretrained --extra quantized --extra serve --extra docs pyproject.toml -o requirements.lock -q

.venv/ready: requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "winnow needs Python 3.11 or newer: make PYTHON=python3.12 " + "run")'
	@echo "Installing the locked packages into .venv: about 7 GB on disk, mostly PyTorch; minutes, by the network."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	$(BIN)/uv pip install -q --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@
