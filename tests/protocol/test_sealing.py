"""Sealing: both libraries give the same bytes, only the same group, address and channel open, and nothing raises."""
from __future__ import annotations

import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tribler_multicast.protocol import sealing
from tribler_multicast.protocol.fragments import FRAGMENT_SIZE
from tribler_multicast.protocol.limits import MAX_DATAGRAM, MAX_SEAL_KEYS
from tribler_multicast.protocol.sealing import LIBRARIES, Library, Seal, SealingError, group_key, load_library
from tribler_multicast.protocol.wire import MAX_SIGNED, OVERHEAD, PREFIX, SEAL_OVERHEAD, Kind, channel_of

KEY = bytes(range(32))
HERE = ("10.0.0.1", 32110)
MULTICAST, UNICAST = channel_of(4, True), channel_of(4, False)
INNER = PREFIX + b"\x01\x01\x04" + b"x" * 300


def library_or_skip(name: str) -> Library:
    try:
        return load_library(name)
    except SealingError as e:
        pytest.skip(f"{name}: {e}")


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Library:
    return library_or_skip(request.param)


def test_what_is_sealed_opens_and_shows_nothing(library: Library) -> None:
    sealed = Seal(KEY, library).seal(HERE, MULTICAST, INNER)
    assert sealed[:24] == PREFIX + b"\x0f\x01"
    assert len(sealed) == len(INNER) + SEAL_OVERHEAD == len(INNER) + 42
    assert INNER[22:40] not in sealed
    assert Seal(KEY, library).open(HERE, MULTICAST, sealed) == INNER


def test_sealing_twice_gives_different_bytes(library: Library) -> None:
    seal = Seal(KEY, library)
    assert len({seal.seal(HERE, MULTICAST, INNER) for _ in range(50)}) == 50


def test_both_libraries_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "urandom", lambda size: b"\x07" * size)
    one, other = (Seal(KEY, library_or_skip(name)) for name in LIBRARIES)
    for size in (OVERHEAD, 300, MAX_SIGNED):
        inner = INNER[:25] + b"y" * (size - 25)
        assert one.seal(HERE, MULTICAST, inner) == other.seal(HERE, MULTICAST, inner)
        assert other.open(HERE, MULTICAST, one.seal(HERE, MULTICAST, inner)) == inner
        assert one.open(HERE, MULTICAST, other.seal(HERE, MULTICAST, inner)) == inner
    assert group_key("correct horse", one.library) == group_key("correct horse", other.library)


def test_the_bytes_are_those_of_the_document(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "urandom", lambda size: b"\x07" * size)
    assert group_key("correct horse battery staple", library).hex() == (
        "74d1dc292efe5fe5b1357a3b64763bf8ca59545d4a87a44410e43dc9d057eab6")
    box_key = blake2b(b"\x04\x0a\x00\x00\x01\x7d\x6e\x04", key=KEY, digest_size=32, person=b"tm-group-box-1").digest()
    assert Seal(KEY, library).seal(HERE, MULTICAST, INNER) == (
        PREFIX + b"\x0f\x01" + b"\x07" * 24 + library.seal(INNER[22:], b"\x07" * 24, box_key))
    assert Seal(KEY, library).domain == b"tribler-multicast group signature 1\0" + blake2b(
        KEY, digest_size=32, person=b"tm-group-id-1").digest()


def test_the_document_has_figures_to_try_a_program_with() -> None:
    key = group_key("correct horse battery staple")
    seal = Seal(key)
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    for figure in (key, seal.domain[-32:], seal.derive(HERE, MULTICAST), sealing.SALT):
        assert f"`{figure.hex()}`" in text
    for number in (MAX_SIGNED, FRAGMENT_SIZE):
        assert f"{number:,} bytes" in text


def test_a_passphrase_is_the_same_however_its_letters_are_composed() -> None:
    assert group_key("Z\u00fcrich") == group_key("Zu\u0308rich")
    assert group_key("Zurich") != group_key("Z\u00fcrich") != group_key("z\u00fcrich")


@pytest.mark.parametrize(("source", "channel", "key"), [
    (("10.0.0.2", 32110), MULTICAST, KEY), (("10.0.0.1", 32111), MULTICAST, KEY), (HERE, UNICAST, KEY),
    (HERE, channel_of(6, True), KEY), (("fe80::1", 32110), channel_of(6, True), KEY), (("nonsense", 1), MULTICAST, KEY),
    (HERE, 0, KEY), (("10.0.0.1", 65536), MULTICAST, KEY), (HERE, MULTICAST, bytes(32))])
def test_another_address_channel_or_group_does_not_open(library: Library, source: tuple[str, int], channel: int,
                                                        key: bytes) -> None:
    sealed = Seal(KEY, library).seal(HERE, MULTICAST, INNER)
    assert Seal(key, library).open(source, channel, sealed) is None


def test_every_bit_and_every_byte_less_counts(library: Library) -> None:
    seal = Seal(KEY, library)
    sealed = seal.seal(HERE, MULTICAST, INNER)
    for byte in range(len(sealed)):
        assert seal.open(HERE, MULTICAST, sealed[:byte] + bytes((sealed[byte] ^ 1,)) + sealed[byte + 1:]) is None, byte
        assert seal.open(HERE, MULTICAST, sealed[:byte]) is None
    assert seal.open(HERE, MULTICAST, sealed + b"x") is None


SEALS = [Seal(KEY, load_library(name)) for name in LIBRARIES
         if subprocess.run([sys.executable, "-c", f"import {'libnacl' if name == 'libnacl' else 'nacl.bindings'}"],
                           check=False, capture_output=True).returncode == 0]


@settings(max_examples=300)
@given(st.binary(max_size=1500), st.booleans(), st.text(max_size=20) | st.just("10.0.0.1") | st.just("fe80::1"),
       st.integers(-1, 70_000), st.integers(0, 255))
@example(b"", True, "10.0.0.1", 32110, 4)
@example(bytes(MAX_DATAGRAM - 24), True, "10.0.0.1", 32110, 4)
def test_opening_never_raises(data: bytes, ours: bool, ip: str, port: int, channel: int) -> None:
    for seal in SEALS:
        assert seal.open((ip, port), channel, PREFIX + b"\x0f\x01" + data if ours else data) is None
        assert not seal.keys


def test_keys_kept_are_bounded_and_garbage_keeps_none() -> None:
    seal = Seal(KEY)
    sealed = seal.seal(HERE, MULTICAST, INNER)
    for number in range(MAX_SEAL_KEYS + 100):
        seal.open((f"10.1.{number >> 8}.{number & 255}", 32110), MULTICAST, sealed)
    assert list(seal.keys) == [(HERE, MULTICAST)]
    for number in range(MAX_SEAL_KEYS + 100):
        seal.seal((f"10.1.{number >> 8}.{number & 255}", 32110), MULTICAST, INNER)
    assert len(seal.keys) == MAX_SEAL_KEYS
    assert seal.open(HERE, MULTICAST, sealed) == INNER


def without(*names: str, sodium: bool = True) -> str:
    """Say which library a process takes in which these modules, or the system's libsodium, are missing."""
    code = ("import sys, ctypes, ctypes.util\n"
            f"for name in {names!r}: sys.modules[name] = None\n"
            f"if not {sodium}:\n"
            "    def missing(*_): raise OSError('no libsodium')\n"
            "    ctypes.util.find_library = lambda _: None\n"
            "    ctypes.cdll.LoadLibrary = missing\n"
            "from tribler_multicast.protocol.sealing import Seal, SealingError, group_key, load_library\n"
            "try: print(load_library().name, group_key('correct horse').hex())\n"
            "except SealingError as e: print(e)\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


def test_pynacl_is_used_where_the_system_has_no_libsodium() -> None:
    assert without(sodium=False) == f"PyNaCl {group_key('correct horse').hex()}"


def test_pynacl_is_used_where_libnacl_is_missing() -> None:
    assert without("libnacl") == f"PyNaCl {group_key('correct horse').hex()}"


def test_libnacl_is_enough() -> None:
    library_or_skip("libnacl")
    assert without("nacl") == f"libnacl {group_key('correct horse').hex()}"


def test_with_no_library_one_line_says_so() -> None:
    said = without("libnacl", "nacl")
    assert "no library to seal" in said
    assert "\n" not in said


def test_a_node_in_no_group_does_not_load_any_of_it() -> None:
    code = ("import sys, tribler_multicast.standalone.node, tribler_multicast.community.multicast\n"
            "from tribler_multicast.community.grouping import check_group\n"
            "from tribler_multicast.settings import Settings\n"
            "check_group(Settings())\n"
            "assert not {'libnacl', 'nacl', 'tribler_multicast.protocol.sealing'} & set(sys.modules)\n")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_kind_is_the_one_of_the_document() -> None:
    assert Kind.SEALED == 15
