"""
Who carries the control messages of transfers, and knows who is there: the community is one.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from ...lan.interfaces import Interface
    from ...protocol.identity import Identity
    from ...protocol.wire import Kind

LinkKey = tuple[int, int]
"""Interface index, family (4 or 6)."""


class Path(NamedTuple):
    """
    A way to a verified peer: its IP address there, without scope.
    """

    link: LinkKey
    address: str


class Options(Protocol):
    """
    Settings, read each time they count: `settings.Settings`, or a dictionary.
    """

    def get(self, name: str, default: Any = None, /) -> Any:  # noqa: ANN401
        """
        Get the value in force.
        """


class Courier(Protocol):
    """
    Sends what is signed and sealed for one peer. Peers are named by their mid (20 bytes).
    """

    @property
    def identity(self) -> Identity:
        """
        Who we are: signs what we publish.
        """

    @property
    def must_seal(self) -> bool:
        """
        Whether the policy in force is not `everyone`: then data is neither sent nor taken but sealed.
        """

    def neighbours(self) -> list[bytes]:
        """
        Get the verified peers that take part in coded transfers.
        """

    def paths(self, mid: bytes) -> list[Path]:
        """
        Get the ways to a peer, the best first; none when it is not verified now.
        """

    def send(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey | None = None) -> bool:
        """
        Send a control message; None: by the best way. False when it was not sent.
        """

    def may(self, mid: bytes) -> bool:
        """
        Tell whether the policy lets a peer get content from us, and give us some.
        """

    def count(self, mid: bytes, *, up: int = 0, down: int = 0, helped: bool = False) -> None:
        """
        Count bytes of data that went to a peer and came from it; `helped`: from one receiver to another.
        """

    def standing(self, mid: bytes) -> int:
        """
        Get the bytes that a peer gave us more than it took, at least 0: who gave is served first.
        """

    def set_named(self, mid: bytes) -> None:
        """
        Remember that a peer was caught sending bad data.
        """

    def named(self) -> frozenset[bytes]:
        """
        Get who was caught sending bad data not long ago.
        """

    def interface(self, link: LinkKey) -> Interface | None:
        """
        Get the interface of a link; None when it is gone, or silent.
        """

    def networks(self, link: LinkKey) -> tuple[str, ...]:
        """
        Get the networks that are on a link (`ip/prefix`): nothing else is heard there.
        """

    async def round_trip(self, mid: bytes, link: LinkKey) -> float | None:
        """
        Measure the round trip to a peer, seconds; None: no answer within one.
        """
