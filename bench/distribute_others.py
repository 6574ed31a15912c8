"""
What else distributes files on a LAN, for `bench/distribute.py`: udpcast, UFTP, BitTorrent (libtorrent) and HTTP (nginx,
curl). Each tuned for the link and the loss as well as we know how; they are told both.
"""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import sys
from typing import TYPE_CHECKING

from .common import HERE
from .distribute_run import Tool

if TYPE_CHECKING:
    from pathlib import Path

FEC = {0: [], 2: ["--fec", "8x6/120"], 10: ["--fec", "8x24/96"], 20: ["--fec", "8x40/80"]}
"""Of udpcast: stripes x redundant packets / packets of a stripe, by percent of loss."""

SHARE = 0.97
"""Of the link, for tools that are told a rate: more fills queues until they drop."""

NGINX = """
daemon off; master_process off; pid {home}/nginx.pid; error_log stderr crit; user root;
events {{ worker_connections 128; }}
http {{
  access_log off; sendfile on; tcp_nopush on; client_body_temp_path {home}; proxy_temp_path {home};
  fastcgi_temp_path {home}; uwsgi_temp_path {home}; scgi_temp_path {home};
  server {{ listen 8080; root {root}; }}
}}
"""


class Udpcast(Tool):
    """
    By multicast, with forward error correction where packets get lost.
    """

    name = "udpcast"
    programs = ("udp-sender", "udp-receiver")
    package = "Debian package udpcast"
    tuned = True

    def wait(self) -> None:
        """
        Receivers ask a sender that comes later, too.
        """
        for number in range(len(self.run.places)):
            self.run.receiver(number, ["udp-receiver", "--nokbd", "--no-progress", "--interface", "eth0", "--exit-wait",
                                       "100", "--file", str(self.result(number))])
        self.run.settle(9000)

    def send(self) -> None:
        """
        Start once all are there.
        """
        fec = FEC[min(FEC, key=lambda loss: abs(loss - self.run.loss))] if self.tuned else []
        rate = ["--max-bitrate", f"{int(self.run.mbit * SHARE * 1000)}k"] if self.run.mbit else []
        self.run.sender(["udp-sender", "--nokbd", "--no-progress", "--interface", "eth0", "--full-duplex",
                         "--nopointopoint", "--min-receivers", str(len(self.run.places)), "--retries-until-drop", "500",
                         "--rexmit-hello-interval", "100", *rate, *fec, "--file", str(self.run.source)])


class Uftp(Tool):
    """
    By multicast, in passes with NAKs.
    """

    name = "uftp"
    programs = ("uftp", "uftpd")
    package = "Debian package uftp"
    tuned = True

    def wait(self) -> None:
        """
        Each is a daemon; it moves what it got from its temporary folder when it is whole.
        """
        for number, place in enumerate(self.run.places):
            for name in ("part", "done"):
                (place / name).mkdir()
            self.run.receiver(number, ["uftpd", "-d", "-q", "-I", "eth0", "-B", "4194304", "-T", str(place / "part"),
                                       "-D", str(place / "done")])
        self.run.settle(1044)

    def send(self) -> None:
        """
        At a rate; its congestion control (TFMCC) is slower with loss.
        """
        hosts = ",".join(f"0x{socket.inet_aton(machine.interfaces['eth0'].ipv4 or '').hex()}"
                         for machine in self.run.box.receivers)
        rate = int((self.run.mbit or 1000) * SHARE * 1000)
        tuned = ["-b", "1420", "-B", "4194304", "-H", hosts, "-r", "0.05:0.01:0.5", "-s", "50"] if self.tuned else []
        self.run.sender(["uftp", "-R", str(rate), "-I", "eth0", *tuned, str(self.run.source)])

    def done(self, number: int) -> bool:
        """
        When the result is in its place.
        """
        return self.result(number).exists()

    def result(self, number: int) -> Path:
        """
        Under the name it was sent with.
        """
        return self.run.places[number] / "done" / self.run.source.name


class PlainUdpcast(Udpcast):
    """
    Told the rate, not the loss.
    """

    name = "udpcast, untuned"
    tuned = False


class PlainUftp(Uftp):
    """
    Told the rate; not who receives, nor that they are near.
    """

    name = "uftp, untuned"
    tuned = False


class Nginx(Tool):
    """
    One HTTP server, and a curl per receiver that starts when the server listens.
    """

    name = "nginx"
    programs = ("nginx", "curl")
    package = "Debian packages nginx-light and curl"
    ends = False

    def wait(self) -> None:
        """
        Nothing waits.
        """
        (self.run.home / "nginx.conf").write_text(NGINX.format(home=self.run.home, root=self.run.source.parent))

    def send(self) -> None:
        """
        Serve, then fetch.
        """
        self.serve()
        for number in range(len(self.run.places)):
            self.run.receiver(number, ["curl", "-sS", "--fail", "-o", str(self.result(number)),
                                       self.url(self.run.source.name)])

    def url(self, name: str) -> str:
        """
        Return where a file in the folder of the source is.
        """
        return f"http://{self.run.box.sender.interfaces['eth0'].ipv4}:8080/{name}"

    def serve(self) -> None:
        """
        Start the server, and return when it listens.
        """
        self.run.sender(["nginx", "-p", str(self.run.home), "-e", "stderr", "-c", str(self.run.home / "nginx.conf")])
        self.run.until(self._listening, "nginx listens")

    def _listening(self) -> bool:
        with contextlib.suppress(OSError), self.run.box.sender.socket(kind=socket.SOCK_STREAM) as sock:
            sock.connect(("127.0.0.1", 8080))
            return True
        return False


class Torrent(Tool):
    """
    A seed and its peers; who is there is told, so nothing has to be found.
    """

    name = "libtorrent"
    mode = "default"
    package = "pip install libtorrent"
    ends = False

    @classmethod
    def missing(cls) -> str:
        """
        Tell whether libtorrent can be imported.
        """
        return "" if importlib.util.find_spec("libtorrent") else f"{cls.name} is not installed ({cls.package})"

    def wait(self) -> None:
        """
        Peers know each other.
        """
        self.torrent = self.run.home / "a.torrent"
        self.run.finish(self.run.program(self.run.box.sender, self._command(
            "make", str(self.run.source), str(self.torrent))))
        for number, machine in enumerate(self.run.box.receivers):
            others = [self._address(other) for other in self.run.box.receivers if other is not machine]
            self.run.receiver(number, self._command("peer", str(self.torrent), str(self.run.places[number]), *others),
                              lines=True)
        for number in range(len(self.run.places)):
            self.run.expect(self.run.receivers[number], "ready")

    def send(self) -> None:
        """
        The seed knows all peers, and calls them.
        """
        self.run.sender(self._command("seed", str(self.torrent), str(self.run.source.parent),
                                      *map(self._address, self.run.box.receivers)))

    def done(self, number: int) -> bool:
        """
        When it said so; it goes on to give to others.
        """
        return any(line == "done" for _, line in self.run.receivers[number].process.lines)

    def result(self, number: int) -> Path:
        """
        Under the name in the torrent.
        """
        return self.run.places[number] / self.run.source.name

    def _command(self, role: str, *arguments: str) -> list[str]:
        return [sys.executable, str(HERE / "distribute_torrent.py"), role, self.mode, *arguments]

    @staticmethod
    def _address(machine: object) -> str:
        return str(machine.interfaces["eth0"].ipv4)  # type: ignore[attr-defined]


class TorrentTcp(Torrent):
    """
    The same without uTP.
    """

    name = "libtorrent, TCP"
    mode = "tcp"


OTHERS: tuple[type[Tool], ...] = (Udpcast, Uftp, TorrentTcp, Torrent, Nginx)
"""In the order of the table."""

UNTUNED: tuple[type[Tool], ...] = (PlainUdpcast, PlainUftp)
