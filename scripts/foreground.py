"""
Runs a command as the terminal's foreground job: ``python scripts/foreground.py COMMAND [ARGUMENT...]``.

Ctrl-C goes to all processes of the foreground job. When make is one of them it reports 130 even though the node said
goodbye and exited with 0. So the node gets a job of its own, as a shell would give it. Without a terminal, or in the
background, the command simply takes this process's place.
"""
from __future__ import annotations

import os
import signal
import sys


def main(command: list[str]) -> int:
    """
    The exit status of the command.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
        if os.tcgetpgrp(terminal) != os.getpgrp():
            raise OSError
    except OSError:
        os.execvp(command[0], command)
    # The one who gives the terminal away and takes it back must not be stopped for it.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        # Ctrl-Z would stop the command but not make, and nobody could wake it up.
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        os.execvp(command[0], command)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: os.kill(child, received))
    _, status = os.waitpid(child, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
