"""Streams of one node alone."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.streams.errors import TooManyError, UnknownStreamError
from tribler_multicast.streams.limits import MAX_PUBLISHED
from tribler_multicast.streams.local import LocalNetwork

if TYPE_CHECKING:
    from tribler_multicast.streams.network import LiveNetwork


async def test_what_is_published_is_on_air_until_it_ends() -> None:
    network: LiveNetwork = LocalNetwork("ab")
    publication = network.publish("camera", "video/mp2t")
    assert [(each.stream_id, each.name, each.mid) for each in network.on_air()] == [
        (publication.stream_id, "camera", "ab")]
    publication.log.append(b"first")
    log = await network.watch(publication.stream_id)
    assert log.read(0, 10) == b"first"
    publication.end()
    publication.end()
    assert network.on_air() == []
    assert log.ended
    with pytest.raises(UnknownStreamError):
        await network.watch(publication.stream_id)


def test_a_node_publishes_no_more_streams_than_it_may() -> None:
    network = LocalNetwork()
    for _ in range(MAX_PUBLISHED):
        network.publish("x", "")
    with pytest.raises(TooManyError):
        network.publish("x", "")
