"""
A BitTorrent client for `bench/distribute.py`.

    python bench/distribute_torrent.py make MODE PATH TORRENT
    python bench/distribute_torrent.py {seed,peer} {default,tcp} TORRENT FOLDER ADDRESS...

Nothing is looked for (no DHT, no LSD, no tracker, no port mapping): peers are told. Everybody is unchoked. A peer says
"ready" when it waits, and "done" when its pieces are on the disk; both roles go on until they are ended.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import libtorrent

PORT = 6881
PIECE = 256 * 1024
SETTINGS: dict[str, Any] = {
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "listen_interfaces": f"0.0.0.0:{PORT}", "allow_multiple_connections_per_ip": True,
    "unchoke_slots_limit": -1, "connection_speed": 100, "min_reconnect_time": 1, "peer_connect_timeout": 5,
    "alert_mask": libtorrent.alert.category_t.status_notification,
}
TCP = {"enable_outgoing_utp": False, "enable_incoming_utp": False}


def make(source: Path, target: Path) -> None:
    """
    Hash a file or folder.
    """
    files = libtorrent.file_storage()
    libtorrent.add_files(files, str(source))
    torrent = libtorrent.create_torrent(files, PIECE, libtorrent.create_torrent.v1_only)
    libtorrent.set_piece_hashes(torrent, str(source.parent))
    target.write_bytes(libtorrent.bencode(torrent.generate()))


def share(role: str, mode: str, torrent: Path, folder: str, others: list[str]) -> None:
    """
    Seed it, or get it and share it.
    """
    session = libtorrent.session({**SETTINGS, **(TCP if mode == "tcp" else {})})
    parameters = libtorrent.add_torrent_params()
    parameters.ti, parameters.save_path = libtorrent.torrent_info(str(torrent)), folder
    flags = libtorrent.torrent_flags
    parameters.flags &= ~(flags.paused | flags.auto_managed)
    if role == "seed":
        parameters.flags |= flags.seed_mode
    handle = session.add_torrent(parameters)
    while handle.status().state not in (libtorrent.torrent_status.downloading, libtorrent.torrent_status.seeding):
        time.sleep(0.01)
    for address in others:
        handle.connect_peer((address, PORT))
    print("ready", flush=True)
    said = role == "seed"
    while True:
        session.wait_for_alert(50)
        done = any(isinstance(alert, libtorrent.torrent_finished_alert) for alert in session.pop_alerts())
        if not said and (done or handle.status().is_seeding):
            handle.flush_cache()
            said = True
            print("done", flush=True)


def main() -> None:
    """
    Do what is asked.
    """
    role, mode, first, second, *others = sys.argv[1:]
    if role == "make":
        make(Path(first), Path(second))
    else:
        share(role, mode, Path(first), second, others)


if __name__ == "__main__":
    main()
