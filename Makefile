# Two commands do all the set-up there is: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test browser clean

# The environment is made anew when the pins or the project file change.
.venv/.ready: constraints.txt pyproject.toml
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: .venv/.ready
	$(BIN)/python -m tests.demo

# The explorer is looked at in Debian's chromium. Where it is missing and we may not install it, the
# tests that need it are skipped, and say so.
browser:
	@command -v chromium > /dev/null || test "$$(id -u)" != 0 || { apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk; } > /dev/null || \
	  echo "chromium could not be installed: the tests that need it are skipped" >&2

test: .venv/.ready browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

clean:
	rm -rf .venv var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
