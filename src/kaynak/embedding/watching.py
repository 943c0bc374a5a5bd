"""Whether the files of a model are still those that were loaded."""

from __future__ import annotations

import time
from pathlib import Path

_ENDINGS = {".json", ".safetensors", ".onnx", ".xml", ".bin", ".pt", ".model"}


class FileWatch:
    """Looks at size and time of the files of a model, seldom enough to cost nothing.

    Args:
        directory: Of the model.
        seconds: Between two looks.
    """

    def __init__(self, directory: Path, seconds: float = 5.0) -> None:
        self.directory = directory
        self._seconds = seconds
        self._state = _state(directory)
        self._next = time.monotonic() + seconds

    @property
    def due(self) -> bool:
        """Whether it is time to look."""
        return time.monotonic() >= self._next

    def changed(self) -> bool:
        """Looks, and returns whether the files are others than when it was made. Blocks for a moment."""
        self._next = time.monotonic() + self._seconds
        return _state(self.directory) != self._state


def _state(directory: Path) -> tuple[tuple[str, int, int], ...]:
    found = []
    try:
        for path in sorted(directory.rglob("*")):
            if path.suffix in _ENDINGS or path.suffix.endswith("data"):
                status = path.stat()
                found.append((str(path), status.st_size, status.st_mtime_ns))
    except OSError:
        return ()  # it is being replaced
    return tuple(found)
