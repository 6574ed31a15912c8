"""
A node inside a program: opened, used, and gone without a trace.
"""
from __future__ import annotations

import asyncio
import dataclasses
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.standalone.nodes import ROOT, environment, run
from tribler_multicast.control.messages import COMMANDS, EVENTS, Done, ShowSettings, ShowStatus
from tribler_multicast.standalone import NodeError, open_node

from .conftest import closing

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OpenNode


async def test_settings_count_whether_they_are_texts_or_values(open_a: OpenNode, tmp_path: Path) -> None:
    share = tmp_path / "films, and more"
    share.mkdir()
    node = await open_a("a", settings={"feed_interval": "7.5", "dht": False, "connections": 50}, share=[share])
    with node.connect() as user:
        settings = {each["name"]: each for each in (await closing(user, ShowSettings(), Done)).result["settings"]}
        assert [settings[name]["value"] for name in ("feed_interval", "dht", "connections", "share", "nickname")] == [
            7.5, False, 50, [str(share)], "a"]
        assert settings["share"]["source"] == "command line"
        assert len((await closing(user, ShowSettings("dht"), Done)).result["settings"]) == 1


async def test_with_a_port_the_command_line_talks_to_it_too(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await open_a("a", api_port=0), await open_a("b")
    assert b.api is None
    assert a.api is not None
    assert a.api[0].startswith("http://127.0.0.1:")
    said = await asyncio.to_thread(run, "status", "--state-dir", str(tmp_path / "a"))
    assert a.mid in said.stdout
    said = await asyncio.to_thread(run, "status", "--state-dir", str(tmp_path / "b"))
    assert (said.returncode, "no node is running" in said.stderr) == (1, True)


async def test_a_node_that_cannot_start_says_so_in_one_line_and_leaves_nothing(open_a: OpenNode,
                                                                              tmp_path: Path) -> None:
    await open_a("a")
    (tmp_path / "file").touch()
    for folder, settings in (("a", {}), ("file", {}), ("c", {"colour": "red"}), ("c", {"port": "x"}),
                             ("c", {"policy": "group"}), ("c", {"share": "x\0"})):
        with pytest.raises(NodeError) as failed:
            async with open_node(tmp_path / folder, {"interfaces": ["lo"], **settings}):
                pass
        assert "\n" not in str(failed.value)
    async with open_node(tmp_path / "c", {"interfaces": ["lo"]}) as node:  # its lock was given back each time
        assert len(node.mid) == 40


async def test_it_ends_with_its_block_whatever_happens_in_there(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with open_node(tmp_path / "a", {"interfaces": ["lo"]}, api_port=0) as node:
                user = node.connect()
                assert isinstance(await closing(user, ShowStatus(), Done), Done)
                raise ZeroDivisionError
        assert user.closed
        assert not (tmp_path / "a" / "api.json").exists()


def test_the_document_names_every_message_and_its_program_runs(tmp_path: Path) -> None:
    document = (ROOT / "docs" / "control.md").read_text(encoding="utf-8")
    assert [name for name in (*COMMANDS, *EVENTS) if f"`{name}" not in document] == []
    assert set(re.findall(r"`([A-Z][A-Za-z]+)\(", document)) <= {*COMMANDS, *EVENTS}
    for name, given in re.findall(r"`([A-Z][A-Za-z]+)\(([a-z_, ]*)\)`", document):
        known = {each.name for each in dataclasses.fields({**COMMANDS, **EVENTS}[name])}
        assert set(filter(None, given.split(", "))) == known - {"request"}, name
    [program] = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    (tmp_path / "films").mkdir()
    done = subprocess.run([sys.executable, "-c", program.replace("~/", f"{tmp_path}/")], capture_output=True, text=True,
                          env=environment(TRIBLER_MULTICAST_INTERFACES="lo"), timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("{'results': []}\n", "")


def test_a_program_in_another_thread_of_its_own_needs_no_signals(tmp_path: Path) -> None:
    code = ("import asyncio, sys, threading\n"
            "from tribler_multicast.standalone import open_node\n"
            "async def main():\n"
            "    async with open_node(sys.argv[1], {'interfaces': 'lo'}) as node:\n"
            "        print(len(node.mid))\n"
            "thread = threading.Thread(target=lambda: asyncio.run(main()))\n"
            "thread.start(); thread.join()\n")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], env=environment(), capture_output=True,
                          text=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("40\n", "")
