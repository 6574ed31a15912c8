"""
The bench that distributes a file: tools that are there are measured, what is stopped is told, nothing stays behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from bench.common import BenchError, Report
from bench.distribute_figures import compare, middle
from bench.distribute_lan import Box, fill, same
from bench.distribute_link import loss, rate
from bench.distribute_others import OTHERS
from bench.distribute_ours import Ours
from bench.distribute_run import Run, Tool
from bench.distribute_table import installed, transfer
from tests.bench.test_benches import ROOT, rows, run
from tests.lan.conftest import lan  # noqa: F401
from tests.lan.conftest import loss as can_lose  # noqa: F401

if TYPE_CHECKING:
    from bench.distribute_run import Outcome
    from tests.lan.testbed import Lan

THERE = [tool.name for tool in (Ours, *OTHERS) if not tool.missing()]


class Copies(Tool):
    """
    Distributes by the disk: a program per receiver waits until the sender has run.
    """

    name = "copies"
    script = "while ! [ -e {flag} ]; do sleep 0.01; done; cp {source} {result}"

    def wait(self) -> None:
        self.flag = self.run.box.folder / "flag"
        self.flag.unlink(missing_ok=True)
        for number in range(len(self.run.places)):
            self.run.receiver(number, ["sh", "-c", self.script.format(
                flag=self.flag, source=self.run.source, result=self.result(number))])

    def send(self) -> None:
        self.run.sender(["touch", str(self.flag)])


class Changes(Copies):
    script = Copies.script + "; echo more >> {result}"


class Hangs(Copies):
    script = "sleep 600"


@pytest.fixture
def box(lan: Lan) -> Box:  # noqa: F811
    machines = lan.machines(3)
    for machine in machines:
        machine.namespace.ip("link set eth0 gso_max_segs 1")
    made = Box(lan, machines[0], machines[1:], lan.folder / "bench")
    made.folder.mkdir()
    return made


def measured(box: Box, kind: type[Tool], limit: float = 30) -> tuple[Run, Outcome]:
    source = fill(box.folder / "file.bin", 300_000)
    with Run(box, source, limit) as going:
        return going, going.measure(kind, 300_000)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.lan
def test_distribute_measures_the_tools_that_are_there(lan: Lan) -> None:  # noqa: F811
    if not THERE:
        pytest.skip("no tool to compare with is installed")
    asked = [part for name in THERE for part in ("--tool", name)]
    document = run("bench.distribute", "--only", "table", "--rounds", "1", "--size", "1", "--receivers", "2",
                   "--loss", "0", "--limit", "12", *asked)
    found = rows(document)
    for name in THERE:
        outcomes = document["details"]["table"]["runs"]["0 % lost"][name]
        assert outcomes["errors"] == [], name
        assert 0.05 < outcomes["seconds"][0] <= 12, name
        assert outcomes["bytes_out"][0] > 0.9, name
    assert found
    assert 10 < document["details"]["table"]["links"]["mbit"] < 104, "less only where the machine is busy"


def test_what_is_not_installed_is_left_out_and_said() -> None:
    class Nowhere(Tool):
        name = "nowhere"
        programs = ("tribler-multicast-of-nowhere",)
        package = "no package"

    class Here(Tool):
        name = "here"
        programs = ("sh",)

    report, options = Report("distribute"), SimpleNamespace(tool=[])
    assert installed((Nowhere, Here), options, report) == [Here]  # type: ignore[arg-type]
    assert report.details["missing"] == ["tribler-multicast-of-nowhere is not installed (no package)"]
    with pytest.raises(BenchError, match="nothing to measure: tribler-multicast-of-nowhere"):
        installed((Nowhere,), options, report)  # type: ignore[arg-type]


@pytest.mark.lan
def test_a_transfer_lasts_until_the_last_receiver_is_done(box: Box) -> None:
    _, outcome = measured(box, Copies)
    assert outcome.error == ""
    assert outcome.seconds == max(each for each in outcome.each if each)
    assert outcome.ratio < 0.05, "nothing but neighbour discovery went by the link"


@pytest.mark.lan
def test_what_is_not_what_was_sent_does_not_count(box: Box) -> None:
    _, outcome = measured(box, Changes)
    assert outcome.seconds is None
    assert "something else than was sent" in outcome.error


@pytest.mark.lan
def test_a_transfer_that_hangs_is_stopped_and_its_programs_are_gone(box: Box) -> None:
    going, outcome = measured(box, Hangs, 0.3)
    assert outcome.seconds is None
    assert outcome.each == [None, None]
    assert not any(alive(program.process.pid) for program in going.programs)
    assert not any(place.exists() for place in going.places)


@pytest.mark.lan
def test_what_does_not_even_start_is_not_done_and_keeps_nobody_from_being_measured(box: Box) -> None:
    class Fails(Copies):
        def wait(self) -> None:
            for number in range(len(self.run.places)):
                self.run.receiver(number, ["sh", "-c", "echo no such luck >&2; exit 1"])
            self.run.settle(9)

    source = fill(box.folder / "file.bin", 1000)
    outcome = transfer(box, Fails, source, 1000, limit=5)
    assert outcome.seconds is None
    assert outcome.error == "sh has ended: no such luck"


@pytest.mark.lan
def test_programs_are_ended_when_the_bench_fails(box: Box) -> None:
    source = fill(box.folder / "file.bin", 1000)
    with pytest.raises(BenchError), Run(box, source, 5) as going:
        Hangs(going).wait()
        raise BenchError("something")
    assert len(going.programs) == 2
    assert not any(alive(program.process.pid) for program in going.programs)


@pytest.mark.lan
def test_the_processor_time_of_a_program_counts_to_its_end(box: Box) -> None:
    with Run(box, fill(box.folder / "file.bin", 1000), 5) as going:
        program = going.sender([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"])
        going.finish(program)
    assert 0.25 < program.cpu < 3


@pytest.mark.lan
def test_links_have_their_rate_and_their_loss_packet_by_packet(box: Box, can_lose: None) -> None:  # noqa: F811
    box.shape(40)
    assert 10 < rate(box, 40) < 42, "less only where the machine is busy"
    assert loss(box, 40)["lost"] == 0
    box.lose(20)
    found = loss(box, 40)
    assert 10 < found["lost"] < 30
    assert found["after_lost"] < 50, "one by one, not whole buffers"


@pytest.mark.lan
def test_bytes_of_the_sender_are_those_on_its_link(box: Box) -> None:
    before = box.bytes()
    with box.sender.socket() as sock:
        for _ in range(10):
            sock.sendto(bytes(1000), (box.receivers[0].interfaces["eth0"].ipv4, 9))
    assert 10_420 <= box.bytes() - before < 12_000, "and neighbour discovery"


def test_folders_are_the_same_only_with_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name / "deep").mkdir(parents=True)
        fill(tmp_path / name / "deep" / "file", 0).write_bytes(b"content")
    assert same(tmp_path / "one", tmp_path / "other")
    (tmp_path / "other" / "deep" / "file").write_bytes(b"c0ntent")
    assert not same(tmp_path / "one", tmp_path / "other")
    (tmp_path / "other" / "deep" / "file").write_bytes(b"content")
    (tmp_path / "other" / "more").touch()
    assert not same(tmp_path / "one", tmp_path / "other")
    assert not same(tmp_path / "one", tmp_path / "nowhere")


def test_one_that_was_stopped_counts_as_long_as_it_was_let() -> None:
    assert middle([1.0, 2.0, None], 60) == (2.0, " (1 of 3 not done)")
    assert middle([1.0, None, None], 60) == (60, " (2 of 3 not done)")
    assert middle([1.0, 2.0, 3.0], 60) == (2.0, "")


def test_ours_is_told_beside_each_other_tool_with_one_limit() -> None:
    report = Report("distribute")
    compare(report, "done", "s", {"a": (6.0, ""), Ours.name: (3.0, ""), "b": (60.0, " (1 of 1 not done)")}, 5.0)
    assert [(row.what, row.other, row.ratio, row.limit) for row in report.rows] == [
        ("done", "a", 2.0, 5.0), ("done", "b (1 of 1 not done)", 20.0, None)]


def test_without_native_code_the_command_line_is_the_same() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "bench" / "distribute_fallback.py"), "--help"],
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout
