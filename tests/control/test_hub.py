"""
Users of the control interface: each hears of its own, whatever it puts, however slowly it reads, until it is closed.
"""
from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.client import ClientError
from tribler_multicast.control import ControlClosedError
from tribler_multicast.control.hub import HANDLERS, MAX_LONG, MAX_SHORT, MAX_USERS
from tribler_multicast.control.messages import (
    AddFriend,
    Announce,
    Cancel,
    Closed,
    Command,
    Discover,
    Done,
    Failed,
    Heard,
    Lagged,
    Listen,
    Ping,
    Query,
    ShowSettings,
    ShowStatus,
    Stopped,
)
from tribler_multicast.control.user import MAX_COMMANDS, MAX_FACT_BYTES, MAX_FACTS, MAX_UNREAD

from .conftest import closing, meet, next_event, until, until_closing

if TYPE_CHECKING:
    from tribler_multicast.control import User

    from .conftest import OpenNode


async def test_a_command_ends_in_one_closing_event_that_bears_its_request(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as user:
        [done] = await until_closing(user, ShowStatus(request="mine"))
        assert isinstance(done, Done)
        assert (done.request, done.result["mid"], done.result["nickname"]) == ("mine", node.mid, "a")
        first, second = ShowStatus(), ShowStatus()
        assert first.request != second.request


async def test_two_programs_do_not_see_each_others_events(open_a: OpenNode) -> None:
    a, b = await open_a("a"), await open_a("b")
    await meet(a, b)
    with a.connect() as one, a.connect() as two, b.connect() as other:
        await one.commands.put(Listen(count=2))
        await asyncio.sleep(0)
        for command in (Ping(count=1), ShowStatus(), Discover(0.05)):
            assert isinstance((await until_closing(two, command))[-1], Done)
        assert one.events.empty()
        for number in range(2):
            await closing(other, Announce((number,)), Done)
        assert [type(await next_event(one)) for _ in range(3)] == [Heard, Heard, Done]
        assert two.events.empty()
        assert other.events.empty()


async def test_both_hear_what_both_asked_to_hear(open_a: OpenNode) -> None:
    a, b = await open_a("a"), await open_a("b")
    await meet(a, b)
    with a.connect() as one, a.connect() as two, b.connect() as other:
        for user in (one, two):
            await user.commands.put(Listen(1))
        await asyncio.sleep(0.05)
        await closing(other, Announce(("hello", {"hex": "00ff"})), Done)
        for user in (one, two):
            heard = await next_event(user)
            assert isinstance(heard, Heard)
            assert (heard.mid, heard.nickname, heard.values) == (b.mid, "b", ["hello", {"hex": "00ff"}])


@dataclass(frozen=True)
class Unknown(Command):
    """A command that nobody carries out."""


GARBAGE = [None, "status", 7, {"type": "ShowStatus"}, ShowStatus, object(), b"\x00", Done({}), Command(), Unknown(),
           ShowStatus(request=None), ["x"] * 10**5]  # type: ignore[arg-type]


async def test_what_is_no_command_is_one_failed_event(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as user:
        for garbage in GARBAGE:
            user.commands.put_nowait(garbage)  # type: ignore[arg-type]
            failed = await next_event(user)
            assert isinstance(failed, Failed)
            assert (failed.status, failed.request, len(failed.reason) < 200) == (422, "", True)
            assert isinstance((await until_closing(user, ShowStatus()))[-1], Done)
            assert user.events.empty()


WRONG = {"": None, "str": "\udcff" * 3, "long": "x" * 10**6, "int": -1, "float": float("nan"), "bool": True,
         "list": [[]], "dict": {1: 2}, "object": object(), "huge": 10**5000}


async def test_wrong_types_are_one_failed_event_each(open_a: OpenNode) -> None:
    """Every field of every command gets something of every type, and whatever comes of it ends in one event."""
    node = await open_a("a")
    with node.connect() as user:
        for kind in HANDLERS:
            needed = {each.name: "x" for each in dataclasses.fields(kind) if each.default is dataclasses.MISSING
                      and each.default_factory is dataclasses.MISSING}
            for each in dataclasses.fields(kind):
                for name, value in WRONG.items() if each.name != "request" else ():
                    await put_strange(user, kind(**{**needed, each.name: value}), f"{kind.__name__}.{each.name} {name}")


async def put_strange(user: User, command: Command, what: str) -> None:
    """Put a command with a strange value: it ends in one event, and nobody is surprised."""
    user.commands.put_nowait(command)
    try:
        event = await asyncio.wait_for(user.events.get(), 0.2)
    except TimeoutError:  # It is a value that can be, and the command goes on.
        assert command.long or "Discover" in what, what
        await closing(user, Cancel(command.request), Done)
        event = await next_event(user)
    assert event.closing, what
    assert "not foreseen" not in event.as_dict().get("reason", ""), what
    assert "\n" not in event.as_dict().get("reason", ""), what


async def test_a_request_that_is_under_way_is_not_begun_a_second_time(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as user:
        await user.commands.put(Listen(request="one"))
        await user.commands.put(ShowStatus(request="one"))
        failed = await next_event(user)
        assert isinstance(failed, Failed)
        assert (failed.request, "one" in failed.reason) == ("", True)
        await user.commands.put(Cancel("one", request="two"))
        assert {type(await next_event(user)) for _ in range(2)} == {Stopped, Done}


async def test_cancel_ends_ones_own_commands_only_even_before_they_ran(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as user, node.connect() as other:
        listen = Listen()
        user.commands.put_nowait(listen)
        user.commands.put_nowait(Cancel(listen.request, request="c"))
        events = [await next_event(user) for _ in range(2)]
        assert {(type(event), event.request) for event in events} == {(Stopped, listen.request), (Done, "c")}
        user.commands.put_nowait(listen)
        await until(lambda: user.under_way)
        assert (await closing(other, Cancel(listen.request), Failed)).status == 404
        assert listen.request in user.under_way


async def test_a_user_who_does_not_read_costs_bounded_memory_and_is_told_what_it_missed(open_a: OpenNode) -> None:
    a, b = await open_a("a"), await open_a("b")
    await meet(a, b)
    with a.connect() as slow, b.connect() as other:
        await slow.commands.put(Listen(request="l"))
        await until(lambda: slow.under_way)
        [announce] = [handler for handler in a.control.parts.community.announced.handlers
                      if "listen" in handler.__qualname__]
        [peer] = a.control.parts.community.local_peers()
        for number in range(3 * MAX_FACTS):
            announce(peer, (number,))
        assert slow.events.qsize() == MAX_FACTS + 1
        read = [slow.events.get_nowait() for _ in range(MAX_FACTS + 1)]
        assert [event.values for event in read[:-1]] == [[number] for number in range(MAX_FACTS)]
        assert read[-1] == Lagged(2 * MAX_FACTS)
        for _ in range(20):
            announce(peer, ("x" * 10**6,))
        assert slow.events.qsize() - 1 <= MAX_FACT_BYTES // 10**6
        # Closing events come all the same.
        await slow.commands.put(Cancel("l", request="c"))
        await until(lambda: not slow.under_way)
        kinds = [type(slow.events.get_nowait()) for _ in range(slow.events.qsize())]
        assert kinds[-2:] in ([Done, Stopped], [Stopped, Done])
        assert other.events.empty()


async def test_whoever_reads_no_ends_waits_to_put_further_commands(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as user, node.connect() as other:
        put = 0
        with pytest.raises(TimeoutError):
            while True:
                await asyncio.wait_for(user.commands.put(ShowStatus(request=str(put))), 1)
                put += 1
        assert put <= MAX_UNREAD + MAX_SHORT + MAX_COMMANDS
        assert isinstance((await until_closing(other, ShowStatus()))[-1], Done)
        requests = {(await next_event(user)).request for _ in range(put)}
        assert requests == {str(number) for number in range(put)}
        assert isinstance((await until_closing(user, ShowStatus()))[-1], Done)


async def test_so_many_users_and_commands_that_go_on_and_no_more(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as user:
        for _ in range(MAX_LONG):
            await user.commands.put(Listen())
        assert (await closing(user, Listen(request="one more"), Failed)).status == 503
        assert isinstance((await until_closing(user, ShowStatus()))[-1], Done)
    users = [node.connect() for _ in range(MAX_USERS)]
    with pytest.raises(ClientError, match="connected already"):
        node.connect()
    users[0].close()
    node.connect().close()


async def test_a_closed_user_hears_closed_and_its_queue_takes_no_more(open_a: OpenNode) -> None:
    node = await open_a("a")
    user = node.connect()
    user.commands.put_nowait(Listen())
    await until(lambda: user.under_way)
    waiting = [asyncio.ensure_future(user.commands.put(ShowStatus())) for _ in range(3 * MAX_COMMANDS)]
    await asyncio.sleep(0)
    user.close()
    user.close()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(end) for end in ended} <= {type(None), ControlClosedError}
    with pytest.raises(ControlClosedError):
        user.commands.put_nowait(ShowStatus())
    assert isinstance(user.events.get_nowait(), Closed)
    await until(lambda: not user.under_way)
    assert user.events.empty()
    assert user not in node.control.users


async def test_when_the_node_stops_every_user_gets_closed(open_a: OpenNode) -> None:
    node = await open_a("a")
    users = [node.connect() for _ in range(3)]
    users[0].commands.put_nowait(Discover(5))
    await until(lambda: users[0].under_way)
    asking = asyncio.ensure_future(node.control.ask(Discover(5)))
    await asyncio.sleep(0.01)
    node.control.close()
    for user in users:
        assert isinstance(await next_event(user), Closed)
        assert user.events.empty()
    with pytest.raises(ClientError):
        await asking
    with pytest.raises(ClientError, match="stopping"):
        node.connect()


async def test_what_fails_unforeseen_is_one_line_and_the_log_says_more(open_a: OpenNode,
                                                                       caplog: pytest.LogCaptureFixture,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    node = await open_a("a")

    def fail() -> None:
        raise RuntimeError("/home/user/secret")

    monkeypatch.setattr(node.control.parts.community, "counters", fail)
    with node.connect() as user:
        failed = await closing(user, ShowStatus(), Failed)
        assert (failed.status, "secret" in failed.reason) == (500, False)
        assert "secret" in caplog.text
        assert isinstance((await until_closing(user, ShowSettings("port")))[-1], Done)


IMPOSSIBLE = [
    (Query(""), 422), (Query("x" * 200), 422), (Query("\udcff"), 422), (Query("x", kinds=("boats",)), 422),
    (Query("x", timeout=0.0), 422), (Query("x", kinds=()), 422), (Ping("ab" * 20), 404), (Ping("ab"), 422),
    (Ping(count=0), 422), (AddFriend("ab" * 20), 404), (AddFriend(""), 422), (Discover(capabilities=("x",)), 422),
    (Discover(61.0), 422), (Announce(({},)), 422), (Announce(("x" * 300_000,)), 422), (ShowSettings("x"), 422),
    (Listen(0), 422)]


async def test_values_that_cannot_be_fail_with_the_status_that_fits(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as user:
        for command, status in IMPOSSIBLE:
            failed = await closing(user, command, Failed)
            assert (failed.status, "\n" in failed.reason) == (status, False), command
