#!/bin/sh
# scripts/find_python.sh [PYTHON]
#
# Prints the Python to build the virtual environment with: PYTHON if given, else the newest suitable one on PATH, first
# choice with ensurepip, which makes a virtual environment with nothing else installed. A name on PATH may be a shim
# that does not run, or a Python built without ssl or sqlite3: each candidate is tried.
# Where there is none, prints one line to stderr that says what to do, and exits 1.

# Succeeds when $1 runs and suits, and prints its rank (Python 3.15 waits for a Pony ORM that knows it).
suits() {
    rank=$("$1" -I -c '
import sys
v = sys.version_info
if sys.implementation.name != "cpython" or not (3, 11) <= v < (3, 15):
    sys.exit(1)
import ctypes, sqlite3, ssl, venv
from importlib.util import find_spec
print(v[1] + (find_spec("ensurepip") is not None) * 1000)
' 2>/dev/null </dev/null) && [ "$rank" -gt 0 ] 2>/dev/null
}

newest() {
    best=
    best_rank=0
    old_ifs=$IFS
    IFS=:
    set -f
    for folder in $PATH; do
        for name in python3.14 python3.13 python3.12 python3.11 python3; do
            candidate=${folder:-.}/$name
            [ -x "$candidate" ] || continue
            if suits "$candidate" && [ "$rank" -gt "$best_rank" ]; then
                best=$candidate
                best_rank=$rank
            fi
        done
    done
    set +f
    IFS=$old_ifs
    [ -n "$best" ] && printf '%s\n' "$best"
}

if [ -n "${1:-}" ]; then
    if found=$(command -v "$1") && suits "$found"; then
        printf '%s\n' "$found"
        exit 0
    fi
    echo "PYTHON=$1 is no working Python 3.11 to 3.14 (with ssl, sqlite3 and venv)." >&2
    exit 1
fi

newest && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "No Python 3.11 or newer: apt-get install python3-venv" >&2
    sh "$(dirname "$0")/apt_install.sh" python3-venv && newest && exit 0
fi
echo "No working Python 3.11 or newer on PATH. Debian, Ubuntu: sudo apt install python3-venv." \
    "Where that is older, give one: make PYTHON=/path/to/python3.12 run" >&2
exit 1
