"""
What can go wrong with a transfer. Each message is one line for the user.
"""
from __future__ import annotations


class TransferError(Exception):
    """
    A transfer, or a part of it, can't go on. The message is one line for the user.
    """


class ContentError(TransferError):
    """
    Something that can't be offered, or bytes off the wire that are no content, manifest or index of ours.
    """


class ChangedError(TransferError):
    """
    A file is not what it was when it was hashed.
    """


class CancelledError(TransferError):
    """
    The caller wanted no more of it.
    """


class StoreError(TransferError):
    """
    What arrives can't be kept.
    """


class DiskFullError(StoreError):
    """
    There is no room. Nothing is lost: the same call succeeds once there is.
    """


class InUseError(StoreError):
    """
    Another process, or another transfer of this one, receives to the same place.
    """


class ExistsError(StoreError):
    """
    Something else has the name of the result.
    """


class LostError(StoreError):
    """
    What was kept was deleted, replaced or cut by somebody else. A new start begins with what is left.
    """


def reason(error: OSError) -> str:
    """
    Get what the system says of an error, on one line.
    """
    return " ".join((error.strerror or type(error).__name__).split())


def shown(name: str) -> str:
    """
    Get a file name that is safe to show on a line, whatever is in it.
    """
    text = name.encode(errors="backslashreplace").decode()
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
