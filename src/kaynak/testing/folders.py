"""Where tests put what lives shortly."""

from __future__ import annotations

import os

_ROOM = 4 << 30


def quick_folder() -> str:
    """Returns where files that live shortly lie: in memory, where there is room and programs may run there too.

    Stores wait until the disk has what they write: that they ask for it is what tests see, not how long it takes. Its
    name is short, as those of sockets have to be.
    """
    memory = "/dev/shm"  # noqa: S108 - folders with random names are made in it
    if os.access(memory, os.W_OK):
        found = os.statvfs(memory)
        if found.f_bavail * found.f_frsize >= _ROOM and not found.f_flag & os.ST_NOEXEC:
            return memory
    return "/tmp"  # noqa: S108 - the same
