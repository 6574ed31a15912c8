"""
tribler-multicast: the Tribler nodes on your local network find, verify and show each other, with no server of any kind.

The names below are loaded when they are first used, so that the command line starts fast::

    from tribler_multicast import CodedTransferCommunity, MulticastCommunity
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .community.coded import CodedTransferCommunity as CodedTransferCommunity
    from .community.multicast import MulticastCommunity as MulticastCommunity

__version__ = "0.1.0"

_EXPORTS = {"CodedTransferCommunity": ".community.coded", "MulticastCommunity": ".community.multicast"}
"""Exported name -> the module that has it."""

__all__ = ["CodedTransferCommunity", "MulticastCommunity", "__version__"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """
    Load an exported name at its first use (PEP 562).
    """
    if name not in _EXPORTS:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(_EXPORTS[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """
    List the exported names too before they are loaded.
    """
    return sorted({*globals(), *_EXPORTS})
