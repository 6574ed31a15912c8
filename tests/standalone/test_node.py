"""
The life of a standalone node, seen from outside.
"""
from __future__ import annotations

import http.client
import json
import signal
import socket
import stat
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from .nodes import run, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import StartNode
    from .nodes import RunningNode


def one_line(text: str) -> str:
    """
    The only line of a text.
    """
    [line] = text.splitlines()
    return line


def test_the_ready_line_says_where_the_api_is_and_who_the_node_is(start_node: StartNode) -> None:
    node = start_node("a")
    assert node.ready["event"] == "ready"
    assert len(bytes.fromhex(node.mid)) == 20
    parts = urlsplit(node.ready["api"])
    assert (parts.scheme, parts.hostname) == ("http", "127.0.0.1")
    page = urlsplit(node.ready["page"])
    assert page.netloc == parts.netloc
    assert parse_qs(page.query) == {"key": [node.key]}
    status, answer = node.call("GET", "/status")
    assert (status, answer["mid"], answer["client"]) == (200, node.mid, "standalone")
    assert [(interface["name"], "ipv4" in interface["joined"]) for interface in answer["interfaces"]] == [("lo", True)]


def test_api_json_is_for_the_user_only_and_goes_with_the_node(start_node: StartNode) -> None:
    node = start_node("a")
    api = node.state_dir / "api.json"
    assert stat.S_IMODE(api.stat().st_mode) == 0o600
    content = json.loads(api.read_text())
    assert content["url"] == node.ready["api"]
    assert len(content["key"]) >= 32
    assert node.stop()[0] == 0
    assert not api.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_node_in_order_within_two_seconds(start_node: StartNode, number: int) -> None:
    node = start_node("a")
    status, seconds = node.stop(number)
    assert status == 0
    assert seconds < 2
    assert node.errors.read_text() == ""


def test_open_event_streams_do_not_hold_up_the_end(start_node: StartNode) -> None:
    node = start_node("a")
    parts = urlsplit(node.ready["api"])
    with socket.create_connection((parts.hostname, parts.port), 5) as stream, \
            socket.create_connection((parts.hostname, parts.port), 5) as half:
        stream.sendall(f"GET /api/multicast/events?key={node.key} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert b"200 OK" in stream.recv(1000)
        half.sendall(f"POST /api/multicast/discover?key={node.key} HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Length: 1000\r\n\r\n{".encode())
        time.sleep(0.2)
        status, seconds = node.stop()
        assert stream.recv(1000).endswith(b"0\r\n\r\n")  # in order, not cut off
    assert status == 0
    assert seconds < 2


def test_a_node_with_nothing_to_do_does_nothing(start_node: StartNode) -> None:
    process = psutil.Process(start_node("a").process.pid)
    time.sleep(1)
    before = process.cpu_times()
    time.sleep(3)
    after = process.cpu_times()
    assert after.user + after.system - before.user - before.system < 0.1


def test_two_nodes_find_each_other_and_goodbye_is_heard(start_node: StartNode) -> None:
    first, second = start_node("a", "--nickname", "kitchen"), start_node("b")
    wait_for(lambda: second.mid in first.peers() and first.mid in second.peers())
    peer = second.peers()[first.mid]
    assert (peer["nickname"], peer["is_local"], peer["online"], peer["interface"]) == ("kitchen", True, True, "lo")
    second.stop()
    wait_for(lambda: not first.peers()[second.mid]["is_local"], 2)
    peer = first.peers()[second.mid]
    assert (peer["was_local"], peer["online"]) == (True, False)


def test_peers_stay_known_and_the_identity_stays_the_same_after_a_restart(start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    wait_for(lambda: second.mid in first.peers() and first.mid in second.peers())
    second.stop()
    first.stop()
    again = start_node("a")
    assert again.mid == first.mid
    peer = again.peers()[second.mid]
    assert (peer["is_local"], peer["was_local"], peer["online"]) == (False, True, False)


def test_the_api_is_there_again_after_a_kill(start_node: StartNode) -> None:
    node = start_node("a")
    node.process.kill()
    node.process.wait(10)
    done = run("status", "--state-dir", str(node.state_dir))
    assert (done.returncode, done.stdout) == (1, "")
    assert "no node is running" in one_line(done.stderr)
    assert start_node("a").call("GET", "/status")[0] == 200


def test_a_second_node_on_the_same_state_dir_says_so(start_node: StartNode) -> None:
    node = start_node("a")
    done = run("node", "--set", "interfaces=lo", "--state-dir", str(node.state_dir))
    assert (done.returncode, done.stdout) == (1, "")
    assert "in use" in one_line(done.stderr)
    assert node.call("GET", "/status")[0] == 200
    assert (node.state_dir / "api.json").exists()


def test_a_port_in_use_is_said_and_nothing_is_made(start_node: StartNode, tmp_path: Path) -> None:
    port = urlsplit(start_node("a").ready["api"]).port
    done = run("node", "--set", "interfaces=lo", "--state-dir", str(tmp_path / "b"), "--api-port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert str(port) in one_line(done.stderr)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("arguments", [
    ["--set", "no_such=1"], ["--set", "ipv4"], ["--set", "ipv4=maybe"], ["--set", "port=80"], ["--set", "="],
    ["--set", "port=32109.5"], ["--set", ""], ["--set", "nickname=" + "x" * 65], ["--set", "introduction_interval=nan"],
    ["--nickname", "x" * 65], ["--nickname", "a\nb"], ["--api-port", "70000"], ["--api-port", "-1"],
    ["--api-port", "http"], ["--api-key", ""], ["--api-key", "a b"], ["--api-key", "a\r\nb"], ["--api-host", ""],
    ["--api-host", "a b"], ["--api-host", "http://x"], ["--no-such"], ["stray"], ["--api-p", "0"], ["--set"]])
def test_wrong_usage_is_one_line_status_2_and_makes_nothing(tmp_path: Path, arguments: list[str]) -> None:
    done = run("node", "--state-dir", str(tmp_path / "a"), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("host", ["192.0.2.77", "no-such-host.invalid", "999.1.1.1", "2001:db8::77"])
def test_a_host_that_is_not_of_this_machine_is_refused_in_one_line(tmp_path: Path, host: str) -> None:
    done = run("node", "--set", "interfaces=lo", "--state-dir", str(tmp_path / "a"), "--api-host", host)
    assert (done.returncode, done.stdout) == (1, "")
    assert host in one_line(done.stderr)
    assert not (tmp_path / "a").exists()


def test_what_cannot_be_a_state_dir_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        done = run("node", "--set", "interfaces=lo", "--state-dir", str(path))
        assert (done.returncode, done.stdout) == (1, "")
        assert str(path) in one_line(done.stderr)


@pytest.mark.parametrize(("content", "hint"), [("{", "settings.json"), ('{"port": 80}', "port"),
                                               ("[]", "settings.json")])
def test_damaged_settings_are_said_in_one_line(tmp_path: Path, content: str, hint: str) -> None:
    (tmp_path / "settings.json").write_text(content)
    done = run("node", "--set", "interfaces=lo", "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert hint in one_line(done.stderr)
    assert (tmp_path / "settings.json").read_text() == content


def test_a_wrong_setting_in_the_environment_is_said_in_one_line(tmp_path: Path) -> None:
    done = run("node", "--state-dir", str(tmp_path), TRIBLER_MULTICAST_PORT="80", TRIBLER_MULTICAST_INTERFACES="lo")
    assert (done.returncode, done.stdout) == (1, "")
    assert "TRIBLER_MULTICAST_PORT" in one_line(done.stderr)


def test_the_command_line_is_stronger_than_the_environment_and_that_than_the_file(start_node: StartNode,
                                                                                  tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "settings.json").write_text('{"nickname": "file", "log_level": "error", "ipv6": false}')
    node = start_node("a", "--nickname", "line", TRIBLER_MULTICAST_NICKNAME="environment",
                      TRIBLER_MULTICAST_LOG_LEVEL="info")
    settings = {setting["name"]: setting["value"] for setting in node.call("GET", "/settings")[1]["settings"]}
    assert (settings["nickname"], settings["log_level"], settings["ipv6"]) == ("line", "info", False)


def test_a_changed_setting_counts_at_once_and_after_a_restart(start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    wait_for(lambda: first.mid in second.peers())
    assert first.call("PATCH", "/settings", b'{"nickname": "kitchen"}')[0] == 200
    wait_for(lambda: second.peers()[first.mid]["nickname"] == "kitchen", 2)
    saved = first.state_dir / "settings.json"
    assert json.loads(saved.read_text())["nickname"] == "kitchen"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    first.stop()
    assert start_node("a").call("GET", "/status")[1]["nickname"] == "kitchen"


def test_a_node_that_is_switched_off_is_gone_and_comes_back(start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    wait_for(lambda: first.mid in second.peers())
    assert first.call("PATCH", "/settings", b'{"enabled": false}')[0] == 200
    wait_for(lambda: not second.peers()[first.mid]["online"], 2)
    assert not first.peers()[second.mid]["online"]
    assert first.call("POST", "/discover", b"{}")[0] == 503
    assert first.call("PATCH", "/settings", b'{"enabled": true}')[0] == 200
    wait_for(lambda: second.peers()[first.mid]["online"] and first.peers()[second.mid]["online"], 5)


def test_a_node_starts_switched_off_when_told_so(start_node: StartNode) -> None:
    first, second = start_node("a", "--set", "enabled=false"), start_node("b")
    time.sleep(1)
    assert second.peers() == {}
    assert first.peers() == {}
    assert first.stop()[0] == 0


def test_the_host_that_the_api_listens_on_may_be_named(start_node: StartNode) -> None:
    node = start_node("a", "--api-host", "0.0.0.0")
    port = urlsplit(node.ready["api"]).port
    assert node.ready["api"] == f"http://127.0.0.1:{port}"
    for host, status in (("192.168.1.5", 200), ("[fe80::1]", 200), ("localhost", 200), ("evil.example", 403)):
        assert node.call("PATCH", "/settings", b"{}", {"Host": f"{host}:{port}"})[0] == status, host


def test_nodes_with_events_tell_them_in_the_stream(start_node: StartNode) -> None:
    first = start_node("a")
    parts = urlsplit(first.ready["api"])
    with socket.create_connection((parts.hostname, parts.port), 10) as stream:
        stream.sendall(f"GET /api/multicast/events?key={first.key} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        second = start_node("b", "--nickname", "kitchen")
        lines = stream.makefile("rb")

        def next_event() -> dict[str, object]:
            for line in lines:
                if line.startswith(b"data: "):
                    return dict(json.loads(line[6:]))
            raise AssertionError("the stream ended")

        event = next_event()
        assert (event["topic"], event["kwargs"]) == ("multicast_peer_local", {"mid": second.mid, "nickname": "kitchen"})
        second.stop()
        while (event := next_event())["topic"] == "multicast_peer_local":  # what it offers came after it
            assert event["kwargs"]["mid"] == second.mid
        assert event["topic"] == "multicast_peer_gone"
        assert event["kwargs"]["mid"] == second.mid


def overlays(node: RunningNode) -> dict[str, dict[str, Any]]:
    """
    What IPv8 lists, by name.
    """
    parts = urlsplit(node.ready["api"])
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request("GET", "/api/ipv8/overlays", headers={"X-Api-Key": node.key})
    found = json.loads(connection.getresponse().read())["overlays"]
    connection.close()
    return {overlay["overlay_name"]: overlay for overlay in found}


def test_ipv8_lists_both_communities_as_isolated_with_their_peers(start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    wait_for(lambda: first.mid in second.peers())
    assert overlays(first).keys() == {"MulticastCommunity", "CodedTransferCommunity"}
    assert all(overlay["is_isolated"] for overlay in overlays(first).values())
    wait_for(lambda: all(len(overlay["peers"]) == 1 for overlay in overlays(first).values()))
    assert len({overlay["id"] for overlay in overlays(first).values()}) == 2


def test_a_node_without_coded_transfers_has_no_such_overlay_and_does_not_claim_them(start_node: StartNode) -> None:
    first, second = start_node("a", "--set", "coded=false"), start_node("b")
    wait_for(lambda: first.mid in second.peers() and second.mid in first.peers())
    assert overlays(first).keys() == {"MulticastCommunity"}
    assert "coded" in first.peers()[second.mid]["capabilities"]
    assert "coded" not in second.peers()[first.mid]["capabilities"]
    assert overlays(second)["CodedTransferCommunity"]["peers"] == []
    assert first.stop()[0] == 0


def test_a_reader_that_goes_away_does_not_end_the_node(start_node: StartNode) -> None:
    node = start_node("a")
    assert node.process.stdout is not None
    node.process.stdout.close()
    time.sleep(0.1)
    assert node.call("GET", "/status")[0] == 200
    assert node.stop()[0] == 0

