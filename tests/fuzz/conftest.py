"""
Nodes as processes.
"""
from __future__ import annotations

from tests.standalone.conftest import start_node

__all__ = ["start_node"]
