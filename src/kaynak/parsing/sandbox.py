from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import PurePath
from typing import Any, TypeVar

import orjson
import structlog

from kaynak.domain import PagePicture, ParsedDocument, Unavailable, UnreadableDocument, UnreadableReason
from kaynak.parsing.pictures.asking import PageWanted, picture_of, picture_request
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.wire import HEAD, REPLY_MOST, Garbled, batch_of, failure_in, frame, request_of, result_of

_FILES_MOST = 2000
"""Files after which a process is replaced, whatever it holds."""
_GROWTH_MB = 256
"""Growth of a process's memory after which it is replaced."""
_START_SECONDS = 60
_FAREWELL_SECONDS = 2
_PAGE_SECONDS = 60
"""Wall time that a page gets on top of its file's when its text is recognised from a picture."""
_LARGE_REPLY = 256 * 1024
"""Bytes from which a reply is decoded off the event loop."""
_OVER_LIMIT = frozenset({-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGXFSZ})
_SMALL_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "COVERAGE_PROCESS_CONFIG")

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")


class _Died(Exception):
    """The child is gone; ``code`` is its exit status, negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Child:
    """One parsing process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._files = 0
        self._resting_mb = 0
        self._resident_mb = 0

    @classmethod
    async def start(cls, ocr: bool) -> _Child:
        """Starts a process and waits until it is ready.

        Raises:
            OSError: It cannot be started.
            _Died: It ended at once.
            TimeoutError: It does not become ready.
        """
        environment = {name: os.environ[name] for name in _SMALL_ENVIRONMENT if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "KAYNAK_PARSER_PARENT": str(os.getpid())}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-X", "utf8", "-m", "kaynak.parsing.child", *(() if ocr else ("--no-ocr",))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
            env=environment,
            start_new_session=True,
        )
        child = cls(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready = orjson.loads(await child._receive())
        except BaseException:
            await child.end()
            raise
        child._resting_mb = child._resident_mb = int(ready["resident_mb"])
        return child

    @property
    def worn(self) -> bool:
        """Whether it should be replaced before the next file."""
        return self._files >= _FILES_MOST or self._resident_mb > self._resting_mb + _GROWTH_MB

    async def ask(self, request: bytes, seconds: float, *, files: int = 1) -> dict[str, Any]:
        """Returns the reply to one request, about so many files.

        Raises:
            _Died: The process ended instead.
            TimeoutError: It took longer than ``seconds``, and what recognition of pictures adds.
            Garbled: It does not follow the protocol.
        """
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it is a pipe
        async with asyncio.timeout(seconds) as clock:
            try:
                stdin.write(request)
                await stdin.drain()
            except OSError as exc:
                raise _Died(await self._process.wait()) from exc
            while True:
                body = await self._receive()
                reply = await _decoded(body)
                if "recognising" not in reply:
                    break
                clock.reschedule(asyncio.get_running_loop().time() + max(seconds, _PAGE_SECONDS))
        self._files += files
        resident = reply.get("resident_mb")
        self._resident_mb = resident if isinstance(resident, int) else 0
        return reply

    async def _receive(self) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it is a pipe
        try:
            (length,) = HEAD.unpack(await stdout.readexactly(HEAD.size))
            if length > REPLY_MOST:
                raise Garbled
            return await stdout.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as exc:
            raise _Died(await self._process.wait()) from exc

    async def retire(self) -> None:
        """Lets an idle process end by itself, and kills it if it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._process.wait()
        await self.end()

    async def end(self) -> None:
        """Kills the process and all it may have started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()


async def _decoded(body: bytes) -> dict[str, Any]:
    try:
        reply = orjson.loads(body) if len(body) < _LARGE_REPLY else await asyncio.to_thread(orjson.loads, body)
    except orjson.JSONDecodeError as exc:
        raise Garbled from exc
    if not isinstance(reply, dict):
        raise Garbled
    return reply


class ParserPool:
    """Parses files in processes of their own, so that a hostile file costs itself and nothing else.

    A process is kept for many files, and is replaced when one of them breaks it, takes too long, or leaves it
    swollen. Callers beyond the number of processes wait for their turn, first come, first served.

    Args:
        limits: What one file may use. A page whose text is recognised from a picture gets time on top of it.
        processes: How many parse at the same time.
        ocr: Whether to recognise text in pictures, where that is installed.
    """

    def __init__(self, limits: ParseLimits, processes: int = 1, ocr: bool = True) -> None:
        self._limits = limits
        self._ocr = ocr
        self._free: asyncio.LifoQueue[_Child | None] = asyncio.LifoQueue()
        for _ in range(processes):
            self._free.put_nowait(None)
        self._children: set[_Child] = set()
        self._closed = False

    async def parse(self, source: Source, *, on_start: Callable[[], None] | None = None) -> ParsedDocument:
        """Returns the text of a file.

        Args:
            source: The file.
            on_start: Called when its turn has come.

        Raises:
            UnreadableDocument: It cannot be read; also if it broke, or used up, its process.
            Unavailable: No process can be started, or the pool is closed.
        """
        return await self._in_turn(source, request_of(source, self._limits), _parsed, on_start)

    async def parse_many(self, sources: Sequence[Source]) -> list[ParsedDocument | UnreadableDocument]:
        """Returns the text of each file, or why it cannot be read. For small files: the way there is most of the work.

        Each has limits of its own. What one of them does to the process concerns the others no more than if they
        had been parsed one by one: that is what happens then.

        Raises:
            Unavailable: As `parse`.
        """
        found: list[ParsedDocument | UnreadableDocument | None] = [None] * len(sources)
        if len(sources) > 1:
            with contextlib.suppress(UnreadableDocument):
                # All were asked for together, so this says nothing about one of them.
                found = await self._in_turn(sources[0], batch_of(sources, self._limits), _parsed_many(len(sources)))
        return [
            await self._one_of_many(source) if one is None else one for source, one in zip(sources, found, strict=True)
        ]

    async def _one_of_many(self, source: Source) -> ParsedDocument | UnreadableDocument:
        try:
            return await self.parse(source)
        except UnreadableDocument as error:
            return error

    async def look(self, source: Source, wanted: PageWanted) -> PagePicture:
        """Returns where a span is on a page of a PDF, and the page as a picture if one is wanted.

        Raises:
            UnreadableDocument: As `parse`.
            Unavailable: As `parse`.
        """
        return await self._in_turn(source, picture_request(request_of(source, self._limits), wanted), _pictured)

    async def _in_turn(
        self,
        source: Source,
        request: dict[str, Any],
        read: Callable[[dict[str, Any]], Awaitable[_Result | UnreadableDocument]],
        on_start: Callable[[], None] | None = None,
    ) -> _Result:
        child = await self._free.get()
        try:
            child = await self._fresh(child)
            if on_start is not None:
                on_start()
            result = await self._ask(child, source, request, read)
        except BaseException:
            # The caller has gone, or the process has: either way it is not to be used again.
            if child is not None:
                await asyncio.shield(self._end(child))
            child = None
            raise
        finally:
            self._free.put_nowait(child)
        if isinstance(result, UnreadableDocument):
            raise result
        return result

    async def close(self) -> None:
        """Ends all processes. Files that are being parsed fail as `Unavailable`, and may be tried again."""
        self._closed = True
        idle = []
        while not self._free.empty():
            idle.append(self._free.get_nowait())
        for child in idle:
            if child is not None:
                self._children.discard(child)
                await child.retire()
        for child in list(self._children):
            await self._end(child)
        for _ in idle:
            self._free.put_nowait(None)  # so that callers in the queue learn that the pool is closed

    async def _fresh(self, child: _Child | None) -> _Child:
        """Returns the process, or another one in its place."""
        if self._closed:
            raise Unavailable("The parsing processes have been shut down.")
        if child is not None and not child.worn:
            return child
        if child is not None:
            self._children.discard(child)
            await child.retire()
        try:
            child = await _Child.start(self._ocr)
        except (OSError, TimeoutError, _Died, Garbled, ValueError) as exc:
            raise Unavailable("No parsing process can be started.", hint="Is the machine out of memory?") from exc
        self._children.add(child)
        return child

    async def _end(self, child: _Child) -> None:
        self._children.discard(child)
        await child.end()

    async def _ask(
        self,
        child: _Child,
        source: Source,
        request: dict[str, Any],
        read: Callable[[dict[str, Any]], Awaitable[_Result | UnreadableDocument]],
    ) -> _Result | UnreadableDocument:
        try:
            reply = await child.ask(frame(request), self._limits.wall_seconds, files=len(request.get("files", "1")))
            for one in (reply, *(reply.get("files") or ())):
                for event in (one or {}).get("log") or ():
                    _log.warning("parser_log", file_type=PurePath(source.name).suffix[:10], inner=event)
            return await read(reply)
        except TimeoutError as exc:
            raise _too_complex("more than the time allowed") from exc
        except Garbled as exc:
            _log.warning("parser_garbled")
            raise _broken() from exc
        except _Died as exc:
            if self._closed:
                raise Unavailable("The parsing processes have been shut down.") from exc
            _log.warning("parser_died", code=exc.code)
            if exc.code in _OVER_LIMIT:
                raise _too_complex("more time or memory than allowed") from exc
            raise _broken() from exc


async def _parsed(reply: dict[str, Any]) -> ParsedDocument | UnreadableDocument:
    if len(reply.get("parsed", {}).get("blocks", ())) > 1000:
        return await asyncio.to_thread(result_of, reply)
    return result_of(reply)


def _parsed_many(
    count: int,
) -> Callable[[dict[str, Any]], Awaitable[list[ParsedDocument | UnreadableDocument | None]]]:
    async def read(reply: dict[str, Any]) -> list[ParsedDocument | UnreadableDocument | None]:
        replies = reply.get("files")
        if not isinstance(replies, list) or len(replies) != count:
            raise Garbled
        try:
            return [None if one is None else await _parsed(one) for one in replies]
        except AttributeError as exc:
            raise Garbled from exc

    return read


async def _pictured(reply: dict[str, Any]) -> PagePicture | UnreadableDocument:
    try:
        return failure_in(reply["error"]) if "error" in reply else picture_of(reply["picture"])
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Garbled from exc


def _too_complex(what: str) -> UnreadableDocument:
    return UnreadableDocument(
        UnreadableReason.TOO_COMPLEX,
        f"Reading the file took {what}.",
        hint="Split it, or raise the parsing limits in the settings.",
    )


def _broken() -> UnreadableDocument:
    return UnreadableDocument(
        UnreadableReason.CORRUPT,
        "The file broke the program that reads it; it is damaged, or made to do so.",
        hint="Open it in the application it comes from, save it anew, and try again.",
    )
