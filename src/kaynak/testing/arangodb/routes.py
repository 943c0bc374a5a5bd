"""The part of the HTTP API that there is; whatever else is asked for is not found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kaynak.testing.arangodb.database import Database, Transaction
from kaynak.testing.arangodb.refusals import Refusal, bad_parameter

_PAGE = 1000
_CURSOR = {"query", "bindVars", "batchSize", "count", "cache", "memoryLimit", "ttl", "options"}
_OPTIONS = {"maxRuntime", "failOnWarning", "fullCount", "maxDNFConditionMembers"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: parts of its path that its route names, parameters, and body."""

    parts: tuple[str, ...]
    params: Mapping[str, str]
    body: Any
    transaction: Transaction | None = None


Answer = tuple[int, Any]
Route = Callable[[Asked], Answer]


@dataclass
class Routes:
    """Answers requests about one database."""

    database: Database
    cursors: dict[str, tuple[list[Any], int]] = field(default_factory=dict)

    def find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
        """Returns the route for a path, and the parts of the path that it names.

        Raises:
            Refusal: There is none.
        """
        for known, pattern, name in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and known == method:
                route: Route = getattr(self, f"_{name}")
                return route, match.groups()
        raise Refusal(404, 404, f"unknown path '{path}'")

    def _version(self, asked: Asked) -> Answer:
        version = ".".join(str(one) for one in self.database.version)
        return 200, {"server": "arango", "license": "community", "version": version}

    def _make_collection(self, asked: Asked) -> Answer:
        return 200, self.database.make_collection(asked.body)

    def _drop_collection(self, asked: Asked) -> Answer:
        self.database.drop_collection(asked.parts[0])
        return 200, {"id": asked.parts[0]}

    def _make_index(self, asked: Asked) -> Answer:
        database = self.database
        made = database.collection(asked.params["collection"]).add_index(
            asked.body, database.version, enabled=database.vectors
        )
        return (201 if made["isNewlyCreated"] else 200), made

    def _indexes(self, asked: Asked) -> Answer:
        found = self.database.collection(asked.params["collection"]).described(self.database.version)
        return 200, {"indexes": found}

    def _drop_index(self, asked: Asked) -> Answer:
        name, number = asked.parts
        self.database.collection(name).drop_index(number)
        return 200, {"id": f"{name}/{number}"}

    def _document(self, asked: Asked) -> Answer:
        name, key = asked.parts
        found = self.database.collection(name, asked.transaction).documents.get(key)
        if found is None:
            raise Refusal(404, 1202, "document not found")
        return 200, {**found, "_rev": "_1"}

    def _store(self, asked: Asked) -> Answer:
        mode = asked.params.get("overwriteMode", "conflict")
        if mode not in {"ignore", "replace", "update", "conflict"}:
            raise bad_parameter("invalid overwriteMode")
        several = asked.body if isinstance(asked.body, list) else [asked.body]
        answers = self.database.put(asked.parts[0], several, mode, asked.transaction)
        failed = [one for one in answers if one.get("error")]
        if not isinstance(asked.body, list):
            if failed:
                raise Refusal(400, failed[0]["errorNum"], failed[0]["errorMessage"])
            return 201, answers[0]
        if asked.params.get("silent") == "1":
            return 201, failed or {}
        return 201, answers

    def _query(self, asked: Asked) -> Answer:
        body = asked.body
        if set(body) - _CURSOR or set(body.get("options", {})) - _OPTIONS:
            raise bad_parameter("unknown attributes of a query")
        rows = self.database.query(body["query"], body.get("bindVars", {}), asked.transaction)
        size = int(body.get("batchSize", _PAGE))
        if len(rows) <= size:
            return 201, {"result": rows, "hasMore": False}
        number = self.database.number()
        self.cursors[number] = rows[size:], size
        return 201, {"result": rows[:size], "hasMore": True, "id": number}

    def _more(self, asked: Asked) -> Answer:
        number = asked.parts[0]
        if number not in self.cursors:
            raise Refusal(404, 1600, "cursor not found")
        rows, size = self.cursors.pop(number)
        if len(rows) <= size:
            return 200, {"result": rows, "hasMore": False}
        self.cursors[number] = rows[size:], size
        return 200, {"result": rows[:size], "hasMore": True, "id": number}

    def _begin(self, asked: Asked) -> Answer:
        made = self.database.begin(asked.body)
        return 201, {"result": {"id": made.number, "status": made.status}}

    def _commit(self, asked: Asked) -> Answer:
        return 200, {"result": self.database.finish(asked.parts[0], commit=True)}

    def _abort(self, asked: Asked) -> Answer:
        return 200, {"result": self.database.finish(asked.parts[0], commit=False)}

    def _make_analyzer(self, asked: Asked) -> Answer:
        return 200, self.database.make_analyzer(asked.body)

    def _make_view(self, asked: Asked) -> Answer:
        return 201, self.database.make_view(asked.body)

    def _view(self, asked: Asked) -> Answer:
        return 200, {"name": self.database.view(asked.parts[0]).name, "type": "arangosearch"}

    def _drop_view(self, asked: Asked) -> Answer:
        del self.database.views[self.database.view(asked.parts[0]).name]
        return 200, {"result": True}


_ROUTES = (
    ("GET", "/_api/version", "version"),
    ("POST", "/_api/collection", "make_collection"),
    ("DELETE", "/_api/collection/([^/]+)", "drop_collection"),
    ("POST", "/_api/index", "make_index"),
    ("GET", "/_api/index", "indexes"),
    ("DELETE", "/_api/index/([^/]+)/([^/]+)", "drop_index"),
    ("GET", "/_api/document/([^/]+)/([^/]+)", "document"),
    ("POST", "/_api/document/([^/]+)", "store"),
    ("POST", "/_api/cursor", "query"),
    ("POST", "/_api/cursor/([^/]+)", "more"),
    ("POST", "/_api/transaction/begin", "begin"),
    ("PUT", "/_api/transaction/([^/]+)", "commit"),
    ("DELETE", "/_api/transaction/([^/]+)", "abort"),
    ("POST", "/_api/analyzer", "make_analyzer"),
    ("POST", "/_api/view", "make_view"),
    ("GET", "/_api/view/([^/]+)", "view"),
    ("DELETE", "/_api/view/([^/]+)", "drop_view"),
)
