"""
The settings of the plugin in Tribler's configuration, changed through both doors, and what being off means.
"""
from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.lan.node import Node, RestError
from tribler_multicast.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lan.testbed import Lan

    from .host import Tribler


@pytest.fixture(scope="module")
def machine(house: Lan) -> Any:  # noqa: ANN401
    return house.machine()


@pytest.fixture(scope="module")
def tribler(machine: object, start: Callable[..., Tribler]) -> Tribler:
    return start(machine, "host")


@pytest.fixture(scope="module")
def node(machine: object, house: Lan) -> Node:
    return house.machine().node("looker")


def value(tribler: Tribler, name: str) -> object:
    return next(setting["value"] for setting in tribler.rest("GET", "/settings")["settings"] if setting["name"] == name)


def test_every_setting_is_in_triblers_own_settings(tribler: Tribler) -> None:
    section = tribler.api("GET", "/api/settings")["settings"]["multicast"]
    assert set(section) == {name for name, setting in SETTINGS.items() if not setting.secret}
    assert section["enabled"] is True


@pytest.mark.parametrize(("method", "path", "wrap"), [
    ("POST", "/api/settings", lambda changes: {"multicast": changes}),
    ("PATCH", "/api/multicast/settings", lambda changes: changes)])
def test_a_change_through_either_door_is_kept_and_counts_at_once(
        tribler: Tribler, node: Node, method: str, path: str, wrap: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    node.wait_local(tribler)
    tribler.api(method, path, wrap({"nickname": f"by {method}"}))
    assert value(tribler, "nickname") == f"by {method}"
    assert tribler.api("GET", "/api/settings")["settings"]["multicast"]["nickname"] == f"by {method}"
    assert tribler.configuration["multicast"]["nickname"] == f"by {method}"
    node.wait_for(lambda: node.peer(tribler)["nickname"] == f"by {method}", 5, "the new nickname at the neighbour")


def test_a_wrong_value_is_refused_at_triblers_door_and_nothing_is_changed(tribler: Tribler) -> None:
    before = tribler.configuration
    for wrong in ({"port": "many"}, {"no_such_setting": 1}, {"nickname": "fine", "port": 1}, "all"):
        with pytest.raises(RestError) as refused:
            tribler.api("POST", "/api/settings", {"multicast": wrong, "headless": True})
        assert refused.value.status == 422
        assert refused.value.answer["error"]["handled"] is True  # type: ignore[index]
    assert tribler.configuration == before


def test_all_that_was_shown_can_be_posted_back(tribler: Tribler) -> None:
    shown = tribler.api("GET", "/api/settings")["settings"]
    assert tribler.api("POST", "/api/settings", shown) == {"modified": True}
    assert tribler.api("GET", "/api/settings")["settings"] == shown


@pytest.mark.parametrize("door", ["PATCH", "POST"])
def test_a_passphrase_counts_and_is_nowhere_to_be_read(start: Callable[..., Tribler], house: Lan, door: str) -> None:
    secret = f"correct horse by {door}"
    outsider = house.machine().node(f"outsider-{door}")
    member = house.machine().node(f"member-{door}", group_passphrase=secret)
    host = start(house.machine(), f"sealed-{door}")
    host.wait_local(outsider)
    if door == "PATCH":
        host.rest("PATCH", "/settings", {"group_passphrase": secret})
    else:
        host.api("POST", "/api/settings", {"multicast": {"group_passphrase": secret, "nickname": "both at once"}})
    host.wait_local(member)
    host.wait_not_local(outsider)
    shown = json.dumps([host.api("GET", "/api/settings"), host.rest("GET", "/settings")])
    assert secret not in shown + json.dumps(host.configuration) + host.log()
    kept = host.state / "multicast_secrets.json"
    assert secret in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    host.shutdown()
    again = start(host.machine, f"sealed-{door}")
    again.wait_local(member)
    assert again.status()["policy"] == "group"
    again.shutdown()
    assert not again.complaints()


def test_a_group_without_a_passphrase_is_refused_and_at_the_start_said_in_one_line(
        tribler: Tribler, start: Callable[..., Tribler], house: Lan) -> None:
    with pytest.raises(RestError) as refused:
        tribler.api("POST", "/api/settings", {"multicast": {"policy": "group"}})
    assert refused.value.status == 422
    host = start(house.machine(), "nopass", wait=False, policy="group")
    node = house.machine().node("somebody", group_passphrase="a passphrase that is fine")
    host.wait_for_line("tribler-multicast does not start: policy is group, but there is no passphrase")
    host.rest("PATCH", "/settings", {"group_passphrase": "a passphrase that is fine"})
    host.ready()
    host.wait_local(node)
    host.shutdown()
    assert not host.complaints()


def test_with_the_policy_friends_only_friends_are_searched(start: Callable[..., Tribler], house: Lan) -> None:
    a, b = (start(house.machine(), f"friendly-{name}", wait=False) for name in "ab")
    a.ready()
    b.ready()
    a.rest("PATCH", "/settings", {"policy": "friends"})
    a.wait_local(b)
    infohash = b.share("amongfriends.bin", bytes(1000))
    time.sleep(1)
    assert infohash not in a.known_torrents()
    b.rest("PUT", f"/friends/{a.mid}")
    a.wait_for(lambda: a.peer(b)["friend"] == "received", 5, "asked")
    a.rest("PUT", f"/friends/{b.mid}")
    a.wait_for(lambda: a.peer(b)["friend"] == "mutual", 5, "friends")
    a.wait_for(lambda: infohash in a.known_torrents(), 10, "gossip among friends")
    a.shutdown()
    b.shutdown()


def test_triblers_own_settings_are_none_of_our_business(tribler: Tribler) -> None:
    tribler.api("POST", "/api/settings", {"libtorrent": {"max_upload_rate": 123_000}})
    tribler.api("PATCH", "/api/multicast/settings", {"search_local_peers": 7})
    assert tribler.configuration["libtorrent"]["max_upload_rate"] == 123_000
    assert tribler.configuration["multicast"]["search_local_peers"] == 7


def test_switched_off_it_says_goodbye_answers_404_and_can_be_switched_on_again(tribler: Tribler, node: Node) -> None:
    node.wait_local(tribler)
    tribler.api("POST", "/api/settings", {"multicast": {"enabled": False}})
    node.wait_not_local(tribler, timeout=3)
    for path in ("/status", "/peers", "/doctor", "/events"):
        with pytest.raises(RestError) as refused:
            tribler.rest("GET", path)
        assert refused.value.status == 404
    tribler.rest("PATCH", "/settings", {"enabled": True})
    node.wait_local(tribler, timeout=10)
    tribler.rest("GET", "/status")


def test_off_at_the_start_it_stays_silent(start: Callable[..., Tribler], house: Lan) -> None:
    quiet = start(house.machine(), "quiet", wait=False, enabled=False)
    sniffer = quiet.machine.sniff()
    quiet.ready()
    with pytest.raises(RestError) as refused:
        quiet.rest("GET", "/status")
    assert refused.value.status == 404
    time.sleep(2)
    assert not sniffer.select(lambda packet: packet.sent and 32109 <= packet.destination_port <= 32125)
    quiet.shutdown()


def test_settings_and_identity_survive_a_restart(start: Callable[..., Tribler], house: Lan) -> None:
    machine = house.machine()
    first = start(machine, "again")
    first.rest("PATCH", "/settings", {"nickname": "kept"})
    mid = first.mid
    epoch = int((first.state / "multicast_epoch").read_text())
    first.shutdown()
    assert "Traceback" not in first.log() or not first.complaints()
    second = start(machine, "again")
    assert second.mid == mid
    assert value(second, "nickname") == "kept"
    assert int((second.state / "multicast_epoch").read_text()) > epoch
    second.shutdown()


def test_when_tribler_starts_itself_anew_the_plugin_is_there_again(start: Callable[..., Tribler], house: Lan,
                                                                   node: Node) -> None:
    host = start(house.machine(), "phoenix")
    host.wait_local(node)
    host.api("PUT", "/api/shutdown?restart=1")
    node.wait_not_local(host)
    host.ready()
    host.wait_local(node)
    assert host.process.poll() is None
    host.shutdown()
    assert not host.complaints()


@pytest.mark.parametrize(("name", "config", "capabilities"), [
    ("nodatabase", {"database": {"enabled": False}}, ["coded", "tribler", "weather"]),
    ("nodiscovery", {"content_discovery_community": {"enabled": False}}, ["coded", "tribler", "weather"]),
    ("memory", {"memory_db": True}, ["coded", "search", "tribler", "weather"])])
def test_with_parts_of_tribler_switched_off_the_others_work(
        start: Callable[..., Tribler], house: Lan, node: Node, name: str, config: dict[str, Any],
        capabilities: list[str]) -> None:
    host = start(house.machine(), name, config=config)
    host.wait_local(node)
    node.wait_local(host)
    assert node.peer(host)["capabilities"] == capabilities
    assert host.rest("GET", "/friends") == {"peers": []}
    host.rest("PUT", f"/friends/{node.mid}")
    host.shutdown()
    assert not host.complaints()
    assert "CRITICAL" not in host.log()


def test_a_damaged_section_does_not_keep_tribler_from_starting(start: Callable[..., Tribler], house: Lan) -> None:
    broken = start(house.machine(), "broken", nickname=["no", "text"], port="x")
    assert value(broken, "nickname") == ""
    assert value(broken, "port") == 32109
    assert "multicast/port wrong" in broken.log()
    broken.shutdown()


def test_the_users_limits_survive_whatever_the_plugin_does_and_a_kill(start: Callable[..., Tribler],
                                                                      house: Lan) -> None:
    machine = house.machine()
    host = start(machine, "limited")
    mine = {"max_upload_rate": 1_000_000, "max_download_rate": 2_000_000}
    host.api("POST", "/api/settings", {"libtorrent": mine})
    neighbour = start(house.machine(), "limitless")
    host.wait_local(neighbour)
    infohash = neighbour.share("limits.bin", bytes(3_000_000))
    host.add(f"magnet:?xt=urn:btih:{infohash}")
    host.wait_for(lambda: host.download(infohash).get("progress") == 1, 40, "downloaded")
    host.api("PATCH", f"/api/downloads/{infohash}", {"upload_limit": 12_345, "download_limit": 54_321})
    for change in ({"nickname": "x"}, {"search_local_peers": 3}, {"enabled": False}, {"enabled": True}):
        host.rest("PATCH", "/settings", change)

    def limits(tribler: Tribler) -> dict[str, Any]:
        stored = tribler.api("GET", "/api/settings")["settings"]["libtorrent"]
        session = tribler.api("GET", "/api/libtorrent/settings?hop=0")["settings"]
        download = tribler.download(infohash)
        return {**{name: stored[name] for name in mine}, "up": download["upload_limit"],
                "down": download["download_limit"], "session_up": session["upload_rate_limit"],
                "session_down": session["download_rate_limit"]}

    expected = {**mine, "up": 12_345, "down": 54_321, "session_up": 1_000_000, "session_down": 2_000_000}
    assert limits(host) == expected
    # Tribler writes what it keeps of a download once a minute, and when it is stopped.
    host.api("PATCH", f"/api/downloads/{infohash}", {"state": "stop"})
    checkpoint = host.state / "dlcheckpoints" / f"{infohash}.conf"
    host.wait_for(lambda: "12345" in checkpoint.read_text(), 10, "written")
    host.kill()
    again = start(machine, "limited")
    again.wait_for(lambda: again.download(infohash), 20, "the download is back")
    assert limits(again) == expected
    again.shutdown()
    neighbour.shutdown()


def test_run_changes_nothing_in_the_tree(copied_tree: Path, start: Callable[..., Tribler], house: Lan) -> None:
    tribler = start(house.machine(), "untouched", tree=copied_tree)
    tribler.shutdown()
    said = subprocess.run(["git", "status", "--porcelain", "--ignored"], cwd=copied_tree, capture_output=True,
                          text=True, check=True).stdout
    assert said == ""


def test_without_coded_transfers_there_is_no_such_overlay_and_they_are_not_claimed(
        start: Callable[..., Tribler], house: Lan, node: Node) -> None:
    host = start(house.machine(), "nocoded", coded=False)
    host.wait_local(node)
    node.wait_local(host)
    assert host.overlay("CodedTransferCommunity") == {}
    assert host.overlay("MulticastCommunity")["is_isolated"] is True
    assert node.peer(host)["capabilities"] == ["search", "tribler", "weather"]
    host.shutdown()
    assert not host.complaints()
    assert not (host.state / "git" / "multicast-transfers").exists()
