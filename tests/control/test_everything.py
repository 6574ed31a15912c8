"""
A program that uses only the queues does everything that the command line does.
"""
from __future__ import annotations

import asyncio
import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from tribler_multicast.cli import main, make_parser
from tribler_multicast.control.coded_messages import (
    FetchCoded,
    ListCoded,
    ListPublications,
    ListSubscriptions,
    PauseCoded,
    PublishCoded,
    RateCoded,
    RemoveCoded,
    ResumeCoded,
    SubscribeCoded,
    UnsubscribeCoded,
    WithdrawCoded,
)
from tribler_multicast.control.hub import HANDLERS
from tribler_multicast.control.messages import (
    COMMANDS,
    EVENTS,
    AddFriend,
    Announce,
    Cancel,
    ChangeSettings,
    Command,
    Discover,
    Done,
    Event,
    Examine,
    Fetch,
    Heard,
    Listen,
    ListFeeds,
    ListFriends,
    ListPeers,
    ListStreams,
    ListTransfers,
    MakeTorrent,
    Ping,
    Query,
    RemoveFriend,
    SetRate,
    ShowSettings,
    ShowStatus,
    ShowWeather,
    Stop,
    Subscribe,
    Unsubscribe,
    command_from,
)
from tribler_multicast.control.stream_messages import EndStream, PublishStream

from .conftest import closing, meet, next_event, until_closing

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from .conftest import OpenNode

NO_AFFAIR_OF_A_NODE = {
    "node": "starts one: a program does that with open_node",
    "send": "is a node of its own for a moment", "receive": "is one, too",
    "play": "bytes do not go through the queues",
    "run": "starts Tribler", "install": "changes files of Tribler", "uninstall": "changes them back",
}
URL = "http://127.0.0.1:9/feed"
CONTENT, TRANSFER = "ab" * 32, "ab" * 8
TORRENT = "ab" * 20


def pairs(other: str, folder: Path) -> dict[str, list[tuple[list[str], Command]]]:
    """
    What to type for each command of the program, and the message that does the same.
    """
    film = str(folder / "film")
    return {
        "status": [([], ShowStatus())],
        "peers": [([], ListPeers()), (["--local"], ListPeers(local=True))],
        "discover": [(["--timeout", "0.1"], Discover(0.1)), (["--capability", "search"], Discover(0.1, ("search",)))],
        "announce": [(['["hello"]'], Announce(("hello",)))],
        "ping": [([other, "--count", "1"], Ping(other, 1)), (["--count", "1"], Ping(count=1)),
                 (["ef" * 20], Ping("ef" * 20)),
                 (["--throughput", "--count", "1"], Ping(count=1, throughput=True))],
        "search": [(["boat"], Query("boat"))],
        "streams": [([], ListStreams())],
        "friends": [(["list"], ListFriends()), (["add", other], AddFriend(other)),
                    (["remove", other], RemoveFriend(other))],
        "settings": [([], ShowSettings()), (["nickname"], ShowSettings("nickname")),
                     (["introduction_interval=2"], ChangeSettings({"introduction_interval": 2}))],
        "doctor": [([], Examine())],
        "weather": [([], ShowWeather())],
        "torrent": [([film, "--output", film + ".a"], MakeTorrent(film, film + ".b")),
                    ([film, "--publish", "--output", film + ".c"], MakeTorrent(film, film + ".d", publish=True)),
                    ([film + ".none"], MakeTorrent(film + ".none"))],
        "feeds": [(["list"], ListFeeds()), (["add", URL], Subscribe(URL, follow=False)),
                  (["remove", URL], Unsubscribe(URL))],
        "downloads": [(["list"], ListTransfers()), (["stop", TORRENT], Stop(TORRENT)),
                      (["limit", TORRENT, "--up", "5"], SetRate(TORRENT, 5))],
        "publish": [([film], PublishCoded(film)), ([], ListPublications()),
                    ([film + ".none"], PublishCoded(film + ".none")),
                    (["--withdraw", CONTENT], WithdrawCoded(CONTENT))],
        "stream": [([CONTENT, "--end"], EndStream(CONTENT)),
                   (["x", "--url", "nowhere"], PublishStream("x", source="nowhere"))],
        "fetch": [([CONTENT, "--output", "/nowhere/at/all"], FetchCoded(CONTENT, "/nowhere/at/all"))],
        "transfers": [(["list"], ListCoded()), (["pause", TRANSFER], PauseCoded(TRANSFER)),
                      (["resume", TRANSFER], ResumeCoded(TRANSFER)),
                      (["limit", TRANSFER, "--rate", "5k"], RateCoded(TRANSFER, 5000)),
                      (["remove", TRANSFER, "--delete"], RemoveCoded(TRANSFER, delete=True))],
        "follow": [([other, "--stop"], UnsubscribeCoded(other)), ([], ListSubscriptions()),
                   ([other], SubscribeCoded(other)), ([], ListSubscriptions())],
        "download": [([TORRENT], Fetch(TORRENT, follow=False)),
                     ([TORRENT, "--peer", other], Fetch(TORRENT, other, follow=False)),
                     ([f"magnet:?xt=urn:btih:{TORRENT}"], Fetch(f"magnet:?xt=urn:btih:{TORRENT}", follow=False))],
    }


def parsers() -> dict[str, argparse.ArgumentParser]:
    """
    The commands of the program, read from its own parser.
    """
    return {name: parser for action in make_parser()._actions if isinstance(action.choices, dict)
            for name, parser in action.choices.items()}


def test_every_command_of_the_program_has_its_message(tmp_path: Path) -> None:
    known = pairs("cd" * 20, tmp_path)
    assert set(parsers()) == {*known, *NO_AFFAIR_OF_A_NODE, "listen"}
    for name, parser in parsers().items():
        actions = next((set(each.choices) for each in parser._actions if each.dest == "action"), set())
        assert actions <= {typed[0] for typed, _ in known.get(name, []) if typed}, name


def test_every_message_is_carried_out_by_somebody() -> None:
    assert {*HANDLERS, Cancel} == set(COMMANDS.values())


def kinds(value: Any) -> Any:  # noqa: ANN401
    """
    What a JSON value looks like: names and types, not the values themselves.
    """
    if isinstance(value, dict):
        return {name: kinds(each) for name, each in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return "number or null" if isinstance(value, int | float) or value is None else type(value).__name__


async def typed(node_dir: Path, *arguments: str) -> tuple[int, Any]:
    """
    What the program prints, as JSON, or the line in which it fails. It runs in a thread: thirty processes take long.
    """
    with redirect_stdout(StringIO()) as output, redirect_stderr(StringIO()) as errors:
        status = await asyncio.to_thread(main, [*arguments, "--json", "--state-dir", str(node_dir)])
    return status, json.loads(output.getvalue()) if status == 0 else errors.getvalue().strip()


async def test_queues_alone_do_what_the_command_line_does(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await open_a("a", api_port=0), await open_a("b")
    await meet(a, b)
    (tmp_path / "film").write_bytes(b"film" * 10_000)
    with a.connect() as user:
        for name, each in pairs(b.mid, tmp_path).items():
            for arguments, message in each:
                end = (await until_closing(user, message))[-1]
                status, said = await typed(tmp_path / "a", name, *arguments)
                if status:
                    # Throughput rests for some seconds after each time.
                    assert end.as_dict().get("reason", "try again in") in said, (name, arguments, said, end)
                    continue
                assert isinstance(end, Done), (name, arguments, end)
                result = {"transfers" if key == "downloads" else key: value for key, value in said.items()}
                assert end.result.keys() == result.keys(), (name, arguments)
                if name not in ("status", "settings", "ping"):  # whose values are null at one time and not at another
                    assert kinds(end.result) == kinds(result), (name, arguments)


async def test_listen_prints_what_a_program_hears(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await open_a("a", api_port=0), await open_a("b")
    await meet(a, b)
    with a.connect() as user, b.connect() as speaker:
        await user.commands.put(Listen(1))
        listening = asyncio.ensure_future(typed(tmp_path / "a", "listen", "--count", "1"))
        while not listening.done():
            await closing(speaker, Announce(("hello", 1)), Done)
            await asyncio.sleep(0.1)
        status, printed = listening.result()
        heard, done = [await next_event(user) for _ in range(2)]
        assert isinstance(heard, Heard)
        assert isinstance(done, Done)
        assert (status, printed["values"], printed["mid"]) == (0, heard.values, heard.mid)


def test_messages_are_json_and_come_back_from_it(tmp_path: Path) -> None:
    for each in pairs("cd" * 20, tmp_path).values():
        for _, message in each:
            there = json.loads(json.dumps(message.as_dict()))
            assert there["type"] in COMMANDS
            assert command_from(there) == message
    for wrong in (None, {}, {"type": "Done", "result": {}}, {"type": "Query"}, {"type": "Query", "text": "x", "y": 1}):
        try:
            command_from(wrong)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            raise AssertionError(wrong)
    assert {name for name, kind in EVENTS.items() if kind.closing} == {"Done", "Failed", "Stopped", "Closed"}
    assert all(issubclass(kind, Event) for kind in EVENTS.values())
