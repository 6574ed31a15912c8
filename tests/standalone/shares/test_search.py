"""What is found, in which order, and what hostile texts do."""
from __future__ import annotations

import asyncio
import os
import threading
import unicodedata
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.standalone.shares import Shares

from .common import ALL, HASH, found, hashed, one, settled, sharing, until, write

if TYPE_CHECKING:
    from pathlib import Path


async def test_file_is_found_by_its_words_and_by_those_of_its_folders(database: Path, share: Path) -> None:
    write(share / "Holiday 2024" / "beach" / "IMG_1.jpg", b"12345")
    write(share / "work" / "IMG_2.jpg")
    async with sharing(database, share) as shares:
        result = one(shares, "holiday")
        assert (result.kind, result.name, result.size, result.has) == ("file", "IMG_1.jpg", 5, True)
        assert len(result.id) == 32
        for text in ("img_1", "IMG 1 jpg", "beach holiday", "2024 img", "holi bea", "jpg beach", "HOLIDAY 2024/img_1"):
            assert found(shares, text) == ["IMG_1.jpg"], text
        assert found(shares, "img") == ["IMG_1.jpg", "IMG_2.jpg"]
        assert found(shares, "holiday work") == []
        assert found(shares, "share") == [], "nothing is told of where the share is"
        assert found(shares, "oliday") == []


async def test_best_results_come_first(database: Path, share: Path) -> None:
    for name in ("blue moon/track.mp3", "moonlight.mp3", "full moon over the sea.mp3", "moon.mp3", "sun.mp3"):
        write(share / name)
    async with sharing(database, share) as shares:
        names = ["moon.mp3", "full moon over the sea.mp3", "moonlight.mp3", "track.mp3"]
        assert found(shares, "moon") == names
        assert found(shares, "moon", most=2) == names[:2]
        assert found(shares, "moon", most=0) == []


@pytest.mark.parametrize(("name", "texts"), [
    ("Café del Mar.mp3", ["cafe", "CAFÉ", unicodedata.normalize("NFD", "café"), "café mar"]),
    (unicodedata.normalize("NFD", "Übung.pdf"), ["übung", "ubung", "ÜBUNG"]),
    ("東京物語.mkv", ["東京", "物語", "東京物語", "京物"]),
    ("שלום עולם.txt", ["שלום", "עולם"]),
    ("😀 party 🎉.gif", ["😀", "🎉 party"]),
    ("HolidayPhotos.zip", ["photos", "holidayphotos", "holidayph"]),
    ("x" * 251 + ".mkv", ["x" * 20, "x" * 128]),
    ("-- ' \" * ; DROP TABLE file.sql", ["drop table", "'", "file.sql"][:1]),
])
async def test_names_of_any_script_are_found(database: Path, share: Path, name: str, texts: list[str]) -> None:
    write(share / name)
    write(share / "other")
    async with sharing(database, share) as shares:
        for text in texts:
            assert found(shares, text) == [name], text


async def test_names_that_are_no_text_are_shown_as_text_and_resolve_to_their_files(database: Path, share: Path) -> None:
    raw = [b"caf\xe9 noir.mp3", b"two\nlines.txt", b"\x1b[31m red.txt", b"tab\there.txt"]
    for name in raw:
        write(share / os.fsdecode(name), name)
    async with sharing(database, share) as shares:
        assert found(shares, "noir") == ["caf\ufffd noir.mp3"]
        assert found(shares, "lines") == ["two\ufffdlines.txt"]
        assert found(shares, "red") == ["\ufffd[31m red.txt"]
        for text in ("noir", "lines", "red", "here"):
            file = shares.find(one(shares, text).id)
            assert file is not None
            assert os.fsencode(file.path.name) == file.path.read_bytes()


HOSTILE = ["", " ", '"', "'", "*", '"*', "name:x", "x AND", "OR", "NEAR(a b, 3)", "^x", "x*y*", "{name folders}: x",
           "(((", "-x", "a\0b", "\ufffd" * 40, "\U0001f600" * 32, "a " * 64, "x" * 128, "mark : hashedfile",
           "hashedfile", "\ufdfa" * 42, "%s%n", "\u202etxe", "'; DROP TABLE file; --", "a\u0301" * 40, "\u01c6" * 60]


async def test_hostile_texts_find_nothing_and_break_nothing(database: Path, share: Path) -> None:
    write(share / "quiet.txt")
    async with sharing(database, share) as shares:
        for text in HOSTILE:
            assert shares.search(text, ALL, 50) == [], text
            assert shares.search(text, frozenset({"torrent"}), 50) == []
        assert shares.search("quiet", frozenset({"stream", "coded", '"; x'}), 50) == []
        assert shares.search("quiet", frozenset(), 50) == []
        assert found(shares, "quiet") == ["quiet.txt"]


async def test_kinds_that_are_asked_for_are_told(database: Path, share: Path) -> None:
    write(share / "song one.mp3")
    write(share / "song two.mp3")
    async with sharing(database, share) as shares:
        hashed(shares, "one")
        files, torrents = frozenset({"file"}), frozenset({"torrent"})
        assert found(shares, "song", files) == ["song two.mp3"]
        assert found(shares, "song", torrents) == ["song one.mp3"]
        assert found(shares, "song") == ["song one.mp3", "song two.mp3"]
        assert [(result.kind, result.id) for result in shares.search("one", ALL, 5)] == [("torrent", HASH)]


async def test_ids_are_those_of_the_last_run_and_tell_nothing(database: Path, share: Path, tmp_path: Path) -> None:
    write(share / "a.txt")
    async with sharing(database, share) as shares:
        first = one(shares, "a").id
    async with sharing(database, share) as shares:
        assert one(shares, "a").id == first
        file = shares.find(first)
        assert file is not None
        assert (file.path, file.name, file.size, file.infohash) == (share / "a.txt", "a.txt", 1, None)
        assert file.mtime_ns == (share / "a.txt").stat().st_mtime_ns
        for other in (b"", first[:31], first + b"x", bytes(32), b"../../../../../../etc/passwd\0\0\0\0"):
            assert shares.find(other) is None
    async with sharing(tmp_path / "other" / "shares.db", share) as shares:
        assert one(shares, "a").id != first


async def test_what_the_last_run_knew_is_found_at_once(database: Path, share: Path) -> None:
    for number in range(300):
        write(share / f"folder {number % 7}" / f"file {number}.bin")
    async with sharing(database, share):
        pass
    shares = Shares(database, [share])
    await shares.start()
    assert found(shares, "250") == ["file 250.bin"]
    await shares.close()


async def test_many_threads_search_while_files_come_and_go(database: Path, share: Path) -> None:
    for number in range(50):
        write(share / f"steady {number}.txt")
    failed: list[object] = []
    async with sharing(database, share) as shares:
        stop = threading.Event()

        def search() -> None:
            while not stop.is_set():
                if len(found(shares, "steady")) != 50:
                    failed.append(found(shares, "steady"))

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(40):
            write(share / "changing" / f"{number}.txt")
            (share / "changing" / f"{number - 30}.txt").unlink(missing_ok=True)
            await asyncio.sleep(0.01)
        await until(lambda: len(found(shares, "changing")) == 30)
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []


async def test_nothing_is_found_before_the_start_nor_after_the_end(database: Path, share: Path) -> None:
    write(share / "a.txt")
    shares = Shares(database, [share])
    assert found(shares, "a") == []
    assert shares.find(bytes(32)) is None
    assert not shares.set_infohash(bytes(32), HASH, 1, 1)
    await shares.start()
    await settled(shares)
    file_id = one(shares, "a").id
    await shares.close()
    assert found(shares, "a") == []
    assert shares.find(file_id) is None


async def test_what_the_node_is_writing_is_left_out(database: Path, share: Path) -> None:
    write(share / "film.mkv")
    write(share / "season" / "film one.mkv")
    write(share / "seasoned film.mkv")
    async with sharing(database, share) as shares:
        file_id = one(shares, "film one").id
        shares.leave_out([share / "season", share / "film.mkv"])
        assert found(shares, "film") == ["seasoned film.mkv"]
        assert shares.find(file_id) is None
        shares.leave_out([])
        assert len(found(shares, "film")) == 3
