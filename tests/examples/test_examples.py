"""
The programs in ``examples/``, run as they are: a programme is published, downloaded by another node and played, with no
hand in between.
"""
from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.standalone.nodes import ROOT, environment, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")

EXAMPLES = ROOT / "examples"
PATIENCE = 30.0
PLAYER = "import pathlib, sys; pathlib.Path(sys.argv[2]).write_text(sys.argv[3] + chr(10))"


class Program:
    """
    A program that runs.
    """

    def __init__(self, folder: Path, name: str, ports: tuple[int, int], *arguments: str) -> None:
        """
        Start it, with a state directory of its own.
        """
        self.output, self.errors = folder / f"{name}.out", folder / f"{name}.err"
        with self.output.open("w") as output, self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments, "--state-dir", str(folder / name),
                 "--set", "interfaces=lo", "--set", f"port={ports[0]}", "--set", f"control_port={ports[1]}",
                 "--set", "feed_interval=0.05"], stdout=output, stderr=errors, env=environment(PYTHONUNBUFFERED="1"))

    def said(self) -> str:
        """
        What it printed up to now.
        """
        return self.output.read_text() + self.errors.read_text()

    def interrupt(self) -> tuple[int, float, str]:
        """
        Type Ctrl-C: exit status, seconds that it took, and what it complained of.
        """
        begin = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(10), time.monotonic() - begin, self.errors.read_text()

    def kill(self) -> None:
        """
        End it, however it is.
        """
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """
    Start programs that are killed when the test ends; all of one test find each other.
    """
    started: list[Program] = []
    ports = free_ports()

    def starting(name: str, *arguments: str) -> Program:
        started.append(Program(tmp_path, name, ports, *arguments))
        return started[-1]

    yield starting
    for program in started:
        program.kill()


def wait(program: Program, condition: Callable[[], object]) -> None:
    """
    Wait until something holds, as long as the program runs.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert program.process.poll() is None, program.said()
        assert time.monotonic() < deadline, program.said()
        time.sleep(0.05)


def feed_is_served(port: int) -> bool:
    """
    Does a node serve its feed there?
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/feed.xml")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_what_is_put_into_a_folder_is_played_at_another_node(start: Callable[..., Program], tmp_path: Path,
                                                             unused_tcp_port: int) -> None:
    folder, played = tmp_path / "programme", tmp_path / "played"
    folder.mkdir()
    publisher = start("publisher", str(folder), "--feed-port", str(unused_tcp_port), "--settle", "0.3")
    wait(publisher, lambda: feed_is_served(unused_tcp_port))
    subscriber = start("subscriber", f"http://127.0.0.1:{unused_tcp_port}/feed.xml",
                       "--player", f"{sys.executable} -c '{PLAYER}' x {played}")
    wait(subscriber, lambda: subscriber.said().startswith("subscribed to "))
    episode = folder / "Episode 1.mkv"
    with episode.open("wb") as file:  # which takes a moment, as a recording does
        for part in range(4):
            file.write(bytes([part]) * 100_000)
            file.flush()
            time.sleep(0.2)
    wait(subscriber, played.exists)
    there = Path(played.read_text().rstrip("\n"))
    assert there.is_relative_to(tmp_path / "subscriber")
    assert there.name == "Episode 1.mkv"
    assert there.read_bytes() == episode.read_bytes()
    assert subscriber.said().splitlines()[1:] == ["new: Episode 1.mkv", f"playing {there}"]
    assert publisher.said() == "published Episode 1.mkv\n"
    for program in (subscriber, publisher):
        status, took, complaint = program.interrupt()
        assert (status, complaint, took < 3) == (0, "", True)


def test_what_a_seeder_has_is_played_from_the_beginning(start: Callable[..., Program], tmp_path: Path,
                                                        unused_tcp_port: int) -> None:
    film, played = tmp_path / "boat.mkv", tmp_path / "played"
    film.write_bytes(b"boat" * 100_000)
    seeder = start("seeder", str(film), "--output", str(tmp_path / "boat.torrent"), "--feed-port",
                   str(unused_tcp_port))
    wait(seeder, lambda: "seeding boat.mkv, 400000 bytes" in seeder.said())
    assert (tmp_path / "boat.torrent").stat().st_size > 100
    subscriber = start("subscriber", f"http://127.0.0.1:{unused_tcp_port}/feed.xml", "--first", "1",
                       "--player", f"{sys.executable} -c '{PLAYER}' x {played}")
    wait(subscriber, played.exists)
    assert Path(played.read_text().rstrip("\n")).read_bytes() == film.read_bytes()
    assert seeder.interrupt()[0] == 0
    assert "Traceback" not in seeder.said()


def test_a_subscriber_that_is_killed_while_it_downloads_goes_on_and_plays(start: Callable[..., Program],
                                                                          tmp_path: Path, unused_tcp_port: int) -> None:
    film, played = tmp_path / "boat.mkv", tmp_path / "played"
    film.write_bytes(bytes(range(250)) * 4000)
    seeder = start("seeder", str(film), "--feed-port", str(unused_tcp_port))
    wait(seeder, lambda: "seeding" in seeder.said())
    arguments = ("subscriber", f"http://127.0.0.1:{unused_tcp_port}/feed.xml", "--first", "1",
                 "--player", f"{sys.executable} -c '{PLAYER}' x {played}")
    subscriber = start(*arguments, "--set", "download_rate=100000")
    wait(subscriber, lambda: "new: boat.mkv" in subscriber.said())
    time.sleep(1)
    subscriber.kill()
    assert not played.exists()
    subscriber = start(*arguments)
    wait(subscriber, played.exists)
    assert Path(played.read_text().rstrip("\n")).read_bytes() == film.read_bytes()
    wait(subscriber, (tmp_path / "subscriber" / "played").exists)
    assert subscriber.interrupt()[0] == 0
    played.unlink()
    subscriber = start(*arguments)
    wait(subscriber, lambda: "subscribed" in subscriber.said())
    time.sleep(0.5)
    assert not played.exists()  # a second time


@pytest.mark.parametrize(("arguments", "complaint"), [
    (["subscriber", "http://127.0.0.1:9/feed.xml"], "127.0.0.1"), (["publisher", "/nothing/there"], "No such file"),
    (["seeder", "/", "--set", "colour=red"], "no setting")])
def test_what_goes_wrong_is_one_line(start: Callable[..., Program], arguments: list[str], complaint: str) -> None:
    program = start(*arguments)
    assert program.process.wait(PATIENCE) == 1
    [line] = program.said().splitlines()
    assert complaint in line


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_each_says_what_it_does_and_is_short(path: Path) -> None:
    said = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True, check=True,
                          env=environment(), timeout=PATIENCE)
    assert said.stdout.startswith("usage: ")
    assert len(path.read_text().splitlines()) <= 80
