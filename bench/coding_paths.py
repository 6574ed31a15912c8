"""
The instruction-set paths of the field's arithmetic, forced one after the other, the standard library as one of them.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tribler_multicast.coding import fallback, field

if TYPE_CHECKING:
    from collections.abc import Iterator

BEST = field.kernels
"""The implementation that was chosen at the start."""

KERNELS = ("paths", "path", "use", "multiply", "inverse", "axpy", "scale", "dot", "dots", "product", "coefficients")
"""What the module field takes from the implementation in use, besides it as a whole."""


def all_paths() -> tuple[str, ...]:
    """
    Return every path of this machine, the best first, the standard library last.
    """
    return tuple(dict.fromkeys((*BEST.paths(), *fallback.paths())))


@contextlib.contextmanager
def calculating(path: str) -> Iterator[None]:
    """
    What is calculated inside is calculated on this path.

    :raises ValueError: when this machine has no such path.
    """
    kernels = fallback if path in fallback.paths() else BEST
    chosen = {"kernels": kernels, **{name: getattr(kernels, name) for name in KERNELS}}
    before = {name: getattr(field, name) for name in chosen}
    was = kernels.path()
    kernels.use(path)
    vars(field).update(chosen)
    try:
        yield
    finally:
        vars(field).update(before)
        kernels.use(was)

