"""Receipts as bytes: what both sign, and that nothing of it counts for anybody else."""
from __future__ import annotations

import pytest

from tribler_multicast.protocol.receipt import MAX_TOTAL, TAKEN, Receipt, pack_receipt, read_receipt

from .simulated import identity_from

GIVER, TAKER, OTHER = (identity_from(name) for name in ("giver", "taker", "other"))
RECEIPT = Receipt(GIVER.key, TAKER.key, 5_000_000)


def test_both_sign_the_same_and_neither_signature_is_the_others() -> None:
    taken, agreed = RECEIPT.sign_taken(TAKER), RECEIPT.sign_agreed(GIVER)
    assert RECEIPT.is_taken(taken)
    assert RECEIPT.is_agreed(agreed)
    assert not RECEIPT.is_taken(agreed)
    assert not RECEIPT.is_agreed(taken)
    assert not RECEIPT.is_taken(RECEIPT.sign_taken(GIVER))
    assert not RECEIPT.is_taken(TAKER.sign(RECEIPT.body))


@pytest.mark.parametrize("other", [
    Receipt(GIVER.key, TAKER.key, 5_000_001), Receipt(OTHER.key, TAKER.key, 5_000_000),
    Receipt(GIVER.key, OTHER.key, 5_000_000), Receipt(TAKER.key, GIVER.key, 5_000_000)])
def test_a_receipt_is_worth_nothing_for_another_total_another_pair_or_the_other_way_round(other: Receipt) -> None:
    assert not other.is_taken(RECEIPT.sign_taken(TAKER))
    assert not other.is_agreed(RECEIPT.sign_agreed(GIVER))


def test_nobody_takes_from_himself() -> None:
    own = Receipt(TAKER.key, TAKER.key, 1)
    assert not own.is_taken(own.sign_taken(TAKER))
    assert not own.is_agreed(own.sign_agreed(TAKER))


def test_a_message_is_read_as_it_was_written_and_has_73_bytes() -> None:
    payload = pack_receipt(TAKEN, 5, bytes(64))
    assert len(payload) == 73
    assert read_receipt(payload) == (TAKEN, 5, bytes(64))


@pytest.mark.parametrize("payload", [
    b"", bytes(73), pack_receipt(4, 5, bytes(64)), pack_receipt(TAKEN, 0, bytes(64)), pack_receipt(TAKEN, 5, bytes(63)),
    pack_receipt(TAKEN, 5, bytes(65)), pack_receipt(TAKEN, MAX_TOTAL + 1, bytes(64))])
def test_what_is_none_is_none(payload: bytes) -> None:
    assert read_receipt(payload) is None
