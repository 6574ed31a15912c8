"""
What the doctor finds, on this machine and in the words of other systems.
"""
from __future__ import annotations

import socket

import pytest

from tribler_multicast.community.local_peer import InterfaceStatus
from tribler_multicast.doctor import examine, network, system
from tribler_multicast.lan.interfaces import IPV4, Interface
from tribler_multicast.settings import Settings

LOOPBACK = Interface("lo", 1, ipv4=("127.0.0.1/8",), loopback=True)


def on_loopback(**values: object) -> Settings:
    """
    Settings for the loopback interface.
    """
    return Settings(file={"interfaces": ["lo"], "ipv6": False, **values})


def test_a_healthy_loopback_has_no_error() -> None:
    findings = examine(on_loopback())
    assert findings
    assert [finding for finding in findings if finding.severity == "error"] == []
    assert all(finding.advice for finding in findings if finding.severity in {"warning", "error"})


def test_a_datagram_loops_on_the_real_interface() -> None:
    assert network.loop(LOOPBACK, IPV4, on_loopback()).error is None


def test_an_interface_that_is_not_there_fails_with_the_reason() -> None:
    gone = Interface("gone0", 9999, ipv4=("192.0.2.9/24",))
    result = network.loop(gone, IPV4, on_loopback())
    assert result.error
    finding = network.judge_loop(result, 32109, "error")
    assert finding.severity == "error"
    assert "32109" in finding.advice


def test_a_multicast_port_that_is_not_shared_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hog:
        hog.bind(("", 0))
        result = network.loop(LOOPBACK, IPV4, on_loopback(port=hog.getsockname()[1]))
    assert result.error is not None
    assert "another program" in result.error


def test_no_usable_interface_is_an_error_that_says_what_to_do() -> None:
    findings = list(network.interfaces(Settings(file={"interfaces": ["nosuch0"]}), None))
    assert [finding.severity for finding in findings] == ["warning", "error"]
    assert "nosuch0" in findings[0].what
    assert "lo" in findings[0].advice


def test_switched_off_families_and_nodes_are_told() -> None:
    findings = list(network.interfaces(on_loopback(ipv4=False, enabled=False), None))
    assert {"the node is switched off", "both IPv4 and IPv6 are switched off"} <= {finding.what for finding in findings}


@pytest.mark.parametrize(("joined", "error", "severity", "text"), [
    (["ipv4"], None, "ok", "is in use with ipv4"), ([], "Permission denied", "error", "Permission denied"),
    ([], None, "error", "not opened yet"), (["ipv4"], "ipv6: no route", "warning", "ipv6: no route")])
def test_a_running_node_says_what_is_joined_and_why_not(joined: list[str], error: str | None, severity: str,
                                                        text: str) -> None:
    status = InterfaceStatus("lo", socket.if_nametoindex("lo"), ["127.0.0.1"], joined, error)
    findings = list(network.interfaces(on_loopback(), [status]))
    assert any(finding.severity == severity and text in finding.what for finding in findings)


def test_taken_control_ports_are_told() -> None:
    taken = []
    first = 45_000
    try:
        for port in range(first, first + 16):
            taken.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            taken[-1].bind(("", port))
        [finding] = network.ports(on_loopback(control_port=first), None)
        assert finding.severity == "warning"
        taken.pop().close()
        [finding] = network.ports(on_loopback(control_port=first), None)
        assert (finding.severity, str(first + 15) in finding.what) == ("ok", True)
    finally:
        for held in taken:
            held.close()


def test_a_node_on_an_unusual_port_is_told() -> None:
    status = InterfaceStatus("lo", 1, ["127.0.0.1"], ["ipv4"], None, "", 50_000)
    [finding] = network.ports(on_loopback(), [status])
    assert finding.severity == "warning"
    assert "50000" in finding.what


@pytest.mark.parametrize(("nft", "iptables", "severity"), [
    (None, None, "info"), ("", "", "ok"), ("chain input { policy accept; }", None, "ok"),
    ("chain input { policy drop; }", None, "warning"), ("udp dport 9 reject", "", "warning"),
    (None, "*filter\n:INPUT DROP [0:0]", "warning"), (None, "-A INPUT -j DROP", "warning"),
    (None, "*filter\n:INPUT ACCEPT [0:0]", "ok")])
def test_rules_of_a_packet_filter_are_judged(nft: str | None, iptables: str | None, severity: str) -> None:
    assert system.packet_filter(nft, iptables).severity == severity


@pytest.mark.parametrize(("text", "enabled"), [("ENABLED=yes\n", True), ("# ENABLED=yes\nENABLED=no\n", False),
                                               ("", False), ("ENABLED = Yes", True)])
def test_the_configuration_of_ufw_is_read(text: str, enabled: bool) -> None:
    assert system.ufw_enabled(text) is enabled


@pytest.mark.parametrize(("categories", "severity"), [("Public\r\n", "error"), ("Private\r\nPublic", "error"),
                                                      ("Private", "ok"), (None, "info")])
def test_the_public_profile_of_windows_is_an_error(categories: str | None, severity: str) -> None:
    [finding] = system.windows_profile(categories)
    assert finding.severity == severity


def test_macos_asks_for_a_permission_from_15_on() -> None:
    assert list(system.macos_permission("14.6")) == []
    assert list(system.macos_permission("")) == []
    [finding] = system.macos_permission("15.1")
    assert "Local Network" in finding.advice
    [finding] = system.macos_firewall("Firewall is enabled. (State = 1)")
    assert finding.severity == "warning"


def test_the_network_of_a_container_is_told() -> None:
    [finding] = system.judge_container(in_container=True, interfaces=["eth0"])
    assert (finding.severity, "--network host" in finding.advice) == ("warning", True)
    [finding] = system.judge_container(in_container=True, interfaces=["eth0", "wlan0"])
    assert finding.severity == "info"
    assert list(system.judge_container(in_container=False, interfaces=["eth0"])) == []


def test_an_examination_that_breaks_does_not_keep_the_others_from_being_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[object]:
        raise RuntimeError("strange machine")

    monkeypatch.setattr(system, "firewall", broken)
    findings = examine(on_loopback())
    assert any("strange machine" in finding.what for finding in findings)
    assert any("native code" in finding.what for finding in findings)


def test_missing_native_code_is_told_with_the_reason_and_is_no_error() -> None:
    assert system.judge_native_code("gfni512", "").severity == "ok"
    assert "gfni512" in system.judge_native_code("gfni512", "").what
    finding = system.judge_native_code("fallback", "it was not built")
    assert (finding.severity, "not built" in finding.what, "gcc" in finding.advice) == ("info", True, True)


@pytest.mark.parametrize(("note", "word"), [("vpn", "VPN"), ("container", "containers")])
def test_vpns_and_bridges_are_told_with_the_way_to_leave_them_out(monkeypatch: pytest.MonkeyPatch, note: str,
                                                                  word: str) -> None:
    interface = Interface("x0", 7, ipv4=("10.9.0.1/24",), note=note)
    monkeypatch.setattr(network, "snapshot", lambda: [interface])
    findings = list(network.interfaces(Settings(), None))
    assert any(word in finding.what and "interfaces_deny=x0" in finding.advice for finding in findings)


@pytest.mark.parametrize(("visibility", "joined", "word"), [("listen", ["ipv4"], "listened to"),
                                                            ("off", [], "switched off")])
def test_an_interface_that_is_silent_by_its_visibility_is_told_and_no_error(
        visibility: str, joined: list[str], word: str) -> None:
    status = InterfaceStatus("lo", 1, ["127.0.0.1"], joined, visibility=visibility)
    findings = list(network.interfaces(on_loopback(), [status]))
    assert any(word in finding.what and "visibility_networks" in finding.advice for finding in findings)
    assert {finding.severity for finding in findings} <= {"info", "ok"}


def test_missing_libtorrent_is_told_with_what_to_do() -> None:
    assert system.judge_bittorrent(found=True).severity == "ok"
    finding = system.judge_bittorrent(found=False)
    assert finding.severity == "info"
    assert "pip install" in finding.advice
