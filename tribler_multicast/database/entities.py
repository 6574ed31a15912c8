"""
The Pony entities of the newest layout.
"""

from __future__ import annotations

from typing import Any


def define_entities(db: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """
    Bind the entities ``Peer`` and ``Meta`` to one Pony database; a process may have several.

    Texts are kept as they are: no stripping, no longest length.
    """
    from pony import orm  # noqa: PLC0415 (50 ms that nobody pays before a file is opened)

    class Meta(db.Entity):  # type: ignore[misc]
        """
        A name and its value: ``version`` is the version of the layout.
        """

        name = orm.PrimaryKey(str)
        value = orm.Required(str)

    class Peer(db.Entity):  # type: ignore[misc]
        """
        The row of a ``PeerRecord``; addresses and capabilities are JSON.
        """

        public_key = orm.PrimaryKey(bytes)
        mid = orm.Required(bytes)
        nickname = orm.Optional(orm.LongStr, autostrip=False, lazy=False)
        first_seen = orm.Required(float)
        last_seen = orm.Required(float)
        addresses = orm.Required(orm.LongStr, lazy=False)
        interface = orm.Optional(orm.LongStr, autostrip=False, lazy=False, nullable=True)
        rtt_ms = orm.Optional(float)
        capabilities = orm.Required(orm.LongStr, lazy=False)
        is_local = orm.Required(bool)
        was_local = orm.Required(bool)
        friend = orm.Required(str)
        total_up = orm.Required(int, size=64)
        total_down = orm.Required(int, size=64)
        friend_refused = orm.Required(bool)
        friend_serial = orm.Required(int, size=64)
        friend_their_serial = orm.Required(int, size=64)
        friend_acked = orm.Required(int, size=64)
        helped_up = orm.Required(int, size=64)
        helped_down = orm.Required(int, size=64)
        named_at = orm.Optional(float)
        receipt_given = orm.Required(int, size=64)
        receipt_given_signature = orm.Optional(orm.LongStr, autostrip=False, lazy=False)
        receipt_taken = orm.Required(int, size=64)
        receipt_taken_signature = orm.Optional(orm.LongStr, autostrip=False, lazy=False)

    return Peer, Meta
