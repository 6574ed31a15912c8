"""
The client that docs/protocol.md ends with, taken from there and run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .testbed import Lan

PROTOCOL = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


def test_client_from_the_protocol_document_hears_a_node(lan: Lan, tmp_path: Path) -> None:
    a, b = lan.machines(2)
    code = PROTOCOL[PROTOCOL.index("```python\n") + len("```python\n"):PROTOCOL.rindex("```")]
    assert len(code.strip().splitlines()) <= 22
    client = tmp_path / "client.py"
    client.write_text(code, encoding="utf-8")
    b.namespace.ip("route add default dev eth0")
    process = b.popen([sys.executable, "-u", str(client)], stdout=subprocess.PIPE)
    node = a.node(nickname="a node")
    line = process.line(20) or ""
    assert node.mid in line
    assert "a node" in line
    assert a.interfaces["eth0"].ipv4 in line
