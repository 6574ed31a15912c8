"""
What a JOIN for one content says: what is lacking of it, and how it is to come.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...coding import MAX_SYMBOLS
from ..session.messages import LACKS_ROOM, Join
from ..session.reports import lacking_segments
from .limits import DEAF

if TYPE_CHECKING:
    from ..session.reports import Lacks
    from ..store.store import Store
    from .courier import Courier
    from .storage import Storage
    from .together import Together


class Asking:
    """
    Of one content.
    """

    def __init__(self, content_id: bytes, storage: Storage, courier: Courier, together: Together) -> None:
        """
        Begin with everything possible.
        """
        self.content_id = content_id
        self.storage = storage
        self.courier = courier
        self.together = together
        self.deaf = 0
        """Sessions in a row that ended in silence, without a datagram of the group."""
        self.is_spoilt = False
        """Whether somebody who has the key of what goes to all sends nonsense under it: ours is asked for then."""
        self._lacks: tuple[int, Lacks] | None = None

    def join(self, port: int, rate: int | None, *, wants_manifest: bool) -> Join:
        """
        Make one.

        :param port: where unicast data is to go.
        :param rate: most bytes/s that are taken; None: any.
        """
        return Join.of(self.content_id, self._lacking(), port, largest_k=MAX_SYMBOLS, wants_manifest=wants_manifest,
                       no_multicast=self.deaf >= DEAF or self.is_spoilt,
                       rate=0 if rate is None else max(1, rate // 125),
                       sealed=self.courier.must_seal, helps=self.together.is_on)

    def _lacking(self) -> Lacks:
        store, source = self.storage.store, self.storage.source
        if source is not None:
            segments = source.layout.segments
            return lacking_segments(range(segments), segments, LACKS_ROOM)
        if store is None:
            return lacking_segments((), 0, LACKS_ROOM)
        if self._lacks is None or self._lacks[0] != store.progress.whole:
            self._lacks = store.progress.whole, lacking_segments(Stored(store), store.layout.segments, LACKS_ROOM)
        return self._lacks[1]


class Stored:
    """
    The segments that a store has, to look up.
    """

    def __init__(self, store: Store) -> None:
        """
        Of that store.
        """
        self.store = store

    def __contains__(self, segment: object) -> bool:
        """
        Tell whether one is here and checked.
        """
        return isinstance(segment, int) and self.store.has(segment)
