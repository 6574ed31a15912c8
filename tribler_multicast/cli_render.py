"""
What the REST calls give, as lines and tables for people.
"""
from __future__ import annotations

import json
import os
import sys
import time
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

GREEN, YELLOW, RED, BOLD = "32", "33", "31", "1"
SEVERITY_COLOURS = {"ok": GREEN, "info": "", "warning": YELLOW, "error": RED}
MISSING = "-"


def clean(value: object) -> str:
    """
    A text for the terminal: what others chose must not move the cursor or colour the screen.
    """
    return "".join(character if unicodedata.category(character)[0] != "C" else "?" for character in str(value))


def json_text(value: object) -> str:
    """
    JSON for the terminal, with letters of all languages; what would move the cursor or colour the screen is escaped.
    """
    return "".join(character if unicodedata.category(character)[0] != "C" else json.dumps(character)[1:-1]
                   for character in json.dumps(value, ensure_ascii=False))


def paint(text: str, colour: str) -> str:
    """
    Colour a text on a terminal, unless the user asked for none (no-color.org).
    """
    if not colour or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """
    Columns as wide as their widest cell.
    """
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [headings, *rows]]


def table_with_errors(headings: Sequence[str], rows: Sequence[Sequence[str]], things: Sequence[dict[str, Any]],
                      colours: dict[str, str] | None = None) -> list[str]:
    """
    A table of things, coloured by their state, with the error of each that has one below its row.
    """
    head, *lines = table(headings, rows)
    shown = [head]
    for line, each in zip(lines, things, strict=True):
        colour = (colours or {}).get(each.get("state", ""), "")
        shown += [paint(line, colour)] + ([paint(f"  -> {clean(each['error'])}", RED)] if each["error"] else [])
    return shown


def ago(moment: float) -> str:
    """
    How long ago a moment was (Unix seconds).
    """
    seconds = max(0, int(time.time() - moment))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def status_lines(status: dict[str, Any]) -> list[str]:
    """
    This node.
    """
    lines = [f"mid        {status['mid']}",
             f"nickname   {clean(status['nickname']) or MISSING}",
             f"version    {status['version']} ({status['client']})",
             f"policy     {clean(status['policy'])}",
             f"uptime     {status['uptime']:.0f} s", ""]
    if status["group"] is not None and status["group"]["warning"] is not None:
        lines[-1:] = [paint(clean(status["group"]["warning"]), YELLOW), ""]
    states = {"listen": " (only listens)", "off": "off"}
    rows = [[clean(item["name"]),
             (", ".join(item["joined"]) or ("" if item.get("visibility") == "off" else "not joined"))
             + states.get(item.get("visibility", ""), ""),
             clean(item["error"] or item.get("note") or MISSING), ", ".join(map(clean, item["addresses"]))]
            for item in status["interfaces"]]
    lines += table(("INTERFACE", "JOINED", "NOTE", "ADDRESSES"), rows) if rows else ["no interface is in use"]
    for direction in ("sent", "received", "dropped"):
        counts = status["counters"].get(direction, {})
        shown = ", ".join(f"{clean(kind)} {count}" for kind, count in sorted(counts.items()) if count)
        lines += ["", f"{direction}: {shown or 'nothing'}"] if direction == "sent" else [
            f"{direction}: {shown or 'nothing'}"]
    return lines


def peer_lines(document: dict[str, Any]) -> list[str]:
    """
    The peers, local ones green.
    """
    peers = document["peers"]
    if not peers:
        return ["Nobody else is here. Start a node on another computer.",
                "What may be in the way: tribler-multicast doctor"]
    rows = []
    for peer in peers:
        address = peer["addresses"][0]["ip"] if peer["addresses"] else MISSING
        rtt = MISSING if peer["rtt_ms"] is None else f"{peer['rtt_ms']:.1f} ms"
        local = "local" if peer["is_local"] else "was local" if peer["was_local"] else MISSING
        rows.append([local, "online" if peer["online"] else "offline", clean(peer["nickname"]) or MISSING,
                     peer["mid"], clean(address), clean(peer["interface"] or MISSING), rtt, ago(peer["last_seen"]),
                     " ".join(map(clean, peer["capabilities"])) or MISSING])
    head, *lines = table(("LOCAL", "STATE", "NICKNAME", "MID", "ADDRESS", "INTERFACE", "RTT", "SEEN", "CAPABILITIES"),
                         rows)
    return [head, *(paint(line[:5], GREEN) + line[5:] if peer["is_local"] and peer["online"] else line
                    for line, peer in zip(lines, peers, strict=True))]


def ping_lines(document: dict[str, Any]) -> list[str]:
    """
    What pings gave, one line for each node.
    """
    results = document["results"]
    if not results:
        return ["Nobody else is here."]
    times = ("min_ms", "avg_ms", "max_ms", "unicast_rtt_ms")
    rows = [[result["mid"], str(result["sent"]), str(result["received"]), f"{100 * result['loss']:.0f} %",
             *(MISSING if result[name] is None else f"{result[name]:.2f} ms" for name in times)] for result in results]
    headings = ["MID", "SENT", "RECEIVED", "LOSS", "MIN", "AVG", "MAX", "UNICAST"]
    rates = [result.get("throughput_mbps") for result in results]
    if any(rate is not None for rate in rates):
        headings.append("THROUGHPUT")
        for row, rate in zip(rows, rates, strict=True):
            row.append(MISSING if rate is None else f"{rate:.1f} Mbit/s")
    return table(headings, rows)


def _value(value: object) -> str:
    """
    The value of a setting as ``--set`` takes it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(clean, value))
    return MISSING if value is None else clean(value)


def setting_lines(document: dict[str, Any]) -> list[str]:
    """
    Settings, each with its help.
    """
    lines = []
    for setting in document["settings"]:
        unit = f" {setting['unit']}" if setting["unit"] else ""
        restart = "; counts after a restart" if setting["needs_restart"] else ""
        value = "(set, never shown)" if setting["value"] is None and setting["is_set"] else _value(setting["value"])
        lines += [f"{paint(setting['name'], BOLD)} = {value}{unit}",
                  f"    {setting['help']} ({setting['source']}{restart})"]
    return lines


def finding_lines(document: dict[str, Any]) -> list[str]:
    """
    What the doctor found, each with the advice.
    """
    lines = []
    for finding in document["findings"]:
        severity = finding["severity"]
        lines.append(f"{paint(severity.ljust(7), SEVERITY_COLOURS.get(severity, ''))}  {clean(finding['what'])}")
        if finding["advice"]:
            lines.append(f"         -> {clean(finding['advice'])}")
    return lines


def size_text(size: int | None) -> str:
    """
    A size for people.
    """
    if size is None:
        return MISSING
    value, units = float(size), ["B", "kB", "MB", "GB", "TB", "PB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        del units[0]
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.3g} {units[0]}"


def weather_lines(answer: dict[str, Any]) -> list[str]:
    """
    The network weather.
    """
    gateway, link, limit = answer["gateway"], answer["own_link"], answer["limit"]
    colour = {"clear": GREEN, "suspected": YELLOW, "congested": RED}.get(gateway["state"], "")
    rows = [["gateway", paint(clean(gateway["state"]), colour)], ["queue", _milliseconds(gateway["delay_ms"])],
            ["passes up, down", f"{_rate(gateway['up'])}, {_rate(gateway['down'])}"],
            ["way to the gateway", f"{clean(link['state'])} ({_milliseconds(link['delay_ms'])})"]]
    lines = [f"{what:<20}{value}" for what, value in rows]
    if limit["text"] is not None:
        lines += ["", clean(limit["text"])]
    nodes = [[clean(node["mid"])[:12], clean(node["activity"]), _rate(node["up"]), _rate(node["down"]),
              _milliseconds(node["delay_ms"]), "" if node["same_gateway"] else "another gateway"]
             for node in answer["nodes"]]
    return [*lines, "", *table(["NODE", "DOES", "UP", "DOWN", "QUEUE", ""], nodes)]


def _milliseconds(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0f} ms"


def _rate(value: float | None) -> str:
    return MISSING if value is None else f"{value / 1000:,.0f} kB/s"
