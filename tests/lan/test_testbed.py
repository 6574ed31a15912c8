"""
The testbed does what the other tests take from it.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .namespaces import TestbedError
from .packets import multicast_mac, udp_frame
from .processes import Process, cpu_seconds, memory
from .testbed import Families

if TYPE_CHECKING:
    from .testbed import Interface, Lan, Machine

STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
signal.pause()
"""

GROUP4, GROUP6, PORT = "239.255.84.77", "ff12::5472:6962", 32109


def receiver(machine: Machine, family: int = socket.AF_INET, address: tuple[object, ...] = ("", PORT)) -> socket.socket:
    result = machine.socket(family)
    result.settimeout(5)
    result.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    result.bind(address)
    return result


def index(machine: Machine, name: str = "eth0") -> int:
    return machine.namespace.call(socket.if_nametoindex, name)


def _send_all(client: socket.socket, size: int) -> None:
    with client:
        client.sendall(bytes(size))


def throughput(sender: Machine, target: Machine, size: int) -> float:
    """
    Send so many bytes by TCP and return the Mbit/s.
    """
    server = target.socket(kind=socket.SOCK_STREAM)
    server.bind(("", 4000))
    server.listen()
    client = sender.socket(kind=socket.SOCK_STREAM)
    client.connect((target.interfaces["eth0"].ipv4, 4000))
    connection, _ = server.accept()
    thread = threading.Thread(target=lambda: _send_all(client, size), daemon=True)
    start = time.monotonic()
    thread.start()
    while connection.recv(65536):
        pass
    seconds = time.monotonic() - start
    thread.join()
    connection.close()
    server.close()
    return size * 8 / seconds / 1e6


@pytest.mark.parametrize("kind", ["ipv4", "ipv6", "link_local"])
def test_machines_reach_each_other(lan: Lan, kind: str) -> None:
    a, b = lan.machines(2)
    address = getattr(b.interfaces["eth0"], kind)
    family = socket.AF_INET if kind == "ipv4" else socket.AF_INET6
    scope = index(a) if kind == "link_local" else 0
    with receiver(b, family) as there, a.socket(family) as here:
        here.settimeout(5)
        here.sendto(b"there", (address, PORT, 0, scope) if family == socket.AF_INET6 else (address, PORT))
        data, sender = there.recvfrom(100)
        there.sendto(data + b" and back", sender)
        assert here.recv(100) == b"there and back"
    assert sender[0].partition("%")[0] == getattr(a.interfaces["eth0"], kind)


def test_multicast_reaches_all_members_and_no_other_bridge(lan: Lan) -> None:
    a, b, c = lan.machines(3)
    d = lan.machine(bridge=lan.bridge())
    sockets = [receiver(machine) for machine in (b, c, d)]
    for machine, there in zip((b, c, d), sockets, strict=True):
        there.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                         struct.pack("4s4si", socket.inet_aton(GROUP4), bytes(4), index(machine)))
    with a.socket() as here:
        here.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", bytes(4), bytes(4), index(a)))
        here.sendto(b"all", (GROUP4, PORT))
    assert [there.recv(10) for there in sockets[:2]] == [b"all", b"all"]
    sockets[2].settimeout(0.2)
    with pytest.raises(TimeoutError):
        sockets[2].recv(10)
    for there in sockets:
        there.close()


def test_multicast_works_with_nothing_but_link_local_addresses(lan: Lan) -> None:
    a, b = lan.machines(2, Families.LINK_LOCAL)
    with receiver(b, socket.AF_INET6) as there, a.socket(socket.AF_INET6) as here:
        there.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                         socket.inet_pton(socket.AF_INET6, GROUP6) + struct.pack("@I", index(b)))
        here.sendto(b"all", (GROUP6, PORT, 0, index(a)))
        assert there.recv(10) == b"all"
    assert "inet " not in a.run(["ip", "address", "show", "eth0"])


def test_ipv4_only_machine_has_no_ipv6(lan: Lan) -> None:
    assert "inet6" not in lan.machine(Families.IPV4).run(["ip", "address", "show", "eth0"])


def test_link_is_as_fast_as_it_is_shaped(lan: Lan) -> None:
    a, b = lan.machines(2)
    a.shape(20)
    for sender, target in ((a, b), (b, a)):
        measured = [throughput(sender, target, 2_000_000) for _ in range(3)]  # a busy machine makes some slower
        assert max(measured) == pytest.approx(20, rel=0.15)
    a.shape(None)
    assert throughput(a, b, 20_000_000) > 100


@pytest.mark.usefixtures("loss")
def test_as_much_is_lost_as_was_asked_for(lan: Lan) -> None:
    a, b = lan.machines(2)
    arrived = 0
    with receiver(b) as there, a.socket() as here:
        there.settimeout(0.2)
        here.sendto(b"first", (b.interfaces["eth0"].ipv4, PORT))  # now each knows the other's Ethernet address
        assert there.recv(10) == b"first"
        b.lose(40)
        for _ in range(20):
            for _ in range(100):
                here.sendto(b"x", (b.interfaces["eth0"].ipv4, PORT))
            time.sleep(0.01)
        try:
            while there.recv(10):
                arrived += 1
        except TimeoutError:
            pass
        assert arrived == pytest.approx(1200, rel=0.08)
        b.lose(0)
        here.sendto(b"y", (b.interfaces["eth0"].ipv4, PORT))
        assert there.recv(10) == b"y"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_router_takes_one_from_the_hop_limit(lan: Lan, family: int) -> None:
    a, b = lan.machine(), lan.machine(bridge=lan.bridge())
    lan.router(*lan.bridges)
    lan.route(a)
    lan.route(b)
    target = b.interfaces["eth0"]
    sniffer = b.sniff()
    with a.socket(family) as here:
        level, option = ((socket.IPPROTO_IP, socket.IP_TTL) if family == socket.AF_INET else
                         (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS))
        here.setsockopt(level, option, 255)
        here.sendto(b"far", (target.ipv4 if family == socket.AF_INET else target.ipv6, PORT))
    packet = sniffer.wait_for(lambda packet: packet.payload == b"far")
    assert packet.hop_limit == 254
    assert packet.source_mac == bytes.fromhex("0200000002fe")


def test_machine_on_two_lans_hears_both(lan: Lan) -> None:
    a, b = lan.machine(), lan.machine(bridge=lan.bridge())
    both = lan.machine()
    both.plug(lan.bridges[1])
    with receiver(both) as there:
        for machine, interface in ((a, both.interfaces["eth0"]), (b, both.interfaces["eth1"])):
            with machine.socket() as here:
                here.sendto(machine.name.encode(), (interface.ipv4, PORT))
            assert there.recv(100) == machine.name.encode()


def test_renumbered_machine_answers_at_its_new_address_only(lan: Lan) -> None:
    a, b = lan.machines(2)
    old = b.interfaces["eth0"].ipv4
    new = b.renumber(77).ipv4
    with receiver(b) as there, a.socket() as here:
        here.sendto(b"new", (new, PORT))
        assert there.recvfrom(10)[0] == b"new"
        there.settimeout(0.2)
        here.sendto(b"old", (old, PORT))
        with pytest.raises(TimeoutError):
            there.recv(10)


def test_interfaces_come_and_go_while_a_socket_is_open(lan: Lan) -> None:
    a, b = lan.machines(2)
    with receiver(b) as there, a.socket() as here:
        there.settimeout(0.2)

        def arrives(interface: Interface) -> bool:
            try:
                here.sendto(b"x", (interface.ipv4, PORT))
                return there.recv(10) == b"x"
            except OSError:
                return False

        assert arrives(b.interfaces["eth0"])
        b.link(up=False)
        assert not arrives(b.interfaces["eth0"])
        b.link(up=True)
        assert arrives(b.interfaces["eth0"])
        b.cable(connected=False)
        assert "NO-CARRIER" in b.run(["ip", "link", "show", "eth0"])
        b.cable(connected=True)
        b.unplug()
        assert "eth0" not in b.run(["ip", "link"])
        assert arrives(b.plug(name="usb0"))


def test_frames_built_by_hand_are_accepted_by_the_kernel(lan: Lan) -> None:
    a, b = lan.machines(2)
    interface = b.interfaces["eth0"]
    macs = (b"\x06\x00\x00\x00\x00\x01", interface.hardware_address)
    with receiver(b, socket.AF_INET6, ("::", PORT)) as there:
        assert interface.ipv4
        assert interface.ipv6
        a.inject([udp_frame(macs, ("192.168.1.200", 9), (interface.ipv4, PORT), b"four", 255),
                  udp_frame(macs, ("fd00:1::200", 9), (interface.ipv6, PORT), b"sixes", 255)])
        assert there.recvfrom(10)[:1] == (b"four",)
        data, sender = there.recvfrom(10)
        assert (data, sender[:2]) == (b"sixes", ("fd00:1::200", 9))


def test_sniffer_sees_what_is_sent_and_what_arrives(lan: Lan) -> None:
    a, b = lan.machines(2)
    sniffers = [a.sniff(), b.sniff()]
    with a.socket() as here:
        here.bind(("", 5000))
        here.sendto(b"seen", (b.interfaces["eth0"].ipv4, PORT))
    sent, arrived = (sniffer.wait_for(lambda packet: packet.payload == b"seen") for sniffer in sniffers)
    assert sent.sent
    assert not arrived.sent
    assert (arrived.source, arrived.source_port, arrived.hop_limit) == (a.interfaces["eth0"].ipv4, 5000, 64)
    assert arrived.size == 14 + 20 + 8 + 4


def test_flood_is_as_fast_as_asked_for_and_ends_by_itself(lan: Lan) -> None:
    a, b = lan.machines(2)
    with receiver(b) as there:
        there.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                         struct.pack("4s4si", socket.inet_aton(GROUP4), bytes(4), index(b)))
        flood = a.flood(1.0, "--destination", GROUP4, "--port", str(PORT))
        data, sender = there.recvfrom(2000)
        result = flood.wait_json()
    assert 1 <= len(data) <= 1400
    assert sender[0].startswith("192.168.1.")
    assert result["rate"] == pytest.approx(20_000, rel=0.15)
    assert multicast_mac(GROUP4) == bytes.fromhex("01005e7f544d")


def test_processes_run_inside_and_are_ended(lan: Lan) -> None:
    machine = lan.machine()
    assert "192.168.1.1/24" in machine.run(["ip", "address"])
    assert machine.run(["ls", "/sys/class/net"]).split() == ["eth0", "lo"]
    with pytest.raises(TestbedError, match="no-such-interface"):
        machine.run(["ip", "link", "show", "no-such-interface"])
    process = machine.popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.line() == "up"
    assert cpu_seconds(process.pid) < 5
    assert 1 << 20 < memory(process.pid)["rss"] <= memory(process.pid)["peak"]
    assert process.end(0.1) == -9
    assert not Path(f"/proc/{process.pid}").exists()


def test_nothing_is_left_when_the_test_process_is_killed(lan: Lan, tmp_path: Path) -> None:
    program = ("import sys, time, pathlib; sys.path.insert(0, sys.argv[1]); from tests.lan.testbed import Lan; "
               "lan = Lan(pathlib.Path(sys.argv[2])); lan.machines(2); "
               "print(*(machine.namespace.pid for machine in lan.all), lan.switch.pid, flush=True); time.sleep(60)")
    process = Process([sys.executable, "-c", program, str(Path(__file__).resolve().parents[2]), str(tmp_path)],
                      stdout=subprocess.PIPE)
    pids = (process.line() or "").split()
    process.kill()
    process.wait(5)
    deadline = time.monotonic() + 5
    while (left := [pid for pid in pids if _alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(pids) == 3
    assert not left


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
