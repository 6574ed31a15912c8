"""
Every limit of the overlay has a name here, and the attack or failure that it stops.

Times are seconds, sizes bytes, rates per second. `docs/security.md` explains how they work together. One module for
each thing that is bounded; who needs a limit takes it from here.
"""
from __future__ import annotations

from .announcements import *
from .crowds import *
from .datagrams import *
from .files import *
from .measuring import *
from .presence import *
from .riders import *
from .search import *
from .swarms import *
from .trust import *
