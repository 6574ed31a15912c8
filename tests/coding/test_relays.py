"""
A relay that has more than the next always has something to tell it.
"""
from __future__ import annotations

from random import Random

import pytest

from tribler_multicast.coding import Code, Decoder, Encoder, Recoder, fallback, field

CODE = Code(20, 3)
NEWS = {"chosen": 2000, "fallback": 1500}
"""New packets, of which 1 in 256 would tell nothing if it were not made sure that it has the newest."""


@pytest.mark.parametrize("name", NEWS)
def test_what_a_relay_recodes_tells_the_next_of_the_packet_that_came_last(name: str) -> None:
    kernels, random, news = {"chosen": field.kernels, "fallback": fallback}[name], Random(1), 0
    while news < NEWS[name]:
        encoder = Encoder(CODE, random.randbytes(60), systematic=news % 40 == 0, seed=random.randrange(20, 2**32))
        relay, receiver = Decoder(CODE, kernels=kernels), Decoder(CODE, kernels=kernels)
        recoder = Recoder(relay, seed=random.getrandbits(64))
        while not relay.complete:
            if relay.add(*encoder.encode()):
                assert receiver.add(*recoder.recode())
                news += 1
        assert receiver.decode() == relay.decode()


def test_both_implementations_recode_alike() -> None:
    random = Random(2)
    for _ in range(20):
        encoder = Encoder(CODE, random.randbytes(60), seed=random.randrange(20, 2**32))
        nodes = [Decoder(CODE, kernels=kernels) for kernels in (field.kernels, fallback)]
        for number, payload in [encoder.encode() for _ in range(random.randrange(1, 25))]:
            if random.random() < 0.7 or not nodes[0].rank:
                assert len({node.add(number, payload) for node in nodes}) == 1
        seed, made = random.getrandbits(64), []
        for node in nodes:
            made.append(bytearray(30 * (20 + 3)))
            Recoder(node, seed=seed).recode_into(made[-1], 30)
        assert made[0] == made[1]
