"""
The clients that docs/protocol.md ends with, taken from there and run.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .testbed import Lan

PROTOCOL = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
LISTENER, SPEAKER = re.findall(r"```python\n(.*?)```", PROTOCOL, re.DOTALL)[-2:]


def code_lines(code: str) -> int:
    """
    Count the lines that are neither empty nor only a comment.
    """
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in code.splitlines())


def test_client_from_the_protocol_document_hears_a_node(lan: Lan, tmp_path: Path) -> None:
    a, b = lan.machines(2)
    assert code_lines(LISTENER) <= 22
    client = tmp_path / "client.py"
    client.write_text(LISTENER, encoding="utf-8")
    b.namespace.ip("route add default dev eth0")
    process = b.popen([sys.executable, "-u", str(client)], stdout=subprocess.PIPE)
    node = a.node(nickname="a node")
    line = process.line(20) or ""
    assert node.mid in line
    assert "a node" in line
    assert a.interfaces["eth0"].ipv4 in line


def test_client_by_who_read_only_the_document_is_local_and_exchanges_a_tuple_with_a_node(lan: Lan,
                                                                                        tmp_path: Path) -> None:
    a, b = lan.machines(2)
    assert code_lines(SPEAKER) <= 31
    client = tmp_path / "client.py"
    client.write_text(SPEAKER, encoding="utf-8")
    node = a.node(nickname="living room")
    process = b.popen([sys.executable, "-u", str(client), b.interfaces["eth0"].ipv4 or ""], stdout=subprocess.PIPE)
    node.wait_for(lambda: any(peer["is_local"] and peer["nickname"] == "client" for peer in node.peers().values()),
                  10, "the client to be local")
    node.wait_for(lambda: node.rest("GET", "/announcements")["announcements"], 10, "the tuple of the client")
    [announced] = node.rest("GET", "/announcements")["announcements"]
    assert announced["values"] == ["hi", 42]
    assert announced["mid"] in node.peers()
    node.rest("POST", "/announcements", {"values": ["from the node", 7]})
    introduced, heard = f"{node.mid} ['living room']", list[str]()
    until = time.monotonic() + 15
    while not {introduced, "7"} <= set(heard) and time.monotonic() < until:
        heard.append((process.line(7) or "").strip())
    assert introduced in heard
    assert heard[heard.index("7") - 1] == "from the node"
