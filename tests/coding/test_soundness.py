"""
What one functional and one random combination let pass is what the derivation says; eight of each multiply it.
"""
from __future__ import annotations

from tribler_multicast.coding.checksums import FEW, FUNCTIONALS, ROUNDS, Rows, Verifier

from .generation import Generation


def test_a_functional_lets_one_in_256_bad_packets_pass() -> None:
    generation = Generation(4, 12)
    failed = generation.functionals.of(Rows(generation.random.randbytes(12 * 4096), 4096, 12))
    passed = [failed[4096 * i:4096 * (i + 1)].count(0) for i in range(FUNCTIONALS)]
    assert all(4 <= count <= 36 for count in passed), "16 are expected of 4,096"
    assert len({bytes(failed[4096 * i:4096 * (i + 1)]) for i in range(FUNCTIONALS)}) == FUNCTIONALS


def test_a_round_lets_one_in_256_batches_with_a_bad_packet_pass() -> None:
    generation, passed = Generation(4, 12), 0
    coefficients, payloads = generation.coded(FEW + 1)
    payloads[25] ^= 1
    checksums = generation.functionals.checksums(generation.symbols)
    verifier = Verifier(generation.functionals, checksums,
                        lambda count: generation.random.randbytes(count // ROUNDS) * ROUNDS)  # all rounds alike: as one
    for _ in range(1024):
        passed += verifier.verify_batch(coefficients, payloads)
    assert 1 <= passed <= 12, "4 are expected of 1,024"
