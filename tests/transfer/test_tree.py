"""
Every proof that is accepted is true, every true one is accepted, and nothing is asked for twice.
"""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tribler_multicast.transfer.content.tree import EMPTY_ROOT, HASH_SIZE, MAX_SEGMENTS, HashTree, leaf_hash, node_hash

from ..hostile_disk import ROOT


def rfc_6962(leaves: list[bytes]) -> bytes:
    """
    The definition of the RFC, word by word.
    """
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + rfc_6962(leaves[:k]) + rfc_6962(leaves[k:])).digest()


def some_leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def whole(count: int) -> HashTree:
    return HashTree.of_leaves(b"".join(some_leaves(count)))


@pytest.mark.parametrize("count", [*range(1, 18), 31, 32, 33, 100])
def test_root_is_that_of_rfc_6962(count: int) -> None:
    assert whole(count).root == rfc_6962(some_leaves(count))


def test_tree_of_nothing_has_the_root_of_nothing() -> None:
    assert HashTree.of_leaves(b"").root == EMPTY_ROOT == sha256().digest()
    tree = HashTree(0, EMPTY_ROOT)
    assert tree.is_whole
    assert not tree.add(0, 0, bytes(32))
    assert tree.proof(0) is None


def test_leaf_and_node_are_never_the_same_hash() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


@examples(max_examples=200, deadline=None)
@given(st.integers(1, 200), st.integers(0, 2**32))
def test_any_order_of_runs_makes_the_tree_whole_and_asks_for_no_uncle_twice(count: int, seed: int) -> None:
    random, source = Random(seed), whole(count)
    tree, taken = HashTree(count, source.root), 0
    for segment in random.sample(range(count), count):
        height = random.randint(0, min(5, source.height))
        first = segment >> height << height
        wanted = tree.wanted(first, height)
        if wanted is None:
            continue
        proof = source.proof(first, height, wanted)
        assert proof is not None
        if wanted:
            assert not tree.add(first, height, proof[:-HASH_SIZE]), "one uncle fewer is not enough"
        assert tree.add(first, height, proof)
        assert tree.wanted(first, height) is None
        taken += wanted
    assert tree.is_whole
    assert tree.leaves() == source.leaves()
    assert taken <= count, "each uncle is a node that was not known before"


@examples(max_examples=300, deadline=None)
@given(st.integers(1, 70), st.data())
def test_a_proof_with_any_wrong_bit_is_refused_and_nothing_of_it_is_kept(count: int, data: st.DataObject) -> None:
    source = whole(count)
    height = data.draw(st.integers(0, min(5, source.height)))
    first = data.draw(st.integers(0, count - 1)) >> height << height
    tree = HashTree(count, source.root)
    other = data.draw(st.integers(0, count - 1))
    assert tree.add(other, 0, source.proof(other) or b"")
    known = tree.nodes()
    proof = source.proof(first, height)
    assert proof is not None
    kind = data.draw(st.sampled_from(["flip", "more", "cut a byte", "place", "swap"]))
    at = data.draw(st.integers(0, len(proof) - 1))
    if kind == "flip":
        proof = proof[:at] + bytes((proof[at] ^ 1 << data.draw(st.integers(0, 7)),)) + proof[at + 1:]
    elif kind == "more":
        proof += data.draw(st.binary(min_size=1, max_size=64))
    elif kind == "cut a byte":
        proof = proof[:-1]
    elif kind == "swap" and len(proof) > HASH_SIZE:
        proof = proof[HASH_SIZE:2 * HASH_SIZE] + proof[:HASH_SIZE] + proof[2 * HASH_SIZE:]
    else:
        before, first = first, data.draw(st.integers(-3, count + 3))
        if first == before:
            return
    assert not tree.add(first, height, proof)
    assert tree.nodes() == known


@examples(max_examples=300, deadline=None)
@given(st.integers(0, 40), st.integers(-2, 50), st.integers(-2, 9), st.binary(max_size=400))
def test_rubbish_is_refused_and_never_raises(count: int, first: int, height: int, proof: bytes) -> None:
    tree = HashTree(count, whole(count).root)
    if count != 1 or proof != tree.root:
        assert not tree.add(first, height, proof)
    assert len(tree.nodes()) <= 1


def test_hash_of_a_node_is_not_taken_for_that_of_a_segment() -> None:
    source = whole(8)
    tree = HashTree(8, source.root)
    inner = source.get(1, 0)
    assert inner is not None
    assert not tree.add(0, 0, inner + b"".join((source.proof(0) or b"")[at:at + 32] for at in (64, 96)))


def test_segment_is_checked_once_its_hash_is_known() -> None:
    source = whole(5)
    tree = HashTree(5, source.root)
    assert tree.check(2, b"2") is None
    assert tree.add(2, 0, source.proof(2) or b"")
    assert tree.check(2, b"2") is True
    assert tree.check(2, b"3") is False
    assert tree.check(3, b"3") is True, "its uncle was the hash of segment 3"


def test_tree_that_is_known_in_part_proves_what_it_knows() -> None:
    source, middle = whole(64), HashTree(64, whole(64).root)
    assert middle.add(8, 3, source.proof(8, 3) or b"")
    end = HashTree(64, source.root)
    assert end.add(10, 0, middle.proof(10) or b"")
    assert middle.proof(30) is None
    assert middle.proof(9, 3) is None, "no run begins there"


def test_run_of_proof_fits_a_datagram_for_the_largest_content() -> None:
    tree = HashTree(MAX_SEGMENTS, bytes(32))
    first, height = tree.run_of(123_457, 1300)
    assert first <= 123_457 < first + (1 << height)
    assert tree.proof_size(first, height) <= 1300
    assert tree.proof_size(123_457) <= 32 * (2 + MAX_SEGMENTS.bit_length())


def test_run_is_the_segment_alone_when_there_is_no_room() -> None:
    assert whole(100).run_of(77, 10) == (77, 0)


@examples(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32), st.booleans())
def test_what_was_learned_comes_back_and_what_was_tampered_with_does_not(count: int, seed: int, tamper: bool) -> None:
    random, source = Random(seed), whole(count)
    tree, journal = HashTree(count, source.root), []
    for segment in random.sample(range(count), random.randint(1, count)):
        if (wanted := tree.wanted(segment)) is not None:
            assert tree.add(segment, 0, source.proof(segment, 0, wanted) or b"")
        journal += tree.learned()
    again = HashTree(count, source.root)
    if tamper:
        journal = [node._replace(hash=random.randbytes(32)) if random.random() < 0.3 else node for node in journal]
        journal += [(99, 0, bytes(32)), (0, 10**6, bytes(32)), (0, 0, b"short")]  # type: ignore[list-item]
    again.restore(journal)
    if not tamper:
        assert again.nodes() == tree.nodes()
    assert all(source.get(level, number) == value for level, number, value in again.nodes())
    assert again.learned() == []


@pytest.mark.skipif(sys.platform != "linux", reason="memory is looked at in /proc")
def test_tree_of_the_largest_content_takes_memory_only_for_what_is_known() -> None:
    code = ("from tribler_multicast.transfer.content.tree import *\n"
            "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
            "before = peak(); tree = HashTree(MAX_SEGMENTS, bytes(32)); tree.wanted(77); tree.is_whole\n"
            "print(peak() - before)\n")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT,
                          timeout=60)
    assert int(said.stdout) < 8000, said.stderr


@pytest.mark.parametrize(("count", "root"), [(-1, bytes(32)), (MAX_SEGMENTS + 1, bytes(32)), (1, b""), (0, bytes(32))])
def test_tree_that_can_not_be_is_not_made(count: int, root: bytes) -> None:
    with pytest.raises(ValueError, match="no such tree"):
        HashTree(count, root)
