"""
What the native code offers, with the standard library alone: the same functions, the same bytes, slower.
"""
from .fallback_arithmetic import (
    axpy,
    coefficients,
    dot,
    dots,
    inverse,
    multiply,
    path,
    paths,
    product,
    scale,
    use,
)
from .fallback_generation import Generation
from .fallback_packets import encode

__all__ = ["Generation", "axpy", "coefficients", "dot", "dots", "encode", "inverse", "multiply", "path", "paths",
           "product", "scale", "use"]
