from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaynak.domain import EngineUnavailable


@contextmanager
def file_lock(path: Path, name: str, wait: float) -> Iterator[None]:
    """Lets one in, among all threads and processes of this host; who is killed lets the next one in.

    Args:
        path: Of the lock, a file that stays.
        name: Of the index, for messages.
        wait: Seconds to wait for whoever is in.

    Raises:
        EngineUnavailable: Somebody stayed in for so long.
    """
    until, pause = time.monotonic() + wait, 0.005
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                if time.monotonic() > until:
                    raise EngineUnavailable(f"Index “{name}” is being written by another process.") from exc
                time.sleep(pause)
                pause = min(0.1, pause * 1.5)
        yield
