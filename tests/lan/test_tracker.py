"""
The trackers of two nodes: stock clients on two machines, which know nothing but the tracker of their own machine, find
each other, and one downloads from the other.
"""
from __future__ import annotations

import json
import shutil
import subprocess
import time
from threading import Event
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.torrent_files.making import make_torrent

from .test_torrents import PORT, content, same
from .testbed import Families

if TYPE_CHECKING:
    from pathlib import Path

    from .testbed import Lan, Machine

PATIENCE = 90.0
URL = "http://127.0.0.1:6969/announce"
CLIENTS = ("aria2c", "transmission-daemon")


def stock(machine: Machine, client: str, folder: Path, torrent: Path) -> None:
    """
    Start a client as it comes, with nothing but a tracker to find others by; what is in the folder it checks and seeds.
    """
    command = ["aria2c", "--dir", str(folder), "--listen-port", str(PORT), "--enable-dht=false", "--enable-dht6=false",
               "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--seed-ratio=0", "--check-integrity=true",
               "--no-conf", "--quiet", str(torrent)]
    if client != "aria2c":
        own, watched = folder.parent / f"{machine}-state", folder.parent / f"{machine}-watched"
        own.mkdir()
        watched.mkdir()
        shutil.copy(torrent, watched / "t.torrent")
        (own / "settings.json").write_text(json.dumps({
            "dht-enabled": False, "lpd-enabled": False, "pex-enabled": False, "utp-enabled": False,
            "rpc-enabled": False, "peer-port": PORT, "port-forwarding-enabled": False, "download-dir": str(folder),
            "watch-dir": str(watched), "watch-dir-enabled": True}))
        command = ["env", f"HOME={own}", client, "-f", "-g", str(own)]
    machine.popen(command, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(("seeder", "leecher"), [
    ("aria2c", "transmission-daemon"),
    pytest.param("transmission-daemon", "aria2c", marks=pytest.mark.soak)])
def test_stock_clients_on_two_machines_find_each_other_through_the_trackers_of_two_nodes(
        seeder: str, leecher: str, lan: Lan, tmp_path: Path) -> None:
    missing = [client for client in CLIENTS if shutil.which(client) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    here, there = lan.machines(2, Families.IPV4)
    nodes = [machine.node(tracker_enabled=True, introduction_interval=1) for machine in (here, there)]
    nodes[0].wait_local(nodes[1])
    nodes[1].wait_local(nodes[0])
    root = content(tmp_path / "a")
    torrent = tmp_path / "t.torrent"
    torrent.write_bytes(make_torrent(root, [URL], lambda _done: None, Event()).torrent.data)
    (tmp_path / "b").mkdir()
    began = time.monotonic()
    stock(here, seeder, tmp_path / "a", torrent)
    nodes[0].wait_for(lambda: nodes[0].rest("GET", "/tracker")["clients"] == 1, PATIENCE, "it announced itself")
    stock(there, leecher, tmp_path / "b", torrent)
    nodes[1].wait_for(lambda: same(root, tmp_path / "b" / "programme"), PATIENCE, "all of it has come")
    print(f"{leecher} got 5.1 MB from {seeder} after {time.monotonic() - began:.1f} s")
    [swarm] = nodes[1].rest("GET", "/tracker")["swarms"]
    assert swarm["neighbours"] == 1
    assert swarm["leechers"] + swarm["seeders"] == 1
    assert nodes[0].rest("GET", "/tracker")["url"] == URL
    for machine, other in ((here, there), (there, here)):
        refused = machine.run(["sh", "-c", f"curl -sm 3 http://{other.interfaces['eth0'].ipv4}:6969/announce; echo $?"])
        assert refused.strip() == "7"  # loopback by default: nobody else gets a connection
