# Each target is a line a person could type. uv does the set-up; it is fetched into .uv/ if absent.
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
export DO_NOT_TRACK := 1
# Python keeps its bytecode even where the surroundings say that it should not: without it, each
# process of a build or a test compiles its libraries again, for five to eight core-seconds.
export PYTHONDONTWRITEBYTECODE :=
# Video frames are large arrays: in large pages, and kept for the next one when they are freed, they
# cost a build a twelfth less of the processor at least; few arenas keep less.
export GLIBC_TUNABLES := glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=67108864:$\
	glibc.malloc.trim_threshold=67108864:glibc.malloc.arena_max=2

.PHONY: demo test setup check bench lakefs clean

demo: .venv/.ready  ## build a small real dataset into editmill-demo/
	$(BIN)/editmill models --fetch
	$(BIN)/editmill build embedded --out editmill-demo

setup: .venv/.ready  ## the environment alone: . .venv/bin/activate puts editmill on the path

# No worker is started again: where a library crashes one, xdist's others can wait for ever.
test: .venv/.ready  ## everything but the end-to-end build of .ci/run
	$(BIN)/editmill models --fetch
	@infra/lakefs/build.sh >/dev/null || echo "Skipped: the tests on S3 and lakeFS."
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder \
		--max-worker-restart 0

check: .venv/.ready  ## lint, types, import rules
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: .venv/.ready  ## the figures of the README
	$(BIN)/python infra/bench/removal/run.py
	$(BIN)/python infra/bench/judging/stability.py

lakefs:  ## compile the lakeFS server of the tests, kept in the user's cache (four minutes, Go)
	infra/lakefs/build.sh

clean:  ## leaves the download cache alone
	rm -rf .venv .uv editmill-demo

.venv/.ready: pyproject.toml constraints.txt
	@command -v uv >/dev/null 2>&1 || test -x .uv/bin/uv || \
		($(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet uv) || \
		$(PYTHON) -m pip install --quiet --target .uv uv
	$(UV) venv --quiet --seed --allow-existing --python ">=3.11,<3.14" .venv  # with pip, for extras
	SAM2_BUILD_CUDA=0 $(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt \
		--build-constraints constraints.txt --editable ".[dev]"
	@touch $@
