"""
What a download begins with may come from anybody: hostile .torrent files and links are refused in one line, or
harmless.
"""
from __future__ import annotations

import asyncio
import time
from hashlib import sha1
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.client import ClientError
from tribler_multicast.standalone.torrents.sources import MAX_MAGNET, read_source
from tribler_multicast.torrent_files.making import bencode

from .engines import data_of, until

if TYPE_CHECKING:
    from .conftest import StartEngine

PIECE = 16384
DATA = data_of(10)
HASH = sha1(DATA).digest()
SINGLE: dict[bytes, object] = {b"name": b"n", b"piece length": PIECE, b"pieces": HASH, b"length": 10}


def torrent(**changes: object) -> bytes:
    """
    A torrent of one file of ten bytes, with changes (None: without that entry).
    """
    info = {**SINGLE, **{name.replace("_", " ").encode(): value for name, value in changes.items()}}
    return bencode({b"info": {key: value for key, value in info.items() if value is not None}})


def folder(*files: dict[bytes, object], name: bytes = b"root") -> bytes:
    """
    A torrent of several files.
    """
    size = sum(file[b"length"] for file in files)  # type: ignore[misc]
    return bencode({b"info": {b"name": name, b"piece length": PIECE, b"pieces": HASH * -(-size // PIECE),
                              b"files": list(files)}})


def file(*path: bytes, length: int = 10, **more: object) -> dict[bytes, object]:
    return {b"path": list(path), b"length": length, **{key.replace("_", " ").encode(): value
                                                       for key, value in more.items()}}


def deep(levels: int) -> bytes:
    return b"d4:infod4:name" + b"l" * levels + b"e" * levels + b"ee"


def library() -> Any:  # noqa: ANN401
    return pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")


REFUSED = {
    "nothing": b"",
    "a web page": b"<!doctype html><html>",
    "cut short": torrent()[:-20],
    "no info": bencode({b"announce": b"http://a/"}),
    "info is a list": bencode({b"info": [b"x"]}),
    "a name that is the folder above": torrent(name=b".."),
    "no name": torrent(name=b""),
    "nothing in it": torrent(length=0, pieces=b""),
    "fewer than no bytes": torrent(length=-5),
    "more than all disks": torrent(length=2**62),
    "more than a number holds": torrent(length=2**63),
    "pieces of no length": torrent(piece_length=0),
    "pieces of a terabyte": torrent(length=2**40, piece_length=2**40),
    "pieces of no whole hash": torrent(pieces=HASH[:-1]),
    "too few pieces": torrent(length=10 * PIECE),
    "half a million pieces": torrent(length=PIECE * 499_999, pieces=HASH * 499_999),
    "lists in lists": deep(5000),
    "a million lists": deep(1_000_000),
    "a number of 100,000 digits": b"d4:infoi" + b"9" * 100_000 + b"ee",
    "a million values": b"d4:infod4:name" + b"l" + b"i1e" * 1_000_000 + b"eee",
    "a text longer than the file": b"d4:info9999999999:xxxxxxe",
    "eleven megabytes": bencode({b"info": SINGLE, b"comment": bytes(11_000_000)}),
    "a link to elsewhere": folder(file(b"l", length=0, attr=b"l", symlink_path=[b"..", b"..", b"etc"]), file(b"a")),
    "a link within": folder(file(b"l", length=0, attr=b"l", symlink_path=[b"a"]), file(b"a")),
    "60,000 files": folder(*[file(b"%d" % number, length=1) for number in range(60_000)]),
    "version 2 only": b"",  # made below: libtorrent makes it
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_line(what: str) -> None:
    lt = library()
    content = REFUSED[what]
    if what == "version 2 only":
        content = lt.bencode({b"info": {b"meta version": 2, b"name": b"n", b"piece length": PIECE,
                                        b"file tree": {b"n": {b"": {b"length": 10, b"pieces root": bytes(32)}}}}})
    began = time.monotonic()
    with pytest.raises(ClientError) as caught:
        read_source(lt, content, lan_only=False)
    assert time.monotonic() - began < 2
    assert 10 < len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
    assert caught.value.status in (400, 413)


@pytest.mark.parametrize("link", [
    "", "magnet:", "magnet:?", "magnet:?xt=urn:btih:zz", "http://example.org/x.torrent", "/etc/passwd",
    "magnet:?xt=urn:btih:" + "0" * 40, "magnet:?xt=urn:btmh:1220" + "a" * 64, "x" * (MAX_MAGNET + 1), "\x00\x1b[31m",
    "magnet:?dn=x&tr=http://a/"])
def test_links_that_are_none_are_refused_in_one_line(link: str) -> None:
    with pytest.raises(ClientError) as caught:
        read_source(library(), link, lan_only=False)
    assert str(caught.value).isprintable()
    assert caught.value.status in (400, 413)


HARMLESS = {
    "a path to elsewhere": (folder(file(b"..", b"..", b"..", b"etc", b"x")), ["root/_/_/_/etc/x"]),
    "a name to elsewhere": (torrent(name=b"../../../x"), ["......x"]),
    "an absolute name": (torrent(name=b"/etc/passwd"), ["etcpasswd"]),
    "an absolute part": (folder(file(b"/etc/passwd")), ["root/etcpasswd"]),
    "slashes in a part": (folder(file(b"a/../../b")), ["root/a....b"]),
    "backslashes": (folder(file(b"a\\..\\..\\b")), ["root/a....b"]),
    "a zero byte": (torrent(name=b"a\0b"), ["ab"]),
    "control characters": (torrent(name=b"a\nb\x1b[31m"), ["a_b_[31m"]),
    "a name that runs backwards": (torrent(name="a\u202egpj.exe".encode()), ["agpj.exe"]),
    "no UTF-8": (torrent(name=b"\xff\xfe\xc3x"), None),
    "a name of 5,000 letters": (torrent(name=b"n" * 5000), ["n" * 240]),
    "two files of one name": (folder(file(b"a", length=4), file(b"a", length=6)), ["root/a", "root/a.1"]),
    "names that differ in case": (folder(file(b"a", length=4), file(b"A", length=6)), ["root/A.1", "root/a"]),
    "a file and a folder of one name": (folder(file(b"a", length=4), file(b"a", b"b", length=6)),
                                        ["root/a.1", "root/a/b"]),
    "names that we use ourselves": (folder(file(b".incomplete", b"x")), ["root/.incomplete/x"]),
    "empty files": (folder(file(b"a"), file(b"b", length=0)), ["root/a", "root/b"]),
    "odd pieces": (torrent(piece_length=10), ["n"]),
}


async def test_harmless(engine: StartEngine) -> None:
    """Fetched from a peer that has them, so that all of it happens: nothing appears outside of the download folder."""
    a, b = await engine("a"), await engine("b")
    lt = a.core.lt
    expected = {}
    assert a.core.session is not None
    for number, (content, names) in enumerate(HARMLESS.values()):
        info = lt.load_torrent_buffer(content)
        files = info.ti.files()
        made = [files.file_path(index) for index in range(files.num_files())]
        for index, name in enumerate(made):  # whatever the torrent says, who has it has it under the harmless name
            place = a.folder / "has" / str(number) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(DATA[files.file_offset(index):files.file_offset(index) + files.file_size(index)])
        info.save_path, info.flags = str(a.folder / "has" / str(number)), lt.torrent_flags.seed_mode
        a.core.session.session.add_torrent(info)
        infohash = await b.fetch(content, [a.address], folder=b.downloads / str(number))
        expected[infohash] = (b.downloads / str(number), sorted(names or made))
    for infohash, (place, names) in expected.items():
        await b.reaches(infohash, "seeding")
        assert sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()) == names
        assert b.of(infohash).name.isprintable()
    assert {path.name for path in b.folder.iterdir()} == {"state", "got"}
    for infohash in expected:
        await b.stop(infohash, delete=True)
    assert not [path for path in b.downloads.rglob("*") if path.parent != b.downloads]


async def test_a_path_longer_than_the_system_takes_fails_in_one_line(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    content = folder(file(*[b"d" * 200] * 100, b"f"))
    lt = a.core.lt
    info = lt.load_torrent_buffer(content)
    info.renamed_files = {0: "f"}
    (a.folder).mkdir(exist_ok=True)
    (a.folder / "f").write_bytes(DATA)
    info.save_path, info.flags = str(a.folder), lt.torrent_flags.seed_mode
    assert a.core.session is not None
    a.core.session.session.add_torrent(info)
    infohash = await b.fetch(content, [a.address])
    assert (await b.reaches(infohash, "failed")).error == f"{b.downloads}: file name too long"


async def test_more_than_the_disk_holds_is_refused_before_anything_is_begun(engine: StartEngine) -> None:
    b = await engine("b")
    size = 2**43
    pieces = size // 2**27
    with pytest.raises(ClientError, match=r"8\.8 TB don't fit: .* are free in ") as caught:
        await b.fetch(torrent(length=size, piece_length=2**27, pieces=HASH * pieces))
    assert caught.value.status == 507
    assert b.status() == []
    assert not list((b.folder / "state" / "torrents").glob("*.record"))


async def test_metadata_from_peers_is_checked_as_well(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    lt = a.core.lt
    info = lt.load_torrent_buffer(REFUSED["a link within"])
    info.save_path, info.flags = str(a.folder), lt.torrent_flags.seed_mode
    (a.folder / "root").mkdir(parents=True)
    (a.folder / "root" / "a").write_bytes(DATA)
    assert a.core.session is not None
    a.core.session.session.add_torrent(info)
    infohash = info.ti.info_hashes().v1.to_bytes()
    await b.fetch(infohash, [a.address], lan_only=True)
    status = await b.reaches(infohash, "failed")
    assert "symbolic links" in status.error
    assert status.error.isprintable()
    await until(lambda: not list(b.downloads.iterdir()))


async def test_private_torrents_are_not_taken_from_the_lan_and_get_no_peers_from_us(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    content = torrent(private=1)
    with pytest.raises(ClientError, match="this torrent is private") as caught:
        await b.fetch(content, [a.address], lan_only=True)
    assert caught.value.status == 403
    info = a.core.lt.load_torrent_buffer(content)
    info.save_path = str(a.folder)
    assert a.core.session is not None
    a.core.session.session.add_torrent(info)
    infohash = await b.fetch(content, [a.address])
    await until(lambda: b.of(infohash).state == "downloading")
    await asyncio.sleep(0.5)
    assert b.core.torrents[infohash].handle.get_peer_info() == []


async def test_wrong_addresses_are_passed_over(engine: StartEngine) -> None:
    b = await engine("b")
    infohash = await b.fetch(b"\x01" * 20, [("", 1), ("nonsense", 5), ("127.0.0.1", 0), ("127.0.0.1", 70_000),
                                          ("127.0.0.1", -1), ("::1", 9), ("300.1.1.1", 5)])
    assert b.of(infohash).state in ("metadata", "checking")
