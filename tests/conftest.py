"""
Tests on several processors: each worker of pytest-xdist gets a network of its own.

Nodes on the loopback interface find each other, which is what they are for: those of two workers must not.
"""
from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

CLONE_NEWNET = 0x40000000


def pytest_configure(config: pytest.Config) -> None:
    """
    Leave the network that all workers begin in, before any test begins.
    """
    if not hasattr(config, "workerinput") or os.environ.get("TM_NAMESPACE") != "1" or sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
