"""The running server, as its pid file tells."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What ``postmaster.pid`` says.

    Attributes:
        pid: Its process.
        sockets: The folder of its socket; None while it has not got that far.
        status: ``starting``, ``ready``, ``stopping``, ``standby``, or empty.
    """

    pid: int
    sockets: Path | None
    status: str

    @classmethod
    def read(cls, cluster: Path) -> Postmaster | None:
        """Returns what the pid file of ``cluster`` says; None where there is none, or half of one."""
        try:
            lines = (cluster / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
        except (OSError, ValueError, IndexError):
            return None
        sockets = Path(lines[4]) if len(lines) > 4 and lines[4] else None
        return cls(pid, sockets, lines[7].strip() if len(lines) > 7 else "")

    @property
    def alive(self) -> bool:
        """Whether that process exists and is a PostgreSQL: process numbers are used again."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return "postgres" in _command_name(self.pid)


def _command_name(pid: int) -> str:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
        asked = subprocess.run(  # noqa: S603 - macOS has no /proc
            ["/bin/ps", "-p", str(pid), "-o", "comm="], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip()
    name, _, rest = state.partition("(")[2].rpartition(")")
    return "" if rest.split()[0] in {"Z", "X"} else name  # a zombie has ended
