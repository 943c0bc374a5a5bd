from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kaynak.engines.faiss.files import DamagedFileError, Files, check_sizes, open_files
from kaynak.engines.faiss.filters import Filters
from kaynak.engines.faiss.spec import layout_from
from kaynak.engines.faiss.store import FILE, Connection, State, Store, read_spec, read_state
from kaynak.engines.faiss.view import View, followed, opened

_CHECK_EVERY = 1.0
"""Seconds between looks at the sizes of files that are mapped."""


class PassedError(Exception):
    """Others have seen more than this transaction does; begin another one."""


class OpenIndex:
    """An index that is open in this process. Thread-safe.

    Args:
        name: Of the index.
        directory: Where its files are.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.store = Store(directory / FILE, name)
        self._place = str(self.store.path)
        self.filters = Filters()
        try:
            with self.store.transaction() as connection:
                self.layout = layout_from(name, read_spec(connection, name))
        except BaseException:
            self.store.close()
            raise
        self.damaged: int | None = None
        """The generation whose files are damaged, if they are."""
        self._lock = threading.Lock()
        self._view: View | None = None
        self._ready: Files | None = None
        self._checked = 0.0

    @property
    def there(self) -> bool:
        """Whether it was not dropped."""
        return os.path.exists(self._place)  # noqa: PTH110 - which takes a third of the time

    def close(self) -> None:
        """Closes its files."""
        self.store.close()
        with self._lock:
            self._view = self._ready = None

    def view(self, connection: Connection, later: Callable[[State], Any]) -> View:
        """Returns the index as the transaction of ``connection`` sees it.

        Args:
            connection: In a transaction.
            later: Called if there are new files, to `load` them while the old ones are still searched.

        Raises:
            PassedError: The transaction is older than what is open.
        """
        state = read_state(connection, self.name)
        with self._lock:
            self._look_at_sizes()
            view, self._view = self._view, None  # which it stays if what follows fails half-way
            if view is not None and state.change < view.state.change:
                self._view = view
                raise PassedError
            if view is None or not self._follows(view, state, later):
                view = self._open(connection, state)
            elif view.state.change != state.change:
                view = followed(connection, state, view)
            self._view = view
            return view

    def load(self, state: State) -> None:
        """Opens new files, for the next `view`."""
        try:
            files = open_files(self.directory, self.layout, state)
        except DamagedFileError:
            with self.store.transaction() as connection:
                if read_state(connection, self.name).generation == state.generation:
                    self.damaged = state.generation
            return
        with self._lock:
            self._ready = files

    def _follows(self, view: View, state: State, later: Callable[[State], Any]) -> bool:
        """Returns whether what came since is enough to go on with the files that are open."""
        present = view.files.generation if view.files is not None else None
        if state.generation == view.state.generation and (present == state.generation or state.files == "{}"):
            return True
        if state.files == "{}" or self._ready_for(state):
            return False
        if self.damaged != state.generation:
            later(state)
        # Tombstones of the generation before are still there, older ones are not.
        return view.state.last_tombstone >= state.forgotten

    def _ready_for(self, state: State) -> bool:
        return self._ready is not None and self._ready.generation == state.generation

    def _open(self, connection: Connection, state: State) -> View:
        files: Files | None = None
        if self._ready_for(state):
            files = self._ready
        elif state.files != "{}" and self.damaged != state.generation:
            try:
                files = open_files(self.directory, self.layout, state)
            except DamagedFileError:
                with self.store.transaction() as now:
                    if read_state(now, self.name).generation != state.generation:
                        raise PassedError from None
                self.damaged = state.generation
        self._ready = None
        return opened(connection, state, files, self.layout.fields)

    def _look_at_sizes(self) -> None:
        now = time.monotonic()
        if self._view is None or self._view.files is None or now - self._checked < _CHECK_EVERY:
            return
        self._checked = now
        try:
            check_sizes(self.directory, self._view.files.names)
        except DamagedFileError:
            self.damaged = self._view.files.generation
            self._view = None
