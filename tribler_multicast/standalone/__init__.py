"""
A client of our own: a node with no Tribler, its state on disk and its life from start to goodbye.

``open_node`` runs one inside a program.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embedded import EmbeddedNode as EmbeddedNode
    from .embedded import open_node as open_node
    from .node import NodeError as NodeError

__all__ = ["EmbeddedNode", "NodeError", "open_node"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """
    Load an exported name at its first use (PEP 562): the command line imports from here, and starts fast.
    """
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from . import embedded  # noqa: PLC0415

    return getattr(embedded, name)
