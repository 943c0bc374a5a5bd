"""Builds the graphs of the embedded engine, in a process of its own.

Qdrant's ``optimize`` takes seconds to minutes and holds the interpreter all the while: searches, and everything else
that this process does, would stand still. So another process does it on a copy of the files, which then takes their
place. Searches go on meanwhile; writes wait.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import structlog

from kaynak.domain import KaynakError
from kaynak.engines.qdrant.edge_shards import Shard
from kaynak.engines.qdrant.faults import edge_translated

if TYPE_CHECKING:
    from qdrant_edge import EdgeShard

_PROGRAM = """
import os, sys
os.nice(5)
from qdrant_edge import EdgeShard
shard = EdgeShard.load(sys.argv[1])
shard.optimize()
shard.flush()
shard.close()
"""

_FIRST = 10_000
_MOST = 50_000
_SHARE = 4
"""A graph is built once so many points have none: a quarter of those that have one, within these bounds."""

_log = structlog.get_logger(__name__)


class Tuning:
    """The one that may be going on for a shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Starts one in the background if it is worth it, and none is going on."""
        with self._lock:
            if self._stopped or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="qdrant-tuning", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Gives up the one that is going on: nothing is lost but the work."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()
            thread = self._thread
        if thread is not None:
            thread.join()
        with self._lock:
            self._stopped = False

    def _run(self) -> None:
        try:
            with self._shard.writing, edge_translated(self._shard.path):
                with self._shard.use(None) as edge:
                    if not worth(edge):
                        return
                    edge.flush()
                    shutil.copytree(self._shard.path, self._shard.copy)
                if self._optimize():
                    self._shard.exchange()
        except (KaynakError, OSError) as exc:
            # Without a graph the index is as right as with one; the next write tries again.
            _log.warning("qdrant tuning failed", index=self._shard.path.name, error=str(exc))
        finally:
            shutil.rmtree(self._shard.copy, ignore_errors=True)

    def _optimize(self) -> bool:
        with self._lock:
            if self._stopped:
                return False
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", _PROGRAM, str(self._shard.copy)], stdin=subprocess.DEVNULL
            )
            process = self._process
        code = process.wait()
        with self._lock:
            self._process = None
            return code == 0 and not self._stopped


def worth(edge: EdgeShard) -> bool:
    """Returns whether so many points have no graph that it should be built."""
    info = edge.info()
    bare = info.points_count - info.indexed_vectors_count
    return bare >= min(_MOST, max(_FIRST, info.indexed_vectors_count // _SHARE))


_TUNINGS: dict[Shard, Tuning] = {}
_TUNINGS_LOCK = threading.Lock()


def tuning_of(shard: Shard) -> Tuning:
    """Returns the one of a shard."""
    with _TUNINGS_LOCK:
        return _TUNINGS.setdefault(shard, Tuning(shard))
