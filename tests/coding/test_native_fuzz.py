"""
Random inputs for the native code, under Address- and UndefinedBehaviorSanitizer. Needs a compiler that has them.

For minutes: ``make soak ARGS=tests/coding`` (``FUZZ_SECONDS`` says how long, ``FUZZ_SEED`` where to begin).
"""
from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
NATIVE = TREE / "tribler_multicast" / "coding" / "native"
CORE = sorted(path for path in NATIVE.glob("*.c") if not path.name.startswith("module"))
"""What needs no Python."""
FUZZER = sorted((TREE / "tests" / "coding").glob("fuzz*.c"))
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compiler() -> str:
    """
    The compiler, if it has the sanitizers; skips the test else.
    """
    found = shutil.which(os.environ.get("CC", "cc"))
    if found is None:
        pytest.skip("no C compiler")
    tried = subprocess.run([found, *SANITIZERS, "-x", "c", "-", "-o", os.devnull], input="int main(void) { return 0; }",
                           capture_output=True, text=True, timeout=60, check=False)
    if tried.returncode:
        pytest.skip("the compiler has no sanitizers")
    return found


def fuzz(folder: Path, seconds: int, *flags: str) -> str:
    """
    Build the fuzzer and run it. What it says it did.
    """
    program = folder / "fuzz"
    subprocess.run([compiler(), "-std=c99", *flags, *SANITIZERS, f"-I{NATIVE}", *map(str, FUZZER), *map(str, CORE),
                    "-o", str(program)], timeout=300, check=True)
    seed = os.environ.get("FUZZ_SEED", str(random.randrange(2**32)))
    done = subprocess.run([str(program), str(seconds), seed], capture_output=True, text=True, timeout=seconds + 60,
                          check=False)
    assert done.returncode == 0, f"seed {seed}: {done.stdout}{done.stderr}"
    return done.stdout


def test_random_inputs_find_nothing_in_a_second(tmp_path: Path) -> None:
    assert "judged" in fuzz(tmp_path, 1, "-O0")


@pytest.mark.soak
def test_random_inputs_find_nothing_in_ten_minutes(tmp_path: Path) -> None:
    print(fuzz(tmp_path, int(os.environ.get("FUZZ_SECONDS", "600")), "-O2"))


@pytest.mark.soak
def test_the_tests_of_coding_pass_under_the_sanitizers(tmp_path: Path) -> None:
    """
    The Python module too, in a copy of the tree.
    """
    cc = compiler()
    for name in ("tribler_multicast", "tests", "bench", "docs"):
        shutil.copytree(TREE / name, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(TREE / name, tmp_path / name)
    runtime = subprocess.run([cc, "-print-file-name=libasan.so"], capture_output=True, text=True,
                             check=True).stdout.strip()
    flags = " ".join(SANITIZERS)
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=tmp_path, timeout=300, check=True,
                   env={**os.environ, "CC": cc, "CFLAGS": flags, "LDFLAGS": flags})
    # Python itself leaks on purpose.
    environment = {**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0",
                   "PYTHONMALLOC": "malloc"}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/coding",
                           "tests/transfer/test_datagrams.py", "tests/transfer/test_sealed.py",
                           "--deselect", "tests/coding/test_native_fuzz.py"], cwd=tmp_path, env=environment,
                          timeout=3000, capture_output=True, text=True, check=False)
    print(done.stdout[-300:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "native code" not in done.stdout  # no test skipped for want of it
