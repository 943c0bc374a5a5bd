"""Runs statements, one step after the other."""

from __future__ import annotations

from typing import Any

from kaynak.testing.arangodb.collections import Collection
from kaynak.testing.arangodb.evaluating import Row, compiled, constant
from kaynak.testing.arangodb.nearness import near_search
from kaynak.testing.arangodb.refusals import Refusal, bad_parameter, unknown_source
from kaynak.testing.arangodb.tree import Counted, For, Keep, Let, Limit, Remove, Return, Sort, Step
from kaynak.testing.arangodb.values import order, truth
from kaynak.testing.arangodb.views import View, attributes_of

Sources = dict[str, Collection | View]


class Run:
    """One statement.

    Args:
        sources: Collections, as they are for whoever asks, and views.
        version: Of the server.
        writing: Collections that may be written; None for all.
    """

    def __init__(self, sources: Sources, version: tuple[int, int, int], writing: set[str] | None = None) -> None:
        self._sources = sources
        self._version = version
        self._writing = writing

    def rows(self, steps: tuple[Step, ...], start: Row | None = None) -> list[Any]:
        """Returns the rows of a statement.

        Raises:
            Refusal: It cannot be run.
        """
        rows: list[Row] = [dict(start or {})]
        place = 0
        while place < len(steps):
            step = steps[place]
            # A vector index answers several steps at once, and which it can is found out before any is run.
            if isinstance(step, For) and isinstance(step.source, str):
                found = self._near(steps, place, rows)
                if found is not None:
                    rows, place = found
                    continue
            if isinstance(step, Return):
                value = compiled(step.value, self.rows)
                return [value(row) for row in rows]
            rows = self._step(step, steps[place + 1 :], rows)
            place += 1
        return []

    def _near(self, steps: tuple[Step, ...], place: int, rows: list[Row]) -> tuple[list[Row], int] | None:
        step = steps[place]
        assert isinstance(step, For)
        source = self._source(step)
        if not isinstance(source, Collection):
            return None
        search = near_search(steps, place, source, self._version)
        if search is None:
            return None
        return [{**row, **one} for row in rows for one in search.run(row)], search.end

    def _step(self, step: Step, rest: tuple[Step, ...], rows: list[Row]) -> list[Row]:
        match step:
            case For():
                return [{**row, step.variable: one} for row in rows for one in self._over(step, rest, row)]
            case Keep(condition):
                holds = compiled(condition, self.rows)
                return [row for row in rows if truth(holds(row))]
            case Let(name, value):
                worth = compiled(value, self.rows)
                return [{**row, name: worth(row)} for row in rows]
            case Sort(by):
                for expression, falls in reversed(by):
                    worth = compiled(expression, self.rows)
                    rows = sorted(rows, key=lambda row: order(worth(row)), reverse=falls)
                return rows
            case Limit(count):
                most = constant(count, {})
                if not isinstance(most, int) or most < 0:
                    raise Refusal(400, 1504, "AQL: LIMIT value is not a number or out of range")
                return rows[:most]
            case Counted(name):
                return [{name: len(rows)}]
            case Remove():
                self._remove(step, rows)
        return rows

    def _over(self, step: For, rest: tuple[Step, ...], row: Row) -> list[Any]:
        source = self._source(step)
        if isinstance(source, View):
            read = attributes_of(step.variable, rest)
            return source.found(step.search, step.options, row, read)
        if step.search is not None:
            raise bad_parameter("SEARCH needs a view")
        if isinstance(step.source, str):
            return list(source.documents.values()) if source is not None else []
        found = compiled(step.source, self.rows)(row)
        if not isinstance(found, list):
            raise Refusal(400, 1563, "AQL: array expected")
        return found

    def _source(self, step: For) -> Collection | View | None:
        if not isinstance(step.source, str):
            return None
        if step.source not in self._sources:
            raise unknown_source(step.source)
        return self._sources[step.source]

    def _remove(self, step: Remove, rows: list[Row]) -> None:
        collection = self._sources.get(step.collection)
        if not isinstance(collection, Collection):
            raise unknown_source(step.collection)
        if self._writing is not None and step.collection not in self._writing:
            raise Refusal(400, 1652, f"unregistered collection used in transaction: {step.collection}")
        worth = compiled(step.what, self.rows)
        for row in rows:
            collection.remove(worth(row)["_key"])
