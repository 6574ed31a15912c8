"""
A stock BitTorrent client on the internet, libtorrent with its defaults: `python leech.py FOLDER TORRENT ADDRESS PORT`.
For each line on standard input it prints {"down": bytes so far, "time": of time.monotonic}.
"""

from __future__ import annotations

import json
import os
import sys
import time

import libtorrent


def main() -> None:
    folder, torrent, address, port = sys.argv[1:]
    session = libtorrent.session({"listen_interfaces": "0.0.0.0:0", "enable_dht": False, "enable_lsd": False,
                                  "enable_upnp": False, "enable_natpmp": False, "alert_mask": 0,
                                  "enable_outgoing_utp": os.environ.get("UTP") == "1",
                                  "enable_outgoing_tcp": os.environ.get("UTP") != "1"})
    parameters = libtorrent.add_torrent_params()
    parameters.ti, parameters.save_path = libtorrent.torrent_info(torrent), folder
    handle = session.add_torrent(parameters)
    handle.resume()
    time.sleep(0.5)
    handle.connect_peer((address, int(port)))
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps({"down": handle.status().total_payload_download, "time": time.monotonic()}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
