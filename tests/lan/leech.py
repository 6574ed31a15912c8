"""
A stock BitTorrent client on the internet, libtorrent with its defaults: `python leech.py FOLDER TORRENT ADDRESS PORT`
calls a peer there; with SEED=1 in its environment it has all of the content. For each line on standard input it prints
{"down": bytes so far, "time": of time.monotonic}. `python leech.py make FILE TORRENT` makes a torrent.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import libtorrent


def main() -> None:
    folder, torrent, address, port = sys.argv[1:]
    session = libtorrent.session({"listen_interfaces": "0.0.0.0:0", "enable_dht": False, "enable_lsd": False,
                                  "enable_upnp": False, "enable_natpmp": False, "alert_mask": 0,
                                  "enable_outgoing_utp": os.environ.get("UTP") == "1",
                                  "enable_outgoing_tcp": os.environ.get("UTP") != "1"})
    parameters = libtorrent.add_torrent_params()
    parameters.ti, parameters.save_path = libtorrent.torrent_info(torrent), folder
    if os.environ.get("SEED") == "1":
        parameters.flags |= libtorrent.torrent_flags.seed_mode
    handle = session.add_torrent(parameters)
    handle.resume()
    time.sleep(0.5)
    handle.connect_peer((address, int(port)))
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps({"down": handle.status().total_payload_download, "time": time.monotonic()}), flush=True)
    os._exit(0)


def make(file: str, torrent: str) -> None:
    files = libtorrent.file_storage()
    libtorrent.add_files(files, file)
    made = libtorrent.create_torrent(files, 1 << 20)
    libtorrent.set_piece_hashes(made, str(Path(file).parent))
    Path(torrent).write_bytes(libtorrent.bencode(made.generate()))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(*sys.argv[2:])
    else:
        main()
