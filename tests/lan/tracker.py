"""
The smallest BitTorrent tracker: `python tracker.py PORT` tells everybody who announced himself before (BEP 3, BEP 23).
"""
from __future__ import annotations

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PEERS: dict[bytes, set[bytes]] = {}


class Tracker(BaseHTTPRequestHandler):
    """
    Answers announces.
    """

    def do_GET(self) -> None:
        """
        Remember who asks, by his address and port, and name the others.
        """
        if not self.path.startswith("/announce"):
            self.send_error(404)
            return
        query = parse_qs(urlsplit(self.path).query, encoding="latin-1")
        peers = PEERS.setdefault(query["info_hash"][0].encode("latin-1"), set())
        me = socket.inet_aton(self.client_address[0]) + int(query["port"][0]).to_bytes(2, "big")
        others = b"".join(sorted(peers - {me}))
        peers.discard(me) if query.get("event") == ["stopped"] else peers.add(me)
        answer = b"d8:intervali5e5:peers%d:%se" % (len(others), others)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        """
        Say nothing.
        """


if __name__ == "__main__":
    server = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Tracker)
    print("ready", flush=True)
    server.serve_forever()
