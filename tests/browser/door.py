"""
A door into a machine of the testbed: the browser stands outside, the node listens on its machine's own loopback.
"""
from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from tests.lan.node import Node


class Door:
    """
    Forwards connections to the API of a node; `url` is its page as the browser has it.
    """

    def __init__(self, node: Node) -> None:
        """
        Open it.
        """
        self.machine = node.machine
        self.port = urlsplit(node.url).port or 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/?key={node.key}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        """
        Use it for a while.
        """
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        """
        Shut it.
        """
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                outside, _ = self._listener.accept()
                inside = self.machine.socket(socket.AF_INET, socket.SOCK_STREAM)
                self._sockets += [outside, inside]
                try:
                    inside.connect(("127.0.0.1", self.port))
                except OSError:
                    outside.close()
                    continue
                for source, target in ((outside, inside), (inside, outside)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
