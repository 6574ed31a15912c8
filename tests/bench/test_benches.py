"""
Every benchmark runs, in its smallest form, and says what was asked of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lan.conftest import lan  # noqa: F401

if TYPE_CHECKING:
    from tests.lan.testbed import Lan

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", *arguments, "--json"], cwd=ROOT, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["what"]: row for row in document["rows"]}


def test_crypto_compares_with_the_keys_of_ipv8() -> None:
    document = run("bench.crypto", "--seconds", "0.03")
    found = rows(document)
    assert found["pair guards"]["other"] == "IPv8 verify"
    assert found["pair guards"]["ratio"] > 5
    assert document["machine"]["cores"] >= 1
    assert document["details"]["random bytes"]["not_ours"] > 1000
    for name in ("introductions, stamped, bad signatures, 4,000 looped", "introductions, bad signatures, 100,000"):
        assert sum(document["details"][name].values()) > 10_000, name


def test_pace_simulates_lans_of_the_sizes_asked_for() -> None:
    document = run("bench.pace", "--nodes", "10", "--nodes", "20", "--steady", "30")
    found = rows(document)
    assert 0 < found["20 nodes: introductions, mean"]["value"] < found["20 nodes: introductions, mean"]["limit"]
    assert found["10 nodes: lost for want of room"]["value"] == 0
    assert document["details"]["20 nodes, steady"]["nodes"] == 20


def test_torrents_measures_seeds_hashing_and_a_download() -> None:
    pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")
    found = rows(run("bench.torrents", "--seeds", "5", "--megabytes", "2", "--seconds", "0.1"))
    assert found["5 seeds: all offered again after a start"]["value"] < 10
    assert found["from one process to another"]["value"] > 0


@pytest.mark.lan
def test_join_measures_nodes_and_zeroconf_in_the_same_run(lan: Lan) -> None:  # noqa: F811
    document = run("bench.join", "--joins", "1", "--rounds", "1", "--nodes", "2")
    found = rows(document)
    joined = found["B joins A, from B's exec, median"]
    assert 0 < joined["value"] < 20_000
    assert joined["theirs"] > 500, "zeroconf probes for half a second before it announces"
    assert found["B joins A, from B's ready line, median"]["value"] < joined["value"]
    assert len(document["details"]["ours"]["at_once"]["from_last_ready"]) == 1


@pytest.mark.lan
def test_idle_counts_what_is_sent(lan: Lan) -> None:  # noqa: F811
    document = run("bench.idle", "--seconds", "6", "--settle", "0.5", "--broadcast", "3")
    found = rows(document)
    assert 6 <= found["2 nodes: datagrams"]["value"] <= 400
    assert found["2 nodes: bytes"]["value"] > 100 * found["2 nodes: datagrams"]["value"]
    assert document["details"]["ours_8"]["kinds"]["introduction"] > 0
    assert found["one bootstrap of UDPBroadcastBootstrapper"]["value"] > 60_000
    assert 5 < found["2 nodes: memory (RSS)"]["value"] < 500


@pytest.mark.lan
def test_flood_measures_newcomers_with_and_without_it(lan: Lan) -> None:  # noqa: F811
    document = run("bench.flood", "--seconds", "3", "--newcomers", "1", "--rate", "3000")
    for name, found in document["details"].items():
        assert found["rate"] > 1000, name
        assert found["peer_still_local"], name
        assert found["before_ms"], name
        assert found["during_ms"], name
        assert sum(found["dropped"].values()) > 1000, name


@pytest.mark.lan
def test_throughput_tells_measured_beside_shaped(lan: Lan) -> None:  # noqa: F811
    document = run("bench.throughput", "--rounds", "1", "--rates", "50")
    found = rows(document)
    for side in ("sender", "receiver"):
        assert 0.5 < found[f"50 Mbit/s at the {side}: measured / shaped, median"]["value"] < 1.5


def test_output_into_a_folder_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "--output", str(tmp_path / "no" / "file")], cwd=ROOT,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "there is no folder" in done.stderr


def test_output_has_the_results_of_the_benchmarks_that_ran(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    document = run("bench", "--only", "crypto", "--output", str(output))
    assert json.loads(output.read_text()) == document
    assert set(document) == {"machine", "crypto", "load_after"}


def test_without_namespaces_a_benchmark_says_so_in_one_line() -> None:
    done = subprocess.run([sys.executable, "-m", "bench.join", "--joins", "1"], cwd=ROOT, capture_output=True,
                          env={"TM_NAMESPACE_REFUSED": "no reason"}, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "no reason" in done.stderr.splitlines()[-1]
    assert not done.stdout
