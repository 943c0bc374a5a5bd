"""A process that parses files it is told to, one at a time, and can be killed at any moment.

Runs as ``python -m kaynak.parsing.child [--no-ocr]``. Reads requests from standard input and writes replies to
standard output, as `kaynak.parsing.wire` frames them. Its first frame says that it is ready. It inherits nothing, has
limits on what it may use, and ends when its parent does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import structlog

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing import ocr
from kaynak.parsing.dispatch import parse_file
from kaynak.parsing.pictures.asking import look_at, picture_reply, wanted_of
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.wire import HEAD, failure_of, frame, read_batch, read_request

PAGE_CPU_SECONDS: Final = 60
"""CPU time that a page gets on top of its file's when its text is recognised from a picture."""

PARENT: Final = "KAYNAK_PARSER_PARENT"
"""Environment variable that tells a child the process id of the service."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWNET = 0x40000000
_RECOGNITION_MB = 2048
_OPEN_FILES = 64
_BATCH_CHARACTERS = 2_000_000
_WRITTEN_BYTES = 256 * 1024 * 1024  # temporary files of parsers

_logged: list[dict[str, str]] = []


def main() -> None:
    """Serves requests until standard input ends."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    # A library that prints must not write into the replies.
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    _confine()
    structlog.configure(processors=[_collect])
    ocr.switch_ocr("--no-ocr" not in sys.argv[1:])
    ocr.before_recognition(lambda: _more_time(replies))
    _send(replies, {"ready": True, "resident_mb": _resident_mb()})
    while (request := _read(requests)) is not None:
        _send(replies, _serve(request))


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(HEAD.size)
    return stream.read(HEAD.unpack(head)[0]) if len(head) == HEAD.size else None


def _send(stream: BinaryIO, message: dict[str, Any]) -> None:
    stream.write(frame(message))
    stream.flush()


def _serve(request: bytes) -> dict[str, Any]:
    batch = read_batch(request)
    if batch is not None:
        reply = {"files": _serve_batch(batch)}
    else:
        source, limits = read_request(request)
        wanted = wanted_of(request)
        if wanted is None:
            reply = _guarded(limits, lambda: {"parsed": parse_file(source, limits)})
        else:
            reply = _guarded(limits, lambda: {"picture": picture_reply(look_at(source, wanted))})
    return reply | {"resident_mb": _resident_mb()}


def _serve_batch(batch: list[tuple[Source, ParseLimits]]) -> list[dict[str, Any] | None]:
    """Returns the reply to each file; None for those that must be asked for again, or the reply grows too long."""
    replies: list[dict[str, Any] | None] = []
    characters = 0
    for source, limits in batch:
        if characters > _BATCH_CHARACTERS:
            replies.append(None)
            continue
        reply = _guarded(limits, lambda source=source, limits=limits: {"parsed": parse_file(source, limits)})  # type: ignore[misc]
        if "parsed" in reply:
            characters += len(reply["parsed"].text)
        replies.append(reply)
    return replies


def _guarded(limits: ParseLimits, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Returns the reply to one request, within its limits."""
    _limit(limits.memory_mb, limits.cpu_seconds)
    reply: dict[str, Any]
    try:
        reply = work()
    except UnreadableDocument as error:
        reply = {"error": failure_of(error)}
    except MemoryError:
        reply = {"error": failure_of(_too_much())}
    finally:
        _unlimit_memory()
    events = [*_logged]
    _logged.clear()
    return reply | {"log": events}


def _too_much() -> UnreadableDocument:
    return UnreadableDocument(
        UnreadableReason.TOO_COMPLEX,
        "Reading the file took more memory than allowed.",
        hint="Split it, or raise the parsing limits in the settings.",
    )


def _collect(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keeps log events for the parent, which knows where logs go."""
    _logged.append({key: str(value)[:200] for key, value in event.items()})
    raise structlog.DropEvent


def _confine() -> None:
    """Gives up what a parser does not need. What a system lacks is left out."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.unshare(_CLONE_NEWNET)  # only root may; others go without
        if os.environ.get(PARENT) not in (None, str(os.getppid())):
            sys.exit(0)  # the parent was gone before the signal was set
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, _WRITTEN_BYTES),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))


def _limit(memory_mb: int, cpu_seconds: int) -> None:
    """Limits the next file, on top of what the process has used and holds."""
    _allow_cpu(cpu_seconds)
    _allow_memory(memory_mb)


def _allow_memory(memory_mb: int) -> None:
    mapped = _mapped()
    if mapped is not None:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (mapped + memory_mb * 1024 * 1024, resource.RLIM_INFINITY))


def _unlimit_memory() -> None:
    """Lifts the limit so that the reply to a file that hit it can be written."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _allow_cpu(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, resource.RLIM_INFINITY))


def _more_time(replies: BinaryIO) -> None:
    """Gives a page that is a picture time of its own, here and on the parent's clock, and the models their memory."""
    _allow_cpu(PAGE_CPU_SECONDS)
    _allow_memory(_RECOGNITION_MB)
    _send(replies, {"recognising": True})


def _mapped() -> int | None:
    """Returns the bytes of address space in use; None where the system does not say, and has no limit either."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def _resident_mb() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20
    except OSError:
        return 0


if __name__ == "__main__":
    main()
