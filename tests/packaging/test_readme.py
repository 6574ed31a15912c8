"""
What the README and the install guide say is true of what is there.
"""
from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tribler_multicast.cli import make_parser
from tribler_multicast.lan.endpoint import LanConfig
from tribler_multicast.settings import SETTINGS
from tribler_multicast.standalone.torrents.session import KNOWN_PORTS

TREE = Path(__file__).resolve().parents[2]
README = (TREE / "README.md").read_text(encoding="utf-8")
INSTALL = (TREE / "docs" / "install.md").read_text(encoding="utf-8")
ALL = README + INSTALL + (TREE / "CONTRIBUTING.md").read_text(encoding="utf-8")
START_TIMEOUT = 20.0


def commands() -> set[str]:
    """
    The commands of the program, read from its own parser.
    """
    return {name for action in make_parser()._actions if isinstance(action.choices, dict) for name in action.choices}


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """
    What the process says up to the line that has this text in it.
    """
    assert process.stdout is not None
    said = ""
    deadline = time.monotonic() + START_TIMEOUT
    while text not in said:
        ready = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]
        line = process.stdout.readline() if ready else ""
        assert line, f"no {text!r} within {START_TIMEOUT:g} s, only: {said}"
        said += line
    return said


def test_the_table_lists_each_command_of_the_program_and_no_other() -> None:
    table = README[README.index("| command | does |"):README.index("**REST.**")]
    assert set(re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)) == commands()


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (TREE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"run", "test", "soak", "bench", "lint", "clean", "help"} <= targets
    named = re.findall(r"(?:`|^)make (?:PYTHON=\S+ )?([a-z]+)", ALL, re.MULTILINE)
    assert len(named) > 5
    assert set(named) <= targets


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"`settings ([a-z_0-9]+)=", ALL)) | \
        {name.lower() for name in re.findall(r"TRIBLER_MULTICAST_([A-Z_0-9]+)", ALL)}
    assert {"enabled", "interfaces", "interfaces_deny", "nickname"} <= named
    assert named <= set(SETTINGS)


def test_the_firewall_ports_are_those_that_are_used() -> None:
    config = LanConfig()
    last = config.first_port + config.ports - 1
    assert (SETTINGS["port"].default, SETTINGS["control_port"].default) == (config.port, config.first_port)
    assert config.first_port == config.port + 1
    first, behind = KNOWN_PORTS[0], KNOWN_PORTS[-1]
    assert first == last + 1
    for begin, least in ((config.port, 4), (first, 4)):
        assert README.count(f"{begin}:{behind}") + README.count(f"{begin}-{behind}") >= least
    assert f"**{config.port} to {last}**" in README
    assert f"**{first} to {behind}**" in README
    assert f"{first}-{behind}" in INSTALL
    assert config.group4 in INSTALL
    assert config.group6 in INSTALL


@pytest.mark.parametrize("text", [README, INSTALL, (TREE / "CONTRIBUTING.md").read_text(encoding="utf-8")],
                         ids=["readme", "install", "contributing"])
def test_every_file_that_is_linked_exists(text: str) -> None:
    folder = TREE / "docs" if text is INSTALL else TREE
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https:")]
    assert links
    assert [link for link in links if link and not (folder / link).exists()] == []


def test_the_example_is_a_client_that_sees_a_running_node(tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    environment = {**os.environ, "TRIBLER_MULTICAST_INTERFACES": "lo", "PYTHONUNBUFFERED": "1"}
    program = [sys.executable, "-m", "tribler_multicast"]
    with subprocess.Popen([*program, "node", "--state-dir", str(tmp_path), "--nickname", "nas"], env=environment,
                          cwd=TREE, stdout=subprocess.PIPE, text=True) as node:
        try:
            read_until(node, '"ready"')
            with subprocess.Popen([sys.executable, "-c", example.group(1)], env=environment, cwd=TREE, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
                try:
                    said = read_until(client, "answered from")
                finally:
                    client.kill()
            assert re.search(r"^nas is local, at \[\('ipv4', '127\.0\.0\.1', 321\d\d\)", said, re.MULTILINE)
        finally:
            node.terminate()
            assert node.wait(10) == 0
