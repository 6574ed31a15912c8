"""
The instruction-set paths of the field's arithmetic, forced one after the other, the standard library as one of them.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tribler_multicast.coding import fallback, field

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNELS = ("paths", "path", "use", "multiply", "inverse", "axpy", "scale", "dot", "dots", "product", "coefficients")
"""What field takes from the implementation in use."""


def all_paths() -> tuple[str, ...]:
    """
    Return every path of this machine, the best first, the standard library last.
    """
    return tuple(dict.fromkeys((*field.kernels.paths(), *fallback.paths())))


@contextlib.contextmanager
def calculating(path: str) -> Iterator[None]:
    """
    What is calculated inside is calculated on this path.

    :raises ValueError: when this machine has no such path.
    """
    kernels = fallback if path in fallback.paths() else field.kernels
    before = {name: getattr(field, name) for name in KERNELS}
    for name in KERNELS:
        setattr(field, name, getattr(kernels, name))
    was = kernels.path()
    kernels.use(path)
    try:
        yield
    finally:
        kernels.use(was)
        for name, value in before.items():
            setattr(field, name, value)

