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

from bench.coding_paths import all_paths
from bench.coding_peers import Missing, peers
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


def test_feeds_measures_what_a_hostile_feed_costs() -> None:
    document = run("bench.feeds", "--feed", "90,000 items", "--feed", "1 GB")
    found = rows(document)
    assert found["1 GB: until it is over"]["value"] > 0
    assert found["90,000 items: memory grown by"]["value"] > 0
    assert document["details"]["90,000 items"]["said"] == "subscribed, 2,000 items"
    assert document["details"]["1 GB"]["said"].endswith("/gigabyte is larger than 4,194,304 bytes")


def test_content_compares_hashing_and_writing_with_what_everybody_has(tmp_path: Path) -> None:
    document = run("bench.content", "--size", "8", "--memory", "16", "--rounds", "1", "--folder", str(tmp_path))
    found = rows(document)
    assert found["hashing 8 MiB, one core"]["theirs"] > 0
    assert found["memory (RSS) of a receiver of 16 MiB"]["value"] < 150
    assert found["hash tree of 1 TiB, bytes of its own"]["value"] < 70
    assert not list(tmp_path.iterdir())


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
    document = run("bench.idle", "--nodes", "3", "--seconds", "5", "--settle", "0.5", "--broadcast", "2")
    found = rows(document)
    assert 6 <= found["2 nodes: datagrams"]["value"] <= 400
    assert found["2 nodes: bytes"]["value"] > 100 * found["2 nodes: datagrams"]["value"]
    assert document["details"]["ours_3"]["kinds"]["introduction"] > 0
    assert found["one bootstrap of UDPBroadcastBootstrapper"]["value"] > 60_000
    assert 5 < found["2 nodes: memory (RSS)"]["value"] < 500


@pytest.mark.lan
def test_flood_measures_newcomers_with_and_without_it(lan: Lan) -> None:  # noqa: F811
    document = run("bench.flood", "--seconds", "1.5", "--newcomers", "1", "--rate", "3000")
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


@pytest.mark.lan
def test_batch_compares_cut_and_glued_with_one_by_one_and_asyncio(lan: Lan) -> None:  # noqa: F811
    document = run("bench.batch", "--rounds", "1", "--seconds", "0.4", "--scene", "1 Gbit/s", "--mode", "ours",
                   "--mode", "asyncio")
    found = rows(document)
    for each in ("sender's", "each receiver's"):
        row = found[f"1 Gbit/s, cut and glued: {each} processor per gigabit"]
        assert row["other"] == "asyncio"
        assert row["ratio"] > 1.5
    assert found["1 Gbit/s, cut and glued: goodput of the worst of 4"]["value"] > 20
    assert document["details"]["1 Gbit/s"]["ours"]["datagrams_per_call"] > 4, "glued"
    assert document["details"]["1 Gbit/s"]["asyncio"]["datagrams_per_call"] == 1


def test_coding_compares_every_path_with_what_is_installed() -> None:
    document = run("bench.coding", "--k", "16", "--rounds", "1", "--turn", "0")
    found = rows(document)
    for path in all_paths():
        for task in ("encode", "recode", "decode, all coded", "decode, 5% lost", "product"):
            assert found[f"k=16 {task}: {path}"]["value"] > 0, path
    assert 1 <= found["memory of a decoder, decoded, k=64, 1344 bytes"]["value"] < 2
    assert found["Python, 64 packets in a call, from buffer to symbols"]["unit"] == "ns/packet"
    names = {"raptorq": "k=16 encode", "zfec": "k=16 encode", "ISA-L": "k=16 product",
             "ISA-L with AVX2": "k=16 product"}
    for name in document["details"]["others"]:
        assert document["details"][names[name]][name] > 0, name
    assert len(document["details"]["others"]) + len(document["details"]["missing"]) == 4


def test_coding_says_which_of_the_others_are_missing() -> None:
    class Nowhere:
        def __init__(self) -> None:
            raise Missing("nothing is installed (pip install nothing)")

    assert peers((Nowhere,)) == ([], ["nothing is installed (pip install nothing)"])


def test_checksums_find_every_changed_byte() -> None:
    document = run("bench.checksums", "--rounds", "1", "--trials", "500")
    found = rows(document)
    assert found["packets with a changed byte that passed"]["value"] == 0
    for path in all_paths():
        assert found[f"{path}: a batch at once"]["value"] > 0, path


def test_weather_sim_simulates_houses() -> None:
    document = run("bench.weather_sim", "--runs", "1", "--seeds", "1", "--nodes", "3", "--liars", "0")
    found = rows(document)
    assert found["live stream beside bulk, without: queue, p95"]["value"] > 300
    assert found["live stream beside bulk, with the plugin: queue, p95"]["value"] < 60
    assert found["told apart, of 100: air"]["value"] == 100


def test_transfer_sim_distributes_on_simulated_links() -> None:
    document = run("bench.transfer_sim", "--size", "2", "--receivers", "2", "--loss", "0.02")
    found = rows(document)
    assert 0.16 < found["1 to 2, 2% loss: last receiver done"]["value"] < 0.6
    assert 1.05 < found["1 to 2, 2% loss: sender's bytes / file"]["value"] < 1.3


def test_session_speed_measures_both_sides_with_and_without_native_code() -> None:
    found = rows(run("bench.session_speed", "--size", "2", "--rounds", "1"))
    for what in ("sender, 0% lost", "receiver, 0% lost", "sender, 2% lost", "receiver, 2% lost",
                 "sender, 0% lost, sealed", "receiver, 0% lost, sealed"):
        assert found[what]["value"] > 0
        assert found[what]["theirs"] > 0
    for path in all_paths():
        assert path == "fallback" or found[f"MAC and head, {path}"]["theirs"] > 0
        assert path == "fallback" or found[f"ChaCha20, {path}"]["theirs"] > 0


def test_defence_costs_no_bytes_unless_all_is_checked() -> None:
    document = run("bench.defence", "--size", "2", "--rounds", "1")
    found = rows(document)
    assert found["evidence: bytes for one receiver, of the content"]["value"] == 1
    assert 1 < found["checked: bytes for one receiver, of the content"]["value"] < 1.02
    assert found["checked: receiver"]["value"] > 0
    assert document["details"]["packets checked"] > document["details"]["packets"] / 2


def test_overhead_counts_packets_that_told_nothing_new() -> None:
    document = run("bench.overhead", "--generations", "100", "--only", "direct", "--only", "relays", "--k", "16")
    found = rows(document)
    assert found["k=16 direct, systematic first, 0% loss"]["value"] == 0
    assert found["k=16 2 relays, all coded, 5% loss"]["value"] < 1
    assert document["details"]["direct, all coded, 20% loss"]["generations"] == 100


def test_control_measures_what_messages_cost_and_what_is_not_read() -> None:
    document = run("bench.control", "--calls", "20", "--rounds", "1", "--facts", "2000")
    rows = {row["what"].split(",")[0]: row["value"] for row in document["rows"]}
    assert rows["REST / queues"] > 1
    assert rows["events that wait for it"] == 1125


def test_shares_are_indexed_searched_and_watched(tmp_path: Path) -> None:
    document = run("bench.shares", "--files", "400", "--rounds", "1", "--idle", "0.2", "--searches", "5",
                   "--changes", "1", "--no-polled", "--folder", str(tmp_path))
    found = rows(document)
    assert found["first index"]["other"] == "s os.walk and stat"
    assert 0 < found["first index"]["theirs"] < found["first index"]["value"]
    for what in ("inotify: a new file, slowest of 1", "inotify: the same, removed, slowest of 1"):
        assert 0 < found[what]["value"] < 5, what
    assert not list(tmp_path.iterdir())


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
