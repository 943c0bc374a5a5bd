"""Writes to the audit log what is no part of a transaction: what was read, searched and asked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import psycopg

from kaynak.catalog.audit import Head, append
from kaynak.catalog.engine import connect_single
from kaynak.catalog.failures import translated
from kaynak.catalog.unit import Unit
from kaynak.domain import AuditEntry, AuditPolicy, CatalogUnavailable, QueryText, Scope

_MOST_AT_ONCE = 500
_TRIES = 2
"""A database that was just restarted answers on a new connection."""
_FRESH_SECONDS = 5.0
"""How long the policy is remembered: another process may change it."""


class AuditWriter:
    """Appends events to the audit log in transactions of their own; those that come at a time share one.

    Whoever records waits until the event is committed: no answer leaves before it is written that it did. If it
    cannot be written, the answer does not leave. The commit does not wait for the disk, which takes longer than a
    search: when the database or its machine fails, the events of its last half second can be lost. When only this
    process fails, none is.

    Args:
        url: Of the database; one connection of its own, made when there is something to write.
        read: Opens a unit of work that reads.
        noted: Told the head of the log after each commit.
    """

    def __init__(
        self, url: str, read: Callable[[], AbstractAsyncContextManager[Unit]], noted: Callable[[Head], None]
    ) -> None:
        self._url = url
        self._read = read
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._noted = noted
        self._waiting: list[tuple[Sequence[AuditEntry], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._policy = AuditPolicy()
        self._key = b""
        self._until = 0.0
        self._closed = False

    async def record(self, who: Scope | str, action: str, on: str = "", /, **details: object) -> None:
        """Writes one event, see `Audit.record`.

        Raises:
            CatalogUnavailable: It could not be written.
        """
        told = {name: value for name, value in details.items() if value is not None}
        await self.write([AuditEntry.of(who, action, on, told)])

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        """Writes events that belong together.

        Raises:
            CatalogUnavailable: They could not be written.
        """
        if not entries:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await done

    async def query(self, words: str) -> dict[str, str]:
        """Returns what the policy lets the log keep of a query or question, as details of its event.

        Raises:
            CatalogUnavailable: The policy cannot be read.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= self._until:
            async with self._read() as unit:
                self._policy, self._key = await unit.settings.audit()
            self._until = loop.time() + _FRESH_SECONDS
        if self._policy.query_text is QueryText.FULL:
            return {"query": words}
        if self._policy.query_text is QueryText.HASHED:
            return {"query_hash": hmac.new(self._key, words.encode(), hashlib.sha256).hexdigest()}
        return {}

    def policy_changed(self) -> None:
        """Has the policy read anew."""
        self._until = 0.0

    async def close(self) -> None:
        """Waits until everything is written, and closes the connection."""
        self._closed = True
        if self._writing is not None:
            with suppress(asyncio.CancelledError):
                await self._writing
        await self._disconnect()

    async def _write(self) -> None:
        try:
            await self._write_waiting()
        finally:
            if self._closed:  # who writes after the end leaves no connection behind
                await self._disconnect()

    async def _write_waiting(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
            entries = [entry for some, _ in group for entry in some]
            failure: BaseException | None = None
            try:
                self._noted(await self._append(entries))
            except BaseException as error:
                failure = error
            for _, done in group:
                if done.done():
                    continue  # who waited was cancelled; what they did is written all the same
                if failure is None:
                    done.set_result(None)
                elif isinstance(failure, asyncio.CancelledError):
                    done.cancel()
                else:
                    done.set_exception(failure)
            if isinstance(failure, asyncio.CancelledError):
                raise failure

    async def _append(self, entries: Sequence[AuditEntry]) -> Head:
        for left in reversed(range(_TRIES)):
            try:
                with translated(writing=True):
                    if self._connection is None:
                        self._connection = await connect_single(self._url)
                    return await append(self._connection, entries, waits=False)
            except BaseException as error:
                await self._disconnect()
                if not left or not isinstance(error, CatalogUnavailable):
                    raise
        raise AssertionError

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
