"""
Network namespaces that vanish by themselves.

A namespace lives as long as a process is in it. Each one here is held by a small child that waits for the end of its
standard input: when the object is closed, or the test process dies in whatever way, the pipe closes, the child ends and
the kernel takes the namespace apart with every interface in it. No names, no files under /run, nothing to clean up.

The child also has a mount namespace of its own with its own /sys, because /sys/class/net shows the interfaces of the
network namespace it was mounted from and a node asks there what kind of interface it has.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

P = ParamSpec("P")
R = TypeVar("R")

CLONE_NEWNET = 0x40000000
"""The flag of setns(2) for a network namespace; `os.setns` came with Python 3.12 only."""

GET_FLAGS = 0x8913
RUNNING = 0x40
"""SIOCGIFFLAGS and IFF_RUNNING of netdevice(7)."""

COMMAND_TIMEOUT = 30.0
"""Seconds that any configuring command may take: far more than any needs on a busy machine, and still bounded."""

HOLD = """
mount -t sysfs sysfs /sys 2>/dev/null
ip link set lo up || exit 1
echo ready
exec cat
"""


class TestbedError(Exception):
    """
    The testbed could not do what it was asked for; the message has the command and what it said.
    """

    __test__ = False  # or pytest takes the name for a class of tests


@functools.cache
def why_not() -> str | None:
    """
    Return why no namespace can be made here, in one line, or None when it works.
    """
    refused = os.environ.get("TM_NAMESPACE_REFUSED")
    if refused:
        return f"no network namespaces here: {refused}"
    for tool, package in (("unshare", "util-linux"), ("nsenter", "util-linux"), ("ip", "iproute2")):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian package {package})"
    if os.geteuid() != 0:
        return "neither root nor in namespaces of our own: run it as `tests/in_namespace.sh pytest tests/lan`"
    try:
        Namespace("probe").close()
    except TestbedError as e:
        return f"no network namespaces here: {e}"
    return None


@functools.cache
def why_no_loss() -> str | None:
    """
    Return why packets cannot be made to get lost here, in one line, or None when they can.
    """
    if shutil.which("nft") is None:
        return "nft is not installed (Debian package nftables)"
    namespace = Namespace("probe")
    try:
        namespace.run(["nft", "-f", "-"], stdin=drop_rule("lo", 10))
    except TestbedError as e:
        return f"nftables cannot drop packets here: {e}"
    finally:
        namespace.close()
    return None


def drop_rule(interface: str, permille: int) -> str:
    """
    Return the nftables script that drops so many of 1,000 packets arriving at an interface, and counts the rest.
    """
    return (f"table netdev loss_{interface} {{ chain ingress {{\n"
            f'  type filter hook ingress device "{interface}" priority 0; policy accept;\n'
            f"  numgen random mod 1000 < {permille} drop\n"
            f"}}\n}}\n")


class Namespace:
    """
    A network and mount namespace held open by a child process.

    :raises TestbedError: when the kernel, or who we are, does not allow it.
    """

    def __init__(self, name: str) -> None:
        """
        Make one. The name is for messages only.
        """
        self.name = name
        self._holder = subprocess.Popen(["unshare", "-nm", "sh", "-c", HOLD], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "ready\n":
            _, said = self._holder.communicate(timeout=COMMAND_TIMEOUT)
            raise TestbedError((said.strip() or "unshare -nm failed").splitlines()[0])
        self.pid = self._holder.pid
        self._descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)

    def command(self, command: Sequence[str]) -> list[str]:
        """
        Return the command line that runs a command inside: it becomes that command, so the process id stays.

        Its working directory is /.
        """
        return ["nsenter", "-t", str(self.pid), "-n", "-m", *command]

    def run(self, command: Sequence[str], stdin: str = "", timeout: float = COMMAND_TIMEOUT) -> str:
        """
        Run a command inside to its end and return what it printed.

        :raises TestbedError: when it fails, with the first line it said.
        """
        try:
            done = subprocess.run(self.command(command), input=stdin, capture_output=True, text=True,
                                  timeout=timeout, check=False)
        except subprocess.TimeoutExpired as e:
            raise TestbedError(f"`{' '.join(command)}` in {self.name} took more than {timeout} s") from e
        if done.returncode != 0:
            said = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[0]
            raise TestbedError(f"`{' '.join(command)}` in {self.name}: {said}")
        return done.stdout

    def ip(self, *lines: str) -> None:
        """
        Configure with iproute2: each line is a command without the word ip; all in one process.
        """
        self.run(["ip", "-batch", "-"], stdin="\n".join(lines) + "\n")

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Call a function inside, in a thread that lives for this call: a socket it makes belongs to the namespace.

        :raises Exception: what the function raises.
        """
        thread = _Inside(self._descriptor, functools.partial(function, *args, **kwargs))
        thread.start()
        thread.join()
        return thread.outcome()

    def sysctl(self, **values: object) -> None:
        """
        Set kernel settings under /proc/sys/net; `__` stands for a slash, as in ipv4__ip_forward=1.
        """
        def write() -> None:
            for name, value in values.items():
                Path("/proc/sys/net", *name.split("__")).write_text(str(value))
        self.call(write)

    def await_link(self, name: str, link_local: str | None = None) -> None:
        """
        Wait until an interface has its carrier and, if given, its link-local address.

        :raises TestbedError: when that does not come.
        """
        def is_ready() -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                answer = fcntl.ioctl(asking, GET_FLAGS, struct.pack("16sH22x", name.encode(), 0))
            if not struct.unpack("16xH22x", answer)[0] & RUNNING:
                return False
            address = "" if link_local is None else socket.inet_pton(socket.AF_INET6, link_local).hex()
            return not address or address in Path("/proc/thread-self/net/if_inet6").read_text()

        def wait() -> bool:
            deadline = time.monotonic() + COMMAND_TIMEOUT
            while not is_ready():
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.002)
            return True

        if not self.call(wait):
            raise TestbedError(f"{name} in {self.name} got no carrier or no link-local address in {COMMAND_TIMEOUT} s")

    def close(self) -> None:
        """
        Let go of it. Processes still inside keep it alive: end them first.
        """
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._holder.communicate(timeout=COMMAND_TIMEOUT)


class _Inside(threading.Thread, Generic[R]):
    """
    A thread that moves into a namespace, calls one function there and ends. (A thread can move; threads share little.)
    """

    def __init__(self, descriptor: int, function: Callable[[], R]) -> None:
        super().__init__(daemon=True)
        self._namespace = descriptor
        self._function = function
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(self._namespace, CLONE_NEWNET) != 0:
                code = ctypes.get_errno()
                raise OSError(code, f"setns: {os.strerror(code)}")
            self._result = self._function()
        except BaseException as e:
            self._error = e

    def outcome(self) -> R:
        if self._error is not None:
            raise self._error
        result: R = self._result
        return result
