"""
What the doctor reads from the system: firewall, container, permissions, libraries.

Nothing here changes anything, asks for a password or needs root; what only root may see is said to be unknown.
"""
from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..coding import field
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOL_TIMEOUT = 3.0
"""Seconds. Stops a hanging tool of the system from holding up the rest."""

PORTS = "UDP ports 32109 to 32125"


def _output(*command: str) -> str | None:
    """
    What a tool of the system prints, None when it is not there or fails.
    """
    program = shutil.which(command[0], path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))
    if program is None:
        return None
    try:
        done = subprocess.run([program, *command[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,  # noqa: S603
                              stderr=subprocess.DEVNULL, timeout=TOOL_TIMEOUT, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def _read(path: str) -> str:
    """
    The content of a file, empty when it cannot be read.
    """
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def firewall() -> Iterator[Finding]:
    """
    Is a firewall active that may drop what others send, or does the system itself keep programs from the network?
    """
    if sys.platform == "win32":
        yield from windows_profile(_output("powershell", "-NoProfile", "-Command",
                                           "(Get-NetConnectionProfile).NetworkCategory"))
    elif sys.platform == "darwin":
        yield from macos_permission(platform.mac_ver()[0])
        yield from macos_firewall(_output("/usr/libexec/ApplicationFirewall/socketfilterfw", "--getglobalstate"))
    else:
        yield from linux_firewall()


def linux_firewall() -> Iterator[Finding]:
    """
    Look for ufw, firewalld, nftables and iptables.
    """
    found = False
    if ufw_enabled(_read("/etc/ufw/ufw.conf")) and shutil.which("ufw", path="/usr/sbin:/sbin:/usr/bin") is not None:
        found = True
        yield Finding("the firewall ufw is active", "warning",
                      "If others do not show up: sudo ufw allow 32109:32125/udp")
    if _output("firewall-cmd", "--state") is not None:
        found = True
        yield Finding("the firewall firewalld is active", "warning",
                      "If others do not show up: sudo firewall-cmd --permanent --add-port=32109-32125/udp "
                      "&& sudo firewall-cmd --reload")
    if not found:
        yield packet_filter(_output("nft", "list", "ruleset"), _output("iptables-save"))


def ufw_enabled(configuration: str) -> bool:
    """
    Does ufw's own configuration say that it is on?
    """
    return any(line.strip().lower().replace(" ", "") == "enabled=yes" for line in configuration.splitlines())


def packet_filter(nft: str | None, iptables: str | None) -> Finding:
    """
    Judge the rules of nftables and iptables (None: they cannot be read).
    """
    if nft is None and iptables is None:
        return Finding("the rules of a firewall, if there is one, can only be read by root", "info",
                       f"If others do not show up, let {PORTS} in, or run the doctor as root.")
    dropping = any(word in rules for rules, words in ((nft or "", ("policy drop", "drop", "reject")),
                                                      (iptables or "", (":INPUT DROP", "-j DROP", "-j REJECT")))
                   for word in words)
    if dropping:
        return Finding("a packet filter (nftables or iptables) drops some packets", "warning",
                       f"If others do not show up, let {PORTS} in.")
    return Finding("no packet filter of this machine drops packets", "ok")


def windows_profile(categories: str | None) -> Iterator[Finding]:
    """
    Judge the profile of the networks of Windows: "Public" blocks multicast.
    """
    if categories is None:
        yield Finding("the profile of the network cannot be read", "info",
                      "If others do not show up: Settings, Network, set the network to Private.")
    elif "public" in categories.lower():
        yield Finding("Windows takes a network for Public, so its firewall blocks multicast", "error",
                      "Settings, Network & internet, properties of the network: set its profile to Private.")
    else:
        yield Finding("Windows takes no network for Public", "ok")


def macos_firewall(state: str | None) -> Iterator[Finding]:
    """
    Judge the application firewall of macOS.
    """
    if state is not None and "enabled" in state.lower():
        yield Finding("the firewall of macOS is on", "warning",
                      "System Settings, Network, Firewall, Options: allow incoming connections for Python.")
    else:
        yield Finding("the firewall of macOS is off or unknown", "info")


def macos_permission(version: str) -> Iterator[Finding]:
    """
    Judge the version of macOS: from 15 on a program needs the permission Local Network.
    """
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) >= 15:
        yield Finding("this macOS asks for the permission Local Network; without it sending fails with "
                      "'No route to host'", "info",
                      "System Settings, Privacy & Security, Local Network: switch on your terminal or Python.")


def container() -> Iterator[Finding]:
    """
    Does this run in a container, whose network is usually not the LAN?
    """
    yield from judge_container(in_container=Path("/.dockerenv").exists() or Path("/run/.containerenv").exists(),
                               interfaces=_interface_names())


def _interface_names() -> list[str]:
    """
    The names of the interfaces but loopback.
    """
    try:
        return [name for name in os.listdir("/sys/class/net") if name != "lo"]
    except OSError:
        return []


def judge_container(in_container: bool, interfaces: list[str]) -> Iterator[Finding]:
    """
    In a container with a single interface it is most likely the bridge's, which passes no multicast of the LAN.
    """
    if in_container and len(interfaces) <= 1:
        yield Finding("this runs in a container with a network of its own, which multicast of the LAN does not reach",
                      "warning", "Start the container with the network of the machine: --network host")
    elif in_container:
        yield Finding("this runs in a container", "info",
                      "If others do not show up, start the container with --network host.")


def native_code() -> Iterator[Finding]:
    """
    Is the native code there, which coded transfers calculate with, and which way does it take on this processor?
    """
    yield judge_native_code(field.path(), field.why_not_native)


def judge_native_code(path: str, why_not: str) -> Finding:
    """
    Say what the way to calculate means.

    :param path: the way in use.
    :param why_not: why that is not native code; empty: it is.
    """
    if not why_not:
        return Finding(f"coded transfers calculate with native code ({path})", "ok")
    return Finding(f"there is no native code for coded transfers: {why_not}", "info",
                   "They work, with Python alone, but take more of the processor. For native code: install a C "
                   "compiler and the headers of Python (Debian, Ubuntu: sudo apt install gcc python3-dev), then "
                   "install again.")


def bittorrent() -> Iterator[Finding]:
    """
    Is the library there that downloads and seeds? It is not loaded for that: it is large.
    """
    yield judge_bittorrent(find_spec("libtorrent") is not None)


def judge_bittorrent(found: bool) -> Finding:
    """
    Say what it means that libtorrent is there, or is not.
    """
    if found:
        return Finding("files are shared and downloaded with libtorrent", "ok")
    return Finding("there is no libtorrent: a standalone node is found and searches, but can't download or share",
                   "info", 'pip install "tribler-multicast[torrent]" brings it, where there is one for this Python.')
