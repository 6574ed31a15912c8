"""
Members who hold the session's key and attack the others, as processes on real networks: all honest ones get the whole
content, equal, and nobody innocent is named.
"""
from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.standalone.oneshots import OneShot, film, same

from .malicious import ATTACKS
from .test_coded import folders, shot
from .testbed import ROOT, Families

if TYPE_CHECKING:
    from pathlib import Path

    from .testbed import Lan, Machine

SCRIPT = str(ROOT / "tests" / "lan" / "malicious.py")
NAMED = re.compile(r"The peer ([0-9a-f]{40}) sent data that is certainly wrong")
MALLORY = re.compile(r"mallory ([0-9a-f]{40})")
MIB = int(os.environ.get("ATTACKED_MIB", "16"))
"""Size of the film of the long tests; figures are told for 64."""
MBIT = float(os.environ.get("ATTACKED_MBIT", "100"))
"""Of each link: ten receivers on two cores need a slow one for the processor not to be the limit."""
NAMES = {"recoded", "numbered", "other"}
"""Attacks whose evidence is certain: who does it is named, if it met anybody."""


def malicious(machine: Machine, folder: Path, attack: str, *arguments: str) -> OneShot:
    """
    Run `send` or `receive` of somebody malicious on a machine.
    """
    def prefix(command: list[str]) -> list[str]:
        assert command[1:3] == ["-m", "tribler_multicast"]
        return machine.namespace.command([sys.executable, SCRIPT, attack, *command[3:]])

    started = OneShot(folder, f"{machine}-{attack}", arguments, prefix)
    machine._processes.append(started)
    return started


@dataclass
class Outcome:
    """
    How it went: seconds until the last honest one was done, who was named by them, who was malicious (mids).
    """

    seconds: float
    named: set[str]
    guilty: set[str]


def attacked(lan: Lan, folder: Path, honest: int, attacks: list[str], *, size: int, percent: float = 2,
             settings: tuple[str, ...] = ()) -> Outcome:
    """
    Send a film to honest receivers and malicious ones, all of them members from the start.
    """
    sender, *receivers = lan.machines(1 + honest + len(attacks), Families.IPV4)
    for each in (sender, *receivers):
        each.shape(MBIT)
    for each in receivers:
        each.lose(percent)
    path, outputs = film(folder / "in", size), folders(folder, honest + len(attacks))
    bad = [malicious(machine, folder, attack, "receive", "--any", "--output", str(output))
           if attack else shot(machine, folder, "receive", "--any", "--output", str(output))
           for machine, attack, output in zip(receivers[honest:], attacks, outputs[honest:], strict=True)]
    good = [shot(machine, folder, "receive", "--any", "--output", str(output), *settings)
            for machine, output in zip(receivers[:honest], outputs, strict=False)]
    sending = shot(sender, folder, "send", str(path), "--receivers", str(len(receivers)))
    sending.event("published")
    for each in (*good, *bad):
        each.event("started")
    begun = time.monotonic()
    for each, output in zip(good, outputs, strict=False):
        each.event("done")
        assert same(path, output / path.name)
    seconds = time.monotonic() - begun
    said = "".join(each.said() for each in good)
    assert "Traceback" not in said, said
    guilty = {mid for each in bad for mid in MALLORY.findall(each.said())}
    for each in (*bad, *good, sending):
        each.end()
    return Outcome(seconds, set(NAMED.findall(said + sending.said())), guilty)


def shown(what: str, outcome: Outcome) -> None:
    print(f"{what}: {outcome.seconds:.2f} s, named {len(outcome.named & outcome.guilty)} of {len(outcome.guilty)} "
          f"malicious, {len(outcome.named - outcome.guilty)} innocent")


@pytest.mark.parametrize("attack", ["numbered", "source"])
def test_a_member_that_spoils_keeps_nobody_from_the_content(
        lan: Lan, loss: object, tmp_path: Path, attack: str) -> None:
    outcome = attacked(lan, tmp_path, 2, [attack], size=4_000_000)
    shown(attack, outcome)
    assert outcome.named <= outcome.guilty


@pytest.mark.soak
@pytest.mark.parametrize("attack", sorted({*ATTACKS, "honest"} - {"rogue"}))
def test_every_attack_of_one_member_among_four(lan: Lan, loss: object, tmp_path: Path, attack: str) -> None:
    outcome = attacked(lan, tmp_path, 3, ["" if attack == "honest" else attack], size=MIB << 20, percent=5)
    shown(attack, outcome)
    assert outcome.named <= outcome.guilty
    assert attack not in NAMES or outcome.named == outcome.guilty


@pytest.mark.soak
@pytest.mark.parametrize("bad", [["", "", ""], ["recoded", "source", "liar"]])
def test_a_third_of_the_members_is_malicious(lan: Lan, loss: object, tmp_path: Path, bad: list[str]) -> None:
    outcome = attacked(lan, tmp_path, 7, bad, size=MIB << 20, percent=5)
    shown("30 %: " + " ".join(bad), outcome)
    assert outcome.named <= outcome.guilty


@pytest.mark.soak
def test_who_sends_what_its_manifest_does_not_say_is_left_for_another_one(
        lan: Lan, loss: object, tmp_path: Path) -> None:
    liar, honest, *receivers = lan.machines(4, Families.IPV4)
    for each in (liar, honest, *receivers):
        each.shape(MBIT)
    path, outputs = film(tmp_path / "in", 8_000_000), folders(tmp_path, 2)
    lying = malicious(liar, tmp_path, "rogue", "send", str(path), "--receivers", "2")
    content_id = lying.event("published")["content_id"]
    started = [shot(each, tmp_path, "receive", content_id, "--output", str(output))
               for each, output in zip(receivers, outputs, strict=True)]
    for each in started:
        each.event("started")
    shot(honest, tmp_path, "send", str(path), "--receivers", "2")
    begun = time.monotonic()
    for each, output in zip(started, outputs, strict=True):
        each.event("done")
        assert same(path, output / path.name)
    guilty = set(MALLORY.findall(lying.said()))
    named = set(NAMED.findall("".join(each.said() for each in started)))
    shown("a manifest that lies", Outcome(time.monotonic() - begun, named, guilty))
    assert named <= guilty
