"""
What can go wrong with a stream. Each message is one line for the user.
"""
from __future__ import annotations


class StreamError(Exception):
    """
    A stream can't be published, found or played on. The message is one line for the user.
    """


class UnknownStreamError(StreamError):
    """
    Nobody who is heard of streams it.
    """


class ImpossibleError(StreamError):
    """
    No stream can be like this.
    """


class TooManyError(StreamError):
    """
    This node has as many as it takes.
    """


class GoneError(StreamError):
    """
    The bytes at a position of a stream are not there and will not come: they were lost, or are no longer kept.
    """

    def __init__(self, position: int, next_position: int) -> None:
        """
        Say where a reader can go on.

        :param position: the first byte that is not there.
        :param next_position: the nearest one from which a player can, the edge of the stream when there is none yet.
        """
        super().__init__(f"what was wanted from {position} on is gone, the stream goes on at {next_position}")
        self.position = position
        self.next_position = next_position
