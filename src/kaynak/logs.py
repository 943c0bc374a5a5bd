"""Structured logs on standard error: JSON for machines, text for a terminal. Set up once, by an entry point."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kaynak.masking import mask_secrets

_CHATTY = ("alembic", "httpcore", "httpx", "mcp", "procrastinate", "psycopg", "sqlalchemy", "uvicorn")
"""Libraries whose INFO is about themselves; they speak from WARNING on, unless everything is wanted."""


class _StandardError:
    """Writes lines to whatever ``sys.stderr`` is now, so that a redirected stream is followed."""

    def __init__(self, name: str | None = None, *_: object) -> None:
        self.name = name

    def write(self, line: str) -> None:
        stream = sys.stderr
        stream.write(line + "\n")
        stream.flush()

    debug = info = warning = error = critical = exception = log = msg = write


def configure_logs(
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    format: Literal["auto", "json", "text"] = "auto",  # noqa: A002
) -> None:
    """Sends our logs and those of the libraries to standard error in one form.

    Args:
        level: Least level shown.
        format: ``auto`` is text on a terminal and JSON elsewhere.
    """
    as_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        mask_secrets,  # last: tracebacks are text by now
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time")
        if as_text
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    least = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=[_add_name, *shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=_StandardError,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_Follow())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(least)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(least if level == "DEBUG" else max(least, logging.WARNING))


class _Follow:
    """A stream that is whatever ``sys.stderr`` is now."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _add_name(logger: WrappedLogger, _: str, event: EventDict) -> EventDict:
    name = getattr(logger, "name", None)
    if name:
        event.setdefault("logger", name)
    return event


def _to_json(event: Any, **_: object) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
