"""Announcements of which fragments came: put together, each delivered once, bounded for each sender and in total."""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .fragments import Fragment, Head, content_hash
from .limits import (
    ASSEMBLY_COST,
    MAX_ASSEMBLIES_PER_PEER,
    MAX_ASSEMBLY_BYTES,
    MAX_ASSEMBLY_BYTES_PER_PEER,
    MAX_PEERS,
)
from .replay import ReplayWindow
from .wire import Header, Kind, WireError

if TYPE_CHECKING:
    from .timers import Timer


@dataclass(slots=True, eq=False)
class Assembly:
    """
    An announcement of which fragments are missing. Times are seconds on the protocol's clock; `sealed` when it came so.
    """

    key: bytes
    epoch: int
    head: Head
    started: float
    parts: dict[int, bytes] = field(default_factory=dict)
    cost: int = ASSEMBLY_COST
    changed: float = 0.0
    asks: int = 0
    timer: Timer | None = None
    sealed: bool = False

    def missing(self) -> list[int]:
        """
        List the fragments that have not come.
        """
        return [index for index in range(self.head.count) if index not in self.parts]


@dataclass(slots=True)
class Sender:
    """
    What we hold of one sender in one epoch: which numbers are done with, and what is incomplete, oldest first.
    """

    epoch: int
    done: ReplayWindow = field(default_factory=lambda: ReplayWindow(0))
    assemblies: dict[int, Assembly] = field(default_factory=dict)
    cost: int = 0


class Reassembly:
    """
    The tables of one protocol instance. What is done is remembered of the last MAX_PEERS senders, gone or not: one
    that comes back in the same epoch does not say the same thing twice.
    """

    def __init__(self) -> None:
        """
        Start with nothing.
        """
        self.senders: OrderedDict[bytes, Sender] = OrderedDict()
        self.cost = 0

    def sender(self, key: bytes, epoch: int) -> Sender:
        """
        Get what is held of a verified sender; a new epoch starts afresh.
        """
        sender = self.senders.get(key)
        if sender is None or sender.epoch != epoch:
            self.forget(key)
            if len(self.senders) >= MAX_PEERS:
                self.forget(next(iter(self.senders)))
                self.senders.popitem(last=False)
            sender = self.senders[key] = Sender(epoch)
        self.senders.move_to_end(key)
        return sender

    def is_news(self, header: Header) -> bool:
        """
        Tell whether a fragment or trailer, not checked yet, would tell us anything. Changes nothing.
        """
        sender = self.senders.get(header.signer)
        if sender is None or sender.epoch != header.epoch:
            return True
        try:
            fragment = Fragment.read(header.payload) if header.kind == Kind.FRAGMENT else None
            head = Head.read(header.payload)
        except WireError:
            return True
        assembly = sender.assemblies.get(head.number)
        if assembly is None:
            return sender.done.is_fresh(head.number)
        return fragment is None or fragment.index not in assembly.parts

    def open(self, key: bytes, epoch: int, head: Head, now: float) -> Assembly | None:
        """
        Get the assembly of an announcement, a new one if need be; None when it is done with, or was another before.
        """
        sender = self.sender(key, epoch)
        assembly = sender.assemblies.get(head.number)
        if assembly is not None:
            return assembly if assembly.head == head else None
        if not sender.done.is_fresh(head.number):
            return None
        if len(sender.assemblies) >= MAX_ASSEMBLIES_PER_PEER:
            self.drop(next(iter(sender.assemblies.values())))
        assembly = sender.assemblies[head.number] = Assembly(key, epoch, head, now, changed=now)
        self.pay(sender, ASSEMBLY_COST)
        return assembly if self.is_open(assembly) else None

    def add(self, assembly: Assembly, fragment: Fragment, now: float) -> bytes | None:
        """
        Put a fragment in; get the packed values when that was the last one.

        :raises WireError: when they are not what the sender hashed: nobody gets them, and nobody asks again.
        """
        if fragment.index in assembly.parts:
            return None
        assembly.parts[fragment.index] = fragment.content
        assembly.changed = now
        if len(assembly.parts) < assembly.head.count:
            size = len(fragment.content)
            assembly.cost += size
            self.pay(self.senders[assembly.key], size)
            return None
        self.drop(assembly)
        packed = b"".join(assembly.parts[index] for index in range(assembly.head.count))
        if content_hash(packed) != assembly.head.digest:
            msg = "fragments that are no announcement together"
            raise WireError(msg)
        return packed

    def pay(self, sender: Sender, size: int) -> None:
        """
        Count bytes, and drop what is oldest of whoever holds too much.
        """
        sender.cost += size
        self.cost += size
        while sender.cost > MAX_ASSEMBLY_BYTES_PER_PEER:
            self.drop(next(iter(sender.assemblies.values())))
        while self.cost > MAX_ASSEMBLY_BYTES:
            largest = max(self.senders.values(), key=lambda held: held.cost)
            self.drop(next(iter(largest.assemblies.values())))

    def drop(self, assembly: Assembly) -> None:
        """
        Be done with an announcement, whole or not.
        """
        sender = self.senders.get(assembly.key)
        if sender is not None and sender.assemblies.get(assembly.head.number) is assembly:
            del sender.assemblies[assembly.head.number]
            sender.done.add(assembly.head.number)
            sender.cost -= assembly.cost
            self.cost -= assembly.cost
        if assembly.timer is not None:
            assembly.timer.cancel()
            assembly.timer = None

    def is_open(self, assembly: Assembly) -> bool:
        """
        Tell whether an announcement is still being put together.
        """
        sender = self.senders.get(assembly.key)
        return sender is not None and sender.assemblies.get(assembly.head.number) is assembly

    def clear(self) -> None:
        """
        Drop all that is incomplete.
        """
        for key in self.senders:
            self.forget(key)

    def forget(self, key: bytes) -> None:
        """
        Drop what is incomplete of a sender.
        """
        sender = self.senders.get(key)
        for assembly in list(sender.assemblies.values()) if sender is not None else ():
            self.drop(assembly)
