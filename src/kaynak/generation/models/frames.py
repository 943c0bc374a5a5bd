"""Lines and frames out of a body that arrives in pieces of any size. Bounded: a provider cannot fill the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MOST_BYTES = 1024 * 1024
"""Longest line, and longest frame."""

_BOM = b"\xef\xbb\xbf"


class FrameTooLong(Exception):
    """A line or a frame is longer than `MOST_BYTES`."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a stream.

    Attributes:
        data: Its payload; for server-sent events the data lines joined.
        event: Name of a server-sent event; empty if it has none.
    """

    data: bytes
    event: str = ""


class FrameReader(Protocol):
    """Takes a body apart."""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Returns the frames that ``chunk`` completes.

        Raises:
            FrameTooLong: There is no end to a frame.
        """
        ...

    def finish(self) -> list[Frame]:
        """Returns what the end of the body completes: the last frame may lack its newline."""
        ...


class LineSplitter:
    """Splits at LF, CR LF and CR, wherever the pieces are cut."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._held = bytearray()
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns the lines that ``chunk`` completes, without their ends.

        Raises:
            FrameTooLong: A line has no end.
        """
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        pieces = chunk.splitlines()  # of bytes: at LF, CR LF and CR only
        if self._held:
            self._held += pieces[0]
            pieces[0] = bytes(self._held)
            self._held.clear()
        if not chunk.endswith((b"\n", b"\r")):
            self._held += pieces.pop()
        if len(self._held) > self._most or any(len(piece) > self._most for piece in pieces):
            raise FrameTooLong
        return pieces

    def finish(self) -> list[bytes]:
        """Returns the last line if it has no end."""
        rest = bytes(self._held)
        self._held.clear()
        return [rest] if rest else []


class SseReader:
    """Server-sent events, as the HTML standard reads them. Comments and unknown fields are passed over."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._lines = LineSplitter(most)
        self._first = True
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""

    def feed(self, chunk: bytes) -> list[Frame]:
        """See `FrameReader`."""
        return self._frames(self._lines.feed(chunk))

    def finish(self) -> list[Frame]:
        """See `FrameReader`."""
        return self._frames([*self._lines.finish(), b""])

    def _frames(self, lines: list[bytes]) -> list[Frame]:
        found = []
        for line in lines:
            if self._first:
                self._first = False
                line = line.removeprefix(_BOM)
            if line:
                self._field(line)
            else:
                if self._data:
                    found.append(Frame(b"\n".join(self._data), self._event))
                self._data, self._size, self._event = [], 0, ""
        return found

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value)
            if self._size > self._most:
                raise FrameTooLong
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")


class NdjsonReader:
    """A document on each line; blank lines are passed over."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._lines = LineSplitter(most)

    def feed(self, chunk: bytes) -> list[Frame]:
        """See `FrameReader`."""
        return [Frame(line) for line in self._lines.feed(chunk) if line.strip()]

    def finish(self) -> list[Frame]:
        """See `FrameReader`."""
        return [Frame(line) for line in self._lines.finish() if line.strip()]
