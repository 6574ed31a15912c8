"""
``torrent``, ``feeds``, ``downloads`` and ``download``: BitTorrent by the running node.
"""
from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .cli_common import Failed, absolute, call, find_id, look, show
from .cli_progress import ProgressLine, rate_text, time_text
from .cli_render import GREEN, MISSING, RED, ago, clean, size_text, table_with_errors
from .cli_types import rate

if TYPE_CHECKING:
    from collections.abc import Callable

MAKING = 24 * 3600.0
"""Seconds that making a torrent may take: as long as reading all of its data."""

HASHED = 1.0
"""Seconds that a call waits for a shared file to be hashed, before the next one asks how far that is."""

FETCHING = 120.0
"""Seconds that beginning a download may take: a .torrent file may have to come first."""


def add_commands(command: Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser],
                 mid: Callable[[str], str]) -> None:
    """
    Add the commands to the parser; `mid` reads one.
    """
    torrent = command("torrent", do_torrent, "Make a .torrent of a file or folder, and seed it.")
    torrent.add_argument("path", metavar="PATH", help="a file or folder")
    torrent.add_argument("--output", metavar="FILE",
                         help="the .torrent, or a folder for it (default: NAME.torrent in this folder)")
    torrent.add_argument("--no-seed", action="store_true", help="only make it")
    torrent.add_argument("--publish", action="store_true", help="put it into this node's own feed")
    torrent.add_argument("--title", metavar="TEXT", help="its title there (default: its name)")
    torrent.add_argument("--tracker", metavar="URL", action="append", default=[], help="may be repeated")

    feeds = command("feeds", do_feeds, "Feeds whose new items are downloaded: list them, add one, remove one.")
    feeds.add_argument("action", metavar="list|add|remove", nargs="?", choices=("list", "add", "remove"),
                       default="list")
    feeds.add_argument("feed", metavar="URL", nargs="?", help="of an RSS or Atom feed; to remove it its id will do")
    feeds.add_argument("--first", metavar="N", type=first, default=0,
                       help="with add: download its N newest items too, not only those to come")

    downloads = command("downloads", do_downloads, "Torrents: list them, stop one, limit its rates.")
    downloads.add_argument("action", metavar="list|stop|limit", nargs="?", choices=("list", "stop", "limit"),
                           default="list")
    downloads.add_argument("id", metavar="ID", nargs="?", help="the infohash, or enough of its beginning")
    downloads.add_argument("--delete", action="store_true", help="with stop: delete what was downloaded too")
    for name in ("up", "down"):
        downloads.add_argument(f"--{name}", metavar="RATE", type=rate,
                               help=f"with limit: most it {name}loads, in bytes/s, or such as 500k, 2M; 0: no limit")

    download = command("download", do_download, "Begin to download what search found, a magnet link or a .torrent.")
    download.add_argument("what", metavar="ID|MAGNET|FILE|URL",
                          help="an id from search, a magnet link, or the file or URL of a .torrent")
    download.add_argument("--peer", metavar="MID", type=mid, help="the local node to get it from")
    download.add_argument("--folder", metavar="DIR", help="where to (default: the setting download_folder)")
    download.add_argument("--wait", action="store_true", help="until it is complete")


def first(text: str) -> int:
    """
    A number of items.
    """
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or int(text) > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 100")
    return int(text)


def do_torrent(options: argparse.Namespace) -> None:
    """
    Make a torrent.
    """
    path = absolute(options.path)
    output = absolute(options.output or f"{path.name or 'root'}.torrent")
    body = {"path": str(path), "output": str(output), "seed": not options.no_seed, "publish": options.publish,
            "trackers": options.tracker, "title": options.title}
    show(options, call(options, "POST", "/torrents", body, MAKING), made_lines)


def made_lines(made: dict[str, Any]) -> list[str]:
    """
    A torrent that was made.
    """
    lines = [f"infohash   {made['infohash']}", f"name       {clean(made['name'])}",
             f"size       {size_text(made['size'])}", f"magnet     {clean(made['magnet'])}"]
    if made["file"]:
        lines.append(f"file       {clean(made['file'])}")
    if made["published"]:
        lines.append(f"published  {clean(made['published']['error'] or made['published']['url'] or 'yes')}")
    return lines


def do_feeds(options: argparse.Namespace) -> None:
    """
    List, add or remove feeds.
    """
    action, feed = options.action, options.feed
    if action == "list":
        if feed is not None:
            raise Failed("feeds list takes no URL", 2)
        show(options, call(options, "GET", "/feeds"), feed_lines)
    elif feed is None:
        raise Failed(f"feeds {action} needs the URL of a feed", 2)
    elif action == "add":
        document = call(options, "POST", "/feeds", {"url": feed, "first": options.first}, FETCHING)
        show(options, document, lambda added: [f"subscribed to {_title(added)}: {added['id']}"])
    else:
        document = call(options, "DELETE", f"/feeds/{quote(feed, safe='', errors='replace')}", None, FETCHING)
        show(options, document, lambda removed: [f"no longer subscribed to {_title(removed)}"])


def _title(feed: dict[str, Any]) -> str:
    """
    The name of a feed.
    """
    return clean(feed["title"] or feed["url"])


def feed_lines(document: dict[str, Any]) -> list[str]:
    """
    The feeds, one line each, and a line more for what is wrong with one.
    """
    own = document["own"]
    ours = [f"Its own feed, {len(own['published'])} torrents: {clean(own['url'] or 'served nowhere')}"
            + (f" ({clean(own['error'])})" if own["error"] else "")] if own["published"] or own["url"] else []
    if not document["feeds"]:
        return [*ours, "No feeds yet. Subscribe to one: tribler-multicast feeds add URL"]
    rows = [[clean(feed["state"]), MISSING if feed["last_check"] is None else ago(feed["last_check"]),
             str(feed["begun"]), clean(feed["id"]), clean(feed["title"]) or MISSING, clean(feed["url"])]
            for feed in document["feeds"]]
    head = ("STATE", "LOOKED AT", "DOWNLOADS", "ID", "TITLE", "URL")
    return table_with_errors(head, rows, document["feeds"]) + ours


def do_downloads(options: argparse.Namespace) -> None:
    """
    List, stop or limit torrents.
    """
    action = options.action
    limits = {name: getattr(options, name) for name in ("up", "down") if getattr(options, name) is not None}
    if (options.delete and action != "stop") or (limits and action != "limit"):
        raise Failed("--delete goes with downloads stop, --up and --down with downloads limit", 2)
    if action == "list":
        if options.id is not None:
            raise Failed("downloads list takes no id", 2)
        show(options, call(options, "GET", "/downloads"), download_lines)
        return
    if options.id is None or (action == "limit" and not limits):
        raise Failed("downloads stop needs an ID, downloads limit an ID and --up or --down (see the command downloads)",
                     2)
    infohash = find_id(options, options.id, "downloads", "infohash", "infohash", 40)
    if action == "stop":
        document = call(options, "DELETE", f"/downloads/{infohash}" + ("?delete=true" if options.delete else ""),
                        None, FETCHING)
        show(options, document, lambda stopped: [f"{stopped['infohash']} is stopped"
                                                 + (", its data deleted" if stopped["deleted"] else "")])
    else:
        document = call(options, "PATCH", f"/downloads/{infohash}", {name: value or None
                                                                     for name, value in limits.items()})
        show(options, document, lambda limited: [
            f"{limited['infohash']}: up {_limit(limited['up_limit'])}, down {_limit(limited['down_limit'])}"])


def _limit(limit: int | None) -> str:
    """
    A limit for people.
    """
    return "without limit" if limit is None else f"at most {size_text(limit)}/s"


def download_lines(document: dict[str, Any]) -> list[str]:
    """
    The torrents, one line each; complete ones green.
    """
    downloads = document["downloads"]
    if not downloads:
        return ["No torrents yet. Get one: tribler-multicast download ID"]
    rows = [[clean(each["state"]), f"{100 * each['progress']:.0f} %", size_text(each["size"]), rate_text(each["down"]),
             rate_text(each["up"]), str(each["peers"]), time_text(each["eta_s"]), clean(each["infohash"]),
             clean(each["name"]) or MISSING] for each in downloads]
    head = ("STATE", "DONE", "SIZE", "DOWN", "UP", "PEERS", "LEFT", "ID", "NAME")
    return table_with_errors(head, rows, downloads, {"seeding": GREEN, "failed": RED})


def do_download(options: argparse.Namespace) -> None:
    """
    Begin a download, and wait for its end when that is wanted.
    """
    body = {**_source(options.what), **({"peer": options.peer} if options.peer else {})}
    if options.folder is not None:
        body["folder"] = str(absolute(options.folder))
    begun = _begin(options, body)
    if not options.wait:
        show(options, begun, lambda begun: [str(begun["infohash"])])
        return
    show(options, _wait(options, begun["infohash"]), lambda done: [clean(done["path"])])


def _begin(options: argparse.Namespace, body: dict[str, Any]) -> dict[str, Any]:
    """
    Begin a download. A shared file must be hashed first by who has it, which takes as long as it is large.
    """
    if "file_id" not in body:
        return call(options, "POST", "/downloads", body, FETCHING)
    line, patience = ProgressLine(), 0.0
    try:
        while True:
            begun = call(options, "POST", "/downloads", {**body, "timeout": patience}, FETCHING)
            if "infohash" in begun:
                return begun
            line.tell(begun["progress"] or 0.0, "asked for" if begun["progress"] is None else clean(begun["state"]))
            patience = HASHED
    finally:
        line.end()


def _source(what: str) -> dict[str, str]:
    """
    What to download, as the node takes it.
    """
    if re.fullmatch(r"[0-9a-fA-F]{40}", what, re.ASCII):
        return {"infohash": what.lower()}
    if re.fullmatch(r"[0-9a-fA-F]{64}", what, re.ASCII):
        return {"file_id": what.lower()}
    if what[:8].lower() == "magnet:?":
        return {"magnet": what}
    if re.match(r"https?://", what, re.IGNORECASE):
        return {"torrent": what}
    path = absolute(what)
    if not path.is_file():
        raise Failed(f"{what!r} is no id of 40 or 64 hex digits, no magnet link, no URL and no file", 2)
    return {"torrent": str(path)}


def _wait(options: argparse.Namespace, infohash: str) -> dict[str, Any]:
    """
    Show how a download goes on until it is complete, and get it.
    """
    line = ProgressLine()
    try:
        for each in look(options, "downloads", "infohash", infohash, _ended):
            if each["state"] == "failed":
                raise Failed(each["error"] or "the download failed")
            left = "" if each["eta_s"] is None else f"  {time_text(each['eta_s'])} left"
            line.tell(each["progress"], f"{clean(each['state'])}  {rate_text(each['down'])}{left}")
    finally:
        line.end()
    return each


def _ended(download: dict[str, Any]) -> bool:
    """
    Is it complete, or failed for good?
    """
    return download["state"] in ("seeding", "failed") or (download["progress"] >= 1 and download["state"] == "paused")
