"""
The served node of the REST tests.
"""
from __future__ import annotations

from tests.restapi.conftest import api, settings

__all__ = ["api", "settings"]
