# Everything a user or developer does here. `make help` lists it. Needs GNU make and a Python from 3.11 on.
#
#   make run ARGS="--nickname tv"     arguments for the node
#   make test ARGS="tests/protocol"   arguments for pytest
#   make PYTHON=python3.12 run        with this Python instead of the newest on PATH
#   make test APT=no                  as root: do not install missing test programs

PYTHON =
ARGS =
VENV = .venv
export PYTHON APT
# Where ip, tc and nft are, which Debian leaves out of the path of ordinary users.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

# Set-up that is done is found in a fraction of a second; a Python with its own pip settings is left alone.
set_up = @python=$$(sh scripts/find_python.sh "$(PYTHON)") && "$$python" scripts/environment.py

# BitTorrent ("torrent?") comes along where there is a libtorrent for this Python and system, and is left out elsewhere.
#
# What Tribler needs comes along where its sources are, unless there is another Python for it. Without it its tests are
# skipped, with the reason, so that nothing else fails for it.
tribler = $(if $(TRIBLER_PYTHON),,$(if $(TRIBLER_SRC)$(wildcard $(HOME)/tribler-src/src/run_tribler.py),tribler))
set_up_tests = $(set_up) test "torrent?"$(if $(tribler), tribler || { test -n "$$python" && "$$python" scripts/environment.py test "torrent?"; })

# Three test files at a time: half of the time they wait. More would disturb each other's clocks. The longest come first
# (tests/conftest.py), so that the last one to end is a short one.
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= 3

# Codes to compare with. Where they cannot be had, the benchmarks run without them and say so.
set_up_benches = $(set_up) test bench "torrent?" || { test -n "$$python" && "$$python" scripts/environment.py test "torrent?"; }

.PHONY: help run test soak bench lint clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/make \1#\2/p' Makefile | awk -F'#' '{printf "%-12s %s\n", $$1, $$2}'

run:  ## starts a node on this machine and prints the address of its page; Ctrl-C ends it
	$(set_up) "torrent?"
	@exec $(VENV)/bin/python scripts/foreground.py $(VENV)/bin/tribler-multicast node $(ARGS)

test:  ## all tests, in a network of their own; as root it installs what they need with apt-get
	$(set_up_tests)
	@sh scripts/test_tools.sh
	@exec sh tests/in_namespace.sh $(VENV)/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

soak:  ## the long runs
	$(set_up_tests)
	@sh scripts/test_tools.sh
	@exec sh tests/in_namespace.sh $(VENV)/bin/python -m pytest -m soak $(ARGS)

bench:  ## the benchmarks, side by side with what else there is
	$(set_up_benches)
	@sh scripts/test_tools.sh
	@exec sh tests/in_namespace.sh $(VENV)/bin/python -m bench $(ARGS)

lint:  ## ruff and mypy --strict
	$(set_up) lint
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy

clean:  ## removes what make and the tests made: the next run starts afresh
	@rm -rf .venv .venv.log build dist *.egg-info tribler_multicast/coding/_native* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
