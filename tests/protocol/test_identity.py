"""Keys for which anybody can sign, and the examples of docs/protocol.md."""
from __future__ import annotations

from pathlib import Path

from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol.identity import SMALL_ORDER, Identity, verify
from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.stamp import is_stamped, stamp_digest
from tribler_multicast.protocol.wire import HEAD_REST, PREFIX, Address, Kind, Writer, channel_of

from .simulated import identity_from


def order_of(point: bytes) -> int:
    """Compute the order of an Ed25519 point up to 8 by adding it to itself (RFC 8032, section 5.1.4), or 0."""
    p = 2 ** 255 - 19
    d = -121665 * pow(121666, -1, p) % p
    y = int.from_bytes(point, "little") % p
    square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    x = pow(square, (p + 3) // 8, p)
    if (x * x - square) % p:
        x = x * pow(2, (p - 1) // 4, p) % p
    assert (x * x - square) % p == 0, "no point of the curve"
    total, count = (x, y), 1
    while total != (0, 1) and count < 9:
        (a, b), e = total, d * total[0] * total[1] * x * y
        total = ((a * y + b * x) * pow(1 + e, -1, p) % p, (b * y + a * x) * pow(1 - e, -1, p) % p)
        count += 1
    return count if count < 9 else 0


def test_keys_for_which_anybody_can_sign_are_refused() -> None:
    assert sorted(order_of(point) for point in SMALL_ORDER) == [1, 1, 2, 4, 4, 8, 8]
    assert order_of(identity_from("me").key[32:63] + bytes((identity_from("me").key[63] & 0x7F,))) == 0
    forged = bytes((1,)) + bytes(63)
    for point in SMALL_ORDER:
        for sign in (0, 0x80):
            key = bytes(32) + point[:31] + bytes((point[31] | sign,))
            assert not any(verify(key, forged, bytes((byte,))) for byte in range(50))


def test_the_examples_of_the_document_are_what_this_program_makes() -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    packed = "".join(text.split())
    one, other = (Identity(default_eccrypto.key_from_private_bin(b"LibNaCLSK:" + bytes(range(start, start + 64))))
                  for start in (0, 64))
    pair = one.pair_key(other.key)
    assert pair is not None
    writer = Writer(one, 7)
    writer.sequence = 1
    probe = writer.datagram(Kind.PROBE, channel_of(4, False), bytes(8), pair_key=pair)
    payload = Address(4, "10.0.0.1", 32110).pack() + Introduction(5.0, nickname="a").pack()
    head, rest = PREFIX + bytes((Kind.INTRODUCTION, 1, 4)), HEAD_REST.pack(one.key, 7, 1) + payload
    stamp = (0x49).to_bytes(16, "big")
    assert is_stamped(stamp_digest(head + rest, stamp))
    introduction = head + stamp + rest
    introduction += one.sign(introduction)
    for example in (one.key, one.mid, pair, probe, introduction):
        assert example.hex() in packed
