"""
The commands that talk to a running node, and those that find none.
"""
from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from .nodes import environment, run, run_here, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import StartNode

TALKING = [["status"], ["peers"], ["settings"], ["discover", "--timeout", "0.2"], ["announce", "[]"], ["listen"]]


@pytest.mark.parametrize("command", ["", "node", "status", "peers", "settings", "discover", "announce",
                                     "listen", "doctor"])
def test_every_command_has_help(command: str) -> None:
    done = run_here(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--state-dir" in done.stdout


@pytest.mark.parametrize("arguments", [
    [], ["dance"], ["status", "--no-such"], ["status", "stray"], ["discover", "--timeout", "0"],
    ["discover", "--timeout", "nan"], ["discover", "--timeout", "soon"], ["settings", "no_such"],
    ["settings", "ipv4=maybe"], ["settings", "=1"], ["settings", "a=1", "b=2"], ["settings", ""],
    ["status", "--state-dir"], ["status", "--state-dir", ""], ["status", "--state-dir", "~no-such-user/x"]])
def test_wrong_usage_is_one_line_and_status_2(tmp_path: Path, arguments: list[str]) -> None:
    tail = ["--state-dir", str(tmp_path)] if arguments and "--state-dir" not in arguments else []
    done = run_here(*arguments, *tail)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", TALKING)
def test_without_a_node_one_line_says_so(tmp_path: Path, command: list[str]) -> None:
    for content in (None, "{", "[]", '{"url": 1, "key": "k", "page": ""}',
                    '{"url": "http://[", "key": "k", "page": ""}',
                    '{"url": "http://127.0.0.1:1", "key": "k", "page": ""}', '{"url": "", "key": "k", "page": ""}',
                    '{"url": "http://127.0.0.1:99999", "key": "k", "page": ""}'):
        if content is not None:
            (tmp_path / "api.json").write_text(content)
        execute = run if content is None else run_here
        done = execute(*command, "--state-dir", str(tmp_path), "--json")
        assert (done.returncode, done.stdout) == (1, ""), content
        assert len(done.stderr.splitlines()) == 1, content


def test_another_program_on_the_port_is_not_taken_for_a_node(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        (tmp_path / "api.json").write_text(json.dumps({"url": url, "key": "k", "page": url}))
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"220 mail.example ESMTP\r\n", b""):
            def serve(answer: bytes = answer) -> None:
                connection, _ = server.accept()
                connection.recv(4096)
                connection.sendall(answer)
                connection.close()

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            done = run("status", "--state-dir", str(tmp_path))
            thread.join(10)
            assert (done.returncode, done.stdout) == (1, ""), answer
            assert len(done.stderr.splitlines()) == 1, answer


@pytest.mark.parametrize("proxies", [{}, {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1",
                                          "all_proxy": "http://127.0.0.1:1"}])
def test_commands_give_what_rest_gives_whatever_proxies_are_set(start_node: StartNode, proxies: dict[str, str]) -> None:
    first, second = start_node("a", "--nickname", "kitchen"), start_node("b")
    wait_for(lambda: first.mid in second.peers())
    state = ["--state-dir", str(second.state_dir)]
    done = run("status", *state, "--json", **proxies)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["mid"] == second.mid
    [peer] = json.loads(run("peers", "--json", *state, **proxies).stdout)["peers"]
    assert peer["mid"] == first.mid
    table = run("peers", *state, **proxies).stdout
    assert "kitchen" in table
    assert "local" in table
    assert first.mid in table
    done = run("discover", "--timeout", "1", "--json", *state, **proxies)
    assert [peer["mid"] for peer in json.loads(done.stdout)["peers"]] == [first.mid]
    assert second.mid in run("status", *state, **proxies).stdout
    assert "findings" in json.loads(run("doctor", "--json", *state, **proxies).stdout)


def test_a_capability_that_nobody_has_finds_nobody_and_one_that_is_none_is_wrong_usage(start_node: StartNode) -> None:
    state = ["--state-dir", str(start_node("a").state_dir)]
    start_node("b")
    done = run("discover", "--timeout", "0.3", "--capability", "stream", "--json", *state)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"peers": []})
    done = run("discover", "--timeout", "0.3", "--capability", "teleport", *state)
    assert (done.returncode, done.stdout) == (2, "")
    assert "teleport" in done.stderr


def test_settings_are_shown_and_changed(start_node: StartNode) -> None:
    node = start_node("a")
    state = ["--state-dir", str(node.state_dir)]
    assert "introduction_interval" in run("settings", *state).stdout
    done = run("settings", "nickname=Küche, links", *state)
    assert done.returncode == 0
    assert "Küche, links" in done.stdout
    [setting] = json.loads(run("settings", "nickname", "--json", *state).stdout)["settings"]
    assert setting["value"] == "Küche, links"
    assert run("settings", "ipv6=false", *state).returncode == 0
    assert run("settings", "ipv6=perhaps", *state).returncode == 2
    assert run("settings", "nickname=", *state).returncode == 0
    values = {setting["name"]: setting["value"] for setting in node.call("GET", "/settings")[1]["settings"]}
    assert (values["nickname"], values["ipv6"]) == ("", False)


def test_the_doctor_works_with_no_node(tmp_path: Path) -> None:
    done = run("doctor", "--json", "--state-dir", str(tmp_path / "none"), TRIBLER_MULTICAST_INTERFACES="lo")
    assert (done.returncode, done.stderr) == (0, "")
    findings = json.loads(done.stdout)["findings"]
    assert {finding["severity"] for finding in findings} <= {"ok", "info", "warning", "error"}
    assert any(finding["what"] == "multicast works inside this machine with IPv4 on lo" for finding in findings)
    assert not (tmp_path / "none").exists()


def test_the_doctor_says_which_settings_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"port": 5}')
    done = run("doctor", "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "port" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_local_is_green_on_a_terminal_and_plain_in_a_pipe(start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    wait_for(lambda: first.mid in second.peers())
    command = [sys.executable, "-m", "tribler_multicast", "peers", "--state-dir", str(second.state_dir)]
    screen, terminal = pty.openpty()
    subprocess.run(command, stdout=terminal, env={**environment(), "NO_COLOR": ""}, check=True, timeout=20)
    assert b"\x1b[32mlocal\x1b[0m" in os.read(screen, 65536)
    os.close(screen)
    os.close(terminal)
    assert "\x1b" not in run("peers", "--state-dir", str(second.state_dir)).stdout


def test_a_reader_that_has_seen_enough_is_no_error(start_node: StartNode) -> None:
    node = start_node("a")
    command = [sys.executable, "-m", "tribler_multicast", "settings", "--state-dir", str(node.state_dir)]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment(), check=False, timeout=20)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_one_line(start_node: StartNode) -> None:
    node = start_node("a")
    command = [sys.executable, "-m", "tribler_multicast", "status", "--state-dir", str(node.state_dir)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment(), check=False, timeout=20)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_commands_start_fast_because_they_load_no_server() -> None:
    code = ("import sys; from tribler_multicast.cli import make_parser; make_parser(); "
            "from tribler_multicast import cli_client, cli_render; "
            "print([name for name in ('aiohttp', 'ipv8', 'pony', 'asyncio', 'psutil') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True,
                          timeout=20)
    assert done.stdout.strip() == "[]"


def test_the_package_exports_lazily() -> None:
    code = ("import sys, tribler_multicast; assert 'ipv8' not in sys.modules; "
            "assert 'MulticastCommunity' in dir(tribler_multicast); from tribler_multicast import MulticastCommunity; "
            "print(MulticastCommunity.__name__, tribler_multicast.__version__, hasattr(tribler_multicast, 'nothing'))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True,
                          timeout=20)
    assert done.stdout.strip() == "MulticastCommunity 0.1.0 False"
