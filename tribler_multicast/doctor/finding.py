"""
One finding of the doctor.
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """
    What was found, how bad it is (``ok``, ``info``, ``warning`` or ``error``) and what to do (empty: nothing).
    """

    what: str
    severity: str
    advice: str = ""
