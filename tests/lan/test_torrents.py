"""
BitTorrent on a LAN: between engines, and with stock clients both ways.
"""
from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.standalone.torrents.runner import Runner

from .testbed import Families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .testbed import Lan, Machine

pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")

TRACKER = Path(__file__).with_name("tracker.py")
PORT, TRACKER_PORT = 51413, 8000
SIZE = 5_000_000
TIMEOUT = 60.0

CLIENTS = ["aria2c", pytest.param("transmission-cli", marks=pytest.mark.soak)]


def stock(client: str, folder: Path, torrent: Path) -> list[str]:
    """
    The command line of a stock client, with nothing but a tracker to find others by; what is there already it checks
    and offers. Transmission 3 asks for data only after ten seconds or more, and with uTP after a minute, whoever its
    peer is.
    """
    if client == "aria2c":
        return ["aria2c", "--dir", str(folder), "--listen-port", str(PORT), "--enable-dht=false", "--enable-dht6=false",
                "--bt-enable-lpd=false", "--seed-ratio=0", "--check-integrity=true", "--bt-tracker-interval=2",
                "--no-conf", "--quiet", str(torrent)]
    own = folder.parent / "transmission"
    own.mkdir(exist_ok=True)
    (own / "settings.json").write_text('{"dht-enabled": false, "lpd-enabled": false, "utp-enabled": false}')
    return ["env", f"HOME={folder.parent}", client, "-w", str(folder), "-p", str(PORT), "-M", "-v", "-g", str(own),
            str(torrent)]


@pytest.fixture
def start() -> Iterator[Callable[..., Runner]]:
    """
    Start engines on machines.
    """
    started: list[Runner] = []

    def run(machine: Machine, folder: Path, **settings: object) -> Runner:
        addresses = [address for name in machine.interfaces
                     if (address := machine.interfaces[name].ipv4 or machine.interfaces[name].ipv6)]
        started.append(Runner(folder, *addresses, prefix=machine.namespace.command([]), **settings))
        return started[-1]

    yield run
    for runner in started:
        runner.kill()


def content(folder: Path, name: str = "programme") -> Path:
    """
    A folder to share.
    """
    root = folder / name
    (root / "sub").mkdir(parents=True)
    (root / "film.bin").write_bytes(random.Random(3).randbytes(SIZE))
    (root / "sub" / "text").write_bytes(random.Random(4).randbytes(100_000))
    return root


def same(one: Path, other: Path) -> bool:
    names = ("film.bin", "sub/text")
    return all((other / name).is_file() and (other / name).stat().st_size == (one / name).stat().st_size
               and (other / name).read_bytes() == (one / name).read_bytes() for name in names)


def tracker_on(machine: Machine) -> str:
    process = machine.popen([sys.executable, str(TRACKER), str(TRACKER_PORT)], stdout=subprocess.PIPE)
    assert process.line() == "ready"
    return f"http://{machine.interfaces['eth0'].ipv4}:{TRACKER_PORT}/announce"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_stock_client_downloads_from_a_node(
        client: str, lan: Lan, start: Callable[..., Runner], tmp_path: Path) -> None:
    if shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    here, there = lan.machines(2, Families.IPV4)
    root = content(tmp_path / "a")
    node = start(here, tmp_path / "a")
    node.make(root, output=str(tmp_path / "t.torrent"), trackers=[tracker_on(here)])
    began = time.monotonic()
    (tmp_path / "b").mkdir()
    there.popen(stock(client, tmp_path / "b", tmp_path / "t.torrent"), stdout=subprocess.DEVNULL)
    while not same(root, tmp_path / "b" / "programme"):
        assert time.monotonic() - began < TIMEOUT
        time.sleep(0.1)
    print(f"{client} got {SIZE / 1e6} MB from a node in {time.monotonic() - began:.1f} s")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_stock_client_seeds_to_a_node_that_is_told_its_address(
        client: str, lan: Lan, start: Callable[..., Runner], tmp_path: Path) -> None:
    if shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    here, there = lan.machines(2, Families.IPV4)
    root = content(tmp_path / "b")
    maker = start(here, tmp_path / "maker")
    infohash = maker.make(root, output=str(tmp_path / "t.torrent"))
    maker.kill()
    there.popen(stock(client, tmp_path / "b", tmp_path / "t.torrent"), stdout=subprocess.DEVNULL)
    node = start(here, tmp_path / "a")
    began = time.monotonic()
    while node.told.get(infohash, {}).get("state") != "seeding":  # the client takes a moment to check what it has
        node.do("fetch", magnet=f"magnet:?xt=urn:btih:{infohash}", peers=[[there.interfaces["eth0"].ipv4, PORT]])
        assert time.monotonic() - began < TIMEOUT
        time.sleep(1)
    assert same(root, node.downloads / "programme")
    print(f"a node got {SIZE / 1e6} MB from {client} in {time.monotonic() - began:.1f} s")


@pytest.mark.parametrize("families", [Families.DUAL, Families.IPV4])
def test_three_nodes_share_what_one_has_and_survive_it(
        families: Families, lan: Lan, start: Callable[..., Runner], tmp_path: Path) -> None:
    machines = lan.machines(3, families)
    root = content(tmp_path / "a")
    a, b, c = (start(machine, tmp_path / name) for machine, name in zip(machines, "abc", strict=True))
    infohash = a.make(root)
    magnet = f"magnet:?xt=urn:btih:{infohash}"
    address = machines[0].interfaces["eth0"].ipv4
    b.do("fetch", magnet=magnet, peers=[[address, a.port]])
    b.wait(infohash)
    a.kill()
    c.do("fetch", magnet=magnet, peers=[[machines[1].interfaces["eth0"].ipv4, b.port]])
    c.wait(infohash)
    assert same(root, b.downloads / "programme")
    assert same(root, c.downloads / "programme")


def test_a_node_talks_to_nobody_of_its_own_accord(lan: Lan, start: Callable[..., Runner], tmp_path: Path) -> None:
    """Nothing leaves while it seeds or looks for metadata: no DHT, no port mapping, no local service discovery."""
    here, _ = lan.machines(2, Families.IPV4)
    node = start(here, tmp_path / "a")
    sniffer = here.sniff("eth0")
    infohash = node.make(content(tmp_path / "a"))
    node.wait(infohash)
    node.do("fetch", magnet=f"magnet:?xt=urn:btih:{'ab' * 20}")
    time.sleep(3)
    assert [packet for packet in sniffer.packets if packet.source == here.interfaces["eth0"].ipv4] == []
    assert not here.run(["sh", "-c", "cat /proc/net/tcp | grep -v ' 0A ' | grep -v local || true"])
