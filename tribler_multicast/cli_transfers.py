"""
``publish``, ``fetch``, ``transfers``, ``follow``: what the running node sends and receives coded, and whom it follows.
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .cli_common import Failed, absolute, call, find_id, look, show
from .cli_progress import Reporter, rate_text, time_text
from .cli_render import GREEN, MISSING, RED, ago, clean, size_text, table_with_errors
from .cli_types import content_id, mid, rate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

HASHING = 24 * 3600.0
"""Seconds that publishing may take: as long as reading all of the data."""

FOLLOWING = 30.0
"""Seconds that following may take: as long as asking that node what it has."""

ACTIONS = ("list", "pause", "resume", "limit", "remove")


def add_commands(command: Callable[[str, Callable[[argparse.Namespace], None], str],
                                   argparse.ArgumentParser]) -> None:
    """
    Add the commands to the parser.
    """
    publish = command("publish", do_publish,
                      "Offer files or folders by the running node; with no PATH list what it offers.")
    publish.add_argument("path", metavar="PATH", nargs="*", help="a file or folder")
    publish.add_argument("--withdraw", metavar="ID", type=content_id, help="offer this no more; the files stay")

    fetch = command("fetch", do_fetch, "Fetch what somebody publishes or sends, by the running node.")
    fetch.add_argument("id", metavar="ID", type=content_id, help="what publish or send printed, or search found")
    fetch.add_argument("--output", metavar="PATH",
                       help="an existing folder: into it, under the name it has; else the name of the result "
                            "(default: the folder for downloads)")
    fetch.add_argument("--rate", metavar="RATE", type=rate,
                       help="the most that is taken, in bytes/s, or such as 500k, 2M")

    transfers = command("transfers", do_transfers, "What the running node sends and receives: list, or change one.")
    transfers.add_argument("action", metavar="|".join(ACTIONS), nargs="?", choices=ACTIONS, default="list")
    transfers.add_argument("id", metavar="ID", nargs="?", help="of a transfer, or enough of its beginning")
    transfers.add_argument("--rate", metavar="RATE", type=rate,
                           help="with limit: the most that it takes, in bytes/s, or such as 500k, 2M; 0: no limit")
    transfers.add_argument("--delete", action="store_true",
                           help="with remove: delete what was fetched too, unless it is whole")

    follow = command("follow", do_follow,
                     "Receive what a node publishes from now on, by itself; with no MID list whom this node follows.")
    follow.add_argument("mid", metavar="MID", nargs="?", type=mid, help="of the node, see the command peers")
    follow.add_argument("--folder", metavar="DIR", help="where to (default: as the settings have it)")
    follow.add_argument("--first", metavar="N", type=int, default=0, help="the N newest there are as well")
    follow.add_argument("--stop", action="store_true", help="follow it no more")


def do_publish(options: argparse.Namespace) -> None:
    """
    Publish, list or withdraw.
    """
    if options.withdraw is not None:
        if options.path:
            raise Failed("publish takes PATH or --withdraw, not both", 2)
        document = call(options, "DELETE", f"/publications/{options.withdraw}")
        show(options, document, lambda document: [f"{document['content_id']} is offered no more"])
    elif not options.path:
        show(options, call(options, "GET", "/publications"), publication_lines)
    for path in [absolute(text) for text in options.path]:
        document = call(options, "POST", "/publications", {"path": str(path)}, HASHING)
        print(json.dumps(document) if options.json else document["content_id"], flush=True)  # noqa: T201


def publication_lines(document: dict[str, Any]) -> list[str]:
    """
    What is offered, one line each, and a line more for what is wrong with one.
    """
    if not document["publications"]:
        return ["Nothing yet. Offer something: tribler-multicast publish PATH"]
    rows = [[each["content_id"], size_text(each["size"]), str(each["receivers"]), str(each["finished"]),
             clean(each["name"])] for each in document["publications"]]
    return table_with_errors(("ID", "SIZE", "RECEIVERS", "HAVE IT", "NAME"), rows, document["publications"])


def do_fetch(options: argparse.Namespace) -> None:
    """
    Fetch, and show how it goes on until it is there.
    """
    body: dict[str, Any] = {"content_id": options.id}
    if options.output is not None:
        body["output"] = str(absolute(options.output))
    if options.rate:
        body["rate"] = options.rate
    report = Reporter(options.json, "done", "path")
    try:
        transfer = call(options, "POST", "/transfers", body)
        report({"event": "started", **transfer})
        for view in look(options, "transfers", "id", transfer["id"], _ended):
            if view["state"] == "failed":
                raise Failed(view["error"] or "the transfer failed")
            report({"event": "done" if view["state"] == "done" else "progress", **view})
    finally:
        report.line.end()


def _ended(transfer: dict[str, Any]) -> bool:
    """
    Is it there, or failed for good?
    """
    return transfer["state"] in ("done", "failed")


def do_transfers(options: argparse.Namespace) -> None:
    """
    List transfers, or change one.
    """
    action = options.action
    if (options.delete and action != "remove") or ((options.rate is None) != (action != "limit")):
        raise Failed("--rate goes with transfers limit, which needs it, --delete with transfers remove", 2)
    if (options.id is None) != (action == "list"):
        raise Failed(f"transfers {action} " + ("takes no ID" if action == "list" else "needs an ID"), 2)
    if action == "list":
        show(options, call(options, "GET", "/transfers"), transfer_lines)
        return
    path = "/transfers/" + find_id(options, options.id, "transfers", "id", "id of a transfer", 16)
    if action == "remove":
        document = call(options, "DELETE", path + ("?delete=true" if options.delete else ""))
        show(options, document, lambda removed: [f"{removed['id']} is removed"])
        return
    changes: dict[str, dict[str, Any]] = {"pause": {"state": "paused"}, "resume": {"state": "active"},
                                          "limit": {"rate": options.rate or None}}
    show(options, call(options, "PATCH", path, changes[action]), lambda changed: [
        f"{changed['id']}: {changed['state']}, "
        + ("without limit" if changed["rate"] is None else f"at most {size_text(changed['rate'])}/s")])


def transfer_lines(document: dict[str, Any]) -> list[str]:
    """
    The transfers, one line each; complete ones green.
    """
    if not document["transfers"]:
        return ["No transfers yet. Fetch something: tribler-multicast fetch ID"]
    rows = [[each["id"], each["role"], each["state"], f"{100 * each['progress']:.0f} %", size_text(each["size"]),
             rate_text(each["down"]), rate_text(each["up"]), str(len(each["peers"])), time_text(each["eta_s"]),
             clean(each["name"] or MISSING)] for each in document["transfers"]]
    head = ("ID", "ROLE", "STATE", "DONE", "SIZE", "DOWN", "UP", "PEERS", "LEFT", "NAME")
    return table_with_errors(head, rows, document["transfers"], {"done": GREEN, "failed": RED})


def do_follow(options: argparse.Namespace) -> None:
    """
    Follow a node, list whom this one follows, or end it.
    """
    if options.mid is None:
        if options.stop or options.folder is not None or options.first:
            raise Failed("--folder, --first and --stop go with a MID", 2)
        show(options, call(options, "GET", "/subscriptions"), subscription_lines)
    elif options.stop:
        document = call(options, "DELETE", f"/subscriptions/{options.mid}")
        show(options, document, lambda ended: [f"{clean(ended['nickname'] or ended['mid'])} is followed no more"])
    else:
        body = {"mid": options.mid, "first": options.first}
        if options.folder is not None:
            body["folder"] = str(absolute(options.folder))
        document = call(options, "POST", "/subscriptions", body, FOLLOWING)
        show(options, document, lambda begun: subscription_lines({"subscriptions": [begun]}))


def subscription_lines(document: dict[str, Any]) -> list[str]:
    """
    Who is followed, one line each, and a line more for what keeps something from being received.
    """
    if not document["subscriptions"]:
        return ["Nobody yet. Follow a node: tribler-multicast follow MID"]
    rows = [[each["mid"], "local" if each["is_local"] else "away", clean(each["nickname"]) or MISSING,
             str(len(each["begun"])), MISSING if each["last_look"] is None else ago(each["last_look"]),
             clean(each["folder"])] for each in document["subscriptions"]]
    return table_with_errors(("MID", "STATE", "NICKNAME", "RECEIVED", "ASKED", "FOLDER"), rows,
                             document["subscriptions"])
