"""
A file from one machine to many on a LAN: ours beside udpcast, UFTP, BitTorrent and HTTP, in one run.

    sh tests/in_namespace.sh python -m bench.distribute [--only table] [--rounds 3] [--tool NAME]... [--long] [--json]

- *table*: 64 MiB to 4 receivers, every link shaped to 100 Mbit/s both ways, 0, 2 and 10 % of the packets lost at each
  receiver on its own (--long: 20 % too; --without-helpers: ours without cooperation beside it). Time is from the
  sender's exec, with receivers that wait, to the last receiver's end; bytes are those of the sender on its link; files
  are compared byte by byte; tools take turns; medians. udpcast and uftp are told the rate of the link, udpcast the
  loss, uftp who receives; ours is told how many receive.
- *receivers*: the same to 1, 2, 8 and 16.
- *small*: a file of 10 KB between running nodes, from the call to its end.
- *folder*: 2,000 files of 10 KB, and one of 20 MB.
- *gigabit*: 1 GiB to 4 by 1 Gbit/s; goodput, and processor time of each role; 64 MiB with no native code.
- *beside*: what a TCP flow on the sender's link, and the round trips of others, are while it sends.
- *slow*: one of the four behind 5 Mbit/s: when the others have it, and when that one has.
- *memory*: 4 GiB from one to one, not shaped.

What is not installed is left out, and said. A transfer that is not over after --limit seconds is stopped. With another
--size all files have other sizes.
"""

from __future__ import annotations

import argparse
import sys

from .common import Report, main
from .distribute_beside import beside
from .distribute_nodes import small
from .distribute_slow import slow
from .distribute_table import TOOLS, folder, gigabit, memory, receivers, table

SCENARIOS = {"table": table, "receivers": receivers, "small": small, "folder": folder, "gigabit": gigabit,
             "beside": beside, "slow": slow, "memory": memory}


def bench(options: argparse.Namespace) -> Report:
    """
    Measure all that was asked for.
    """
    report = Report("distribute")
    for name in options.only or SCENARIOS:
        SCENARIOS[name](options, report)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.distribute", description="A file from one to many, beside other tools.")
    made.add_argument("--only", action="append", choices=SCENARIOS, help="only this one; may be repeated")
    made.add_argument("--tool", action="append", choices=TOOLS, default=[], metavar="NAME",
                      help="only this one; may be repeated: " + "; ".join(TOOLS))
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--size", type=float, default=64, metavar="MIB")
    made.add_argument("--mbit", type=float, default=100, help="of every link, both ways")
    made.add_argument("--receivers", type=int, default=4)
    made.add_argument("--most", type=int, default=16, help="receivers in the scenario receivers")
    made.add_argument("--loss", type=float, action="append", metavar="PERCENT", help="instead of 0, 2 and 10")
    made.add_argument("--whole", action="store_true",
                      help="large buffers of a sender arrive, or get lost, whole (table)")
    made.add_argument("--without-helpers", action="store_true",
                      help="ours with the setting cooperate=false, too, beside it (table)")
    made.add_argument("--limit", type=float, default=60, metavar="S", help="after which a transfer is stopped")
    made.add_argument("--long", action="store_true", help="20 %% loss, too, and other tools untuned")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
