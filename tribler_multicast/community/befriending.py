"""The community's part in friends: whom the user chose is kept in the database, and changes are told."""
from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ..policy import FRIENDS, effective_policy
from ..protocol.friends import NOTHING, Bond, Verdict
from ..protocol.identity import ipv8_key, mid_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..database import PeerDatabase, PeerRecord
    from ..protocol.core import MulticastProtocol
    from ..protocol.events import FriendChanged

IPV8_PREFIX_SIZE = 10
MID_SIZE = 20


class Friend(NamedTuple):
    """
    A peer that is a friend or on the way to be one: `friend` is `sent`, `received` or `mutual`.
    """

    public_key: bytes
    mid: bytes
    nickname: str
    friend: str
    is_local: bool


class DatabaseBook:
    """
    Keeps bonds in the rows of the peers, so that they outlast a restart.
    """

    def __init__(self, database: PeerDatabase) -> None:
        """
        Use an open database.
        """
        self.database = database

    def read(self, key: bytes) -> Bond:
        """
        Get the bond with a key (64 bytes), NOTHING when there is none.
        """
        record = self.database.peer(ipv8_key(key))
        return NOTHING if record is None else self.bond_of(record)

    @staticmethod
    def bond_of(record: PeerRecord) -> Bond:
        """
        Get the bond that a row holds.
        """
        mine = (Verdict.YES if record.is_friend else Verdict.NO if record.friend_refused else Verdict.UNDECIDED)
        return Bond(mine, record.friend_serial, record.friend in ("received", "mutual"), record.friend_their_serial,
                    record.friend_acked)

    def write(self, key: bytes, bond: Bond) -> None:
        """
        Keep a bond; it is in the file when this returns, or written later when the disk refuses.
        """
        self.database.set_friend(ipv8_key(key), friend=bond.state, refused=bond.mine is Verdict.NO,
                                 serial=bond.serial, their_serial=bond.their_serial, acked=bond.acked,
                                 now=time.time())

    def asking(self) -> list[bytes]:
        """
        List who asks, the one unseen for longest first.
        """
        records = [record for record in self.database.peers() if record.friend == "received"]
        records.sort(key=lambda record: record.last_seen)
        return [record.public_key[IPV8_PREFIX_SIZE:] for record in records]

    def all(self) -> dict[bytes, Bond]:
        """
        Get all bonds that are something.
        """
        return {record.public_key[IPV8_PREFIX_SIZE:]: self.bond_of(record) for record in self.database.peers()
                if record.friend != "none"}


class Befriending:
    """
    Lets a community that drives a protocol instance make friends.
    """

    core: MulticastProtocol
    database: PeerDatabase | None
    options: Mapping[str, Any]

    def pump(self) -> None:
        """
        Send what the protocol says, act on what happened.
        """
        raise AssertionError

    def tell(self, topic: str, **kwargs: Any) -> None:  # noqa: ANN401
        """
        Tell handlers and the client what happened.
        """
        raise AssertionError

    def ask_friend(self, mid: bytes) -> str:
        """
        Ask the owner of a mid (20 bytes) to be friends, or accept when it asked; get the state now.

        A node that is away is told when it is verified again.

        :raises KeyError: when no known node, local now or remembered, has this mid.
        :raises ValueError: with one line, when it is no mid or this node's own.
        """
        key = self.key_of(mid)
        now = asyncio.get_running_loop().time()
        self.core.want_now(mid, now)
        self.core.friends.ask(key, round(1000 * time.time()), now)
        self.pump()
        return self.core.friends.state(key)

    def withdraw_friend(self, mid: bytes) -> str:
        """
        Refuse the ask of the owner of a mid, take back ours, or end the friendship; get the state now, `none`.

        :raises KeyError: when no known node, local now or remembered, has this mid.
        :raises ValueError: with one line, when it is no mid or this node's own.
        """
        key = self.key_of(mid)
        now = asyncio.get_running_loop().time()
        self.core.want_now(mid, now)
        self.core.friends.withdraw(key, round(1000 * time.time()), now)
        self.pump()
        return self.core.friends.state(key)

    def friends(self) -> list[Friend]:
        """
        List friends, whom we asked, and who asks.
        """
        return [Friend(ipv8_key(key), mid_of(key), self.nickname_of(key), bond.state,
                       self.core.peers.get(key) is not None)
                for key, bond in self.core.friends.book.all().items()]

    def key_of(self, mid: bytes) -> bytes:
        """
        Get the key (64 bytes) of a node that is local now or remembered.
        """
        if len(mid) != MID_SIZE:
            msg = f"a mid has {MID_SIZE} bytes, not {len(mid)}"
            raise ValueError(msg)
        if mid == self.core.identity.mid:
            msg = "that is this node itself"
            raise ValueError(msg)
        for peer in self.core.peers:
            if peer.mid == mid:
                return peer.key
        record = self.database.peer_with_mid(mid) if self.database is not None else None
        if record is not None:
            return record.public_key[IPV8_PREFIX_SIZE:]
        for key in self.core.friends.book.all():
            if mid_of(key) == mid:
                return key
        msg = f"no known node has the mid {mid.hex()}"
        raise KeyError(msg)

    def nickname_of(self, key: bytes) -> str:
        """
        Get the nickname of a node, "" where it has none or is not known.
        """
        peer = self.core.peers.get(key)
        if peer is not None:
            return peer.introduction.nickname
        record = self.database.peer(ipv8_key(key)) if self.database is not None else None
        return "" if record is None else record.nickname

    def friend_changed(self, event: FriendChanged) -> None:
        """
        Tell what is between this node and another now.
        """
        self.tell("multicast_friend", mid=event.mid.hex(), nickname=self.nickname_of(event.key), friend=event.friend)

    def apply_policy(self) -> None:
        """
        Have the protocol follow the setting `policy`, from now on.
        """
        self.core.policy.friends_only = effective_policy(self.options) == FRIENDS
