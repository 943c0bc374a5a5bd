"""A database: collections and views by name, transactions, jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from kaynak.testing.arangodb.collections import Collection
from kaynak.testing.arangodb.parser import parse
from kaynak.testing.arangodb.refusals import Refusal, bad_parameter, duplicate, known_attributes, unknown_source
from kaynak.testing.arangodb.running import Run
from kaynak.testing.arangodb.vector_index import Document
from kaynak.testing.arangodb.views import Analyzer, View

_COLLECTION = {"name", "waitForSync", "numberOfShards", "replicationFactor", "writeConcern", "isSystem", "type"}
_VIEW = {"name", "type", "links", "storedValues", "commitIntervalMsec", "primarySort", "consolidationIntervalMsec"}
_BEGIN = {"collections", "waitForSync", "lockTimeout", "allowImplicit", "maxTransactionSize", "skipFastLockRound"}
_ANALYZER_TYPES = {"identity": set(), "delimiter": {"delimiter"}}
_FEATURES = {"frequency", "norm", "position", "offset"}


class Transaction:
    """A stream transaction: copies of what it writes, and locks on that.

    Args:
        number: Its id.
        copies: By name.
    """

    def __init__(self, number: str, copies: dict[str, Collection]) -> None:
        self.number = number
        self.copies = copies
        self.status = "running"


class Database:
    """What the server keeps. Thread-safe.

    Args:
        version: Of the server.
        vectors: Whether it was started with vector indexes.
        servers: How many there are for replicas.
    """

    def __init__(self, version: tuple[int, int, int], *, vectors: bool, servers: int) -> None:
        self.version = version
        self.vectors = vectors
        self._servers = servers
        self.lock = threading.RLock()
        self.collections: dict[str, Collection] = {}
        self.views: dict[str, View] = {}
        self.analyzers: dict[str, Analyzer] = {
            "identity": {"type": "identity", "properties": {}, "features": ["frequency", "norm"]}
        }
        self.transactions: dict[str, Transaction] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._numbers = 0

    def number(self) -> str:
        """Returns an id that was not given before."""
        with self.lock:
            self._numbers += 1
            return str(self._numbers)

    # -- collections

    def collection(self, name: str, transaction: Transaction | None = None) -> Collection:
        """Returns a collection, as a transaction sees it.

        Raises:
            Refusal: There is none.
        """
        if transaction is not None and name in transaction.copies:
            return transaction.copies[name]
        if name not in self.collections:
            raise unknown_source(name)
        return self.collections[name]

    def make_collection(self, body: Mapping[str, Any]) -> Document:
        """Makes a collection."""
        name = str(body.get("name", ""))
        known_attributes(body, _COLLECTION)
        if name in self.collections or name in self.views:
            raise duplicate(name)
        replicas = int(body.get("replicationFactor", 1))
        if int(body.get("writeConcern", 1)) > replicas:
            raise bad_parameter("bad value for writeConcern")
        if replicas > self._servers:
            raise Refusal(500, 1487, "number of DB-Servers is less than the replicationFactor")
        self.collections[name] = Collection(name, body)
        self._locks[name] = threading.Lock()
        return {"name": name, "id": self.number(), "status": 3, "type": 2}

    def drop_collection(self, name: str) -> None:
        """Removes a collection."""
        self.collection(name)
        del self.collections[name]
        for view in [one for one in self.views.values() if one.linked == name]:
            del self.views[view.name]

    def put(self, name: str, documents: list[Any], mode: str, transaction: Transaction | None) -> list[Document]:
        """Stores documents; what one of them lacks is no error of the others."""
        answers: list[Document] = []

        def work(collection: Collection) -> None:
            for document in documents:
                try:
                    collection.put(document, mode)
                except Refusal as refusal:
                    answers.append({"error": True, "errorNum": refusal.number, "errorMessage": refusal.message})
                else:
                    answers.append({"_key": document["_key"], "_id": f"{name}/{document['_key']}"})

        self._write(name, transaction, work)
        return answers

    def _write(self, name: str, transaction: Transaction | None, work: Callable[[Collection], None]) -> None:
        if transaction is not None:
            if name not in transaction.copies:
                raise Refusal(400, 1652, f"unregistered collection used in transaction: {name}")
            with self.lock:
                work(transaction.copies[name])
            return
        self.collection(name)
        with self._locks[name], self.lock:
            copy = self.collection(name).copy()
            work(copy)
            self.collections[name].become(copy)

    # -- statements

    def query(self, text: str, binds: Mapping[str, Any], transaction: Transaction | None) -> list[Any]:
        """Returns the rows of a statement."""
        steps = parse(text, binds)
        writes = {step.collection for step in steps if type(step).__name__ == "Remove"}  # type: ignore[union-attr]
        rows: list[Any] = []

        def run(copies: Mapping[str, Collection], writing: set[str] | None) -> list[Any]:
            return Run({**self.collections, **self.views, **copies}, self.version, writing).rows(steps)

        if transaction is not None:
            with self.lock:
                return run(transaction.copies, set(transaction.copies))
        if not writes:
            with self.lock:
                return run({}, None)
        for name in writes:
            self._write(name, None, lambda collection, name=name: rows.extend(run({name: collection}, None)))  # type: ignore[misc]
        return rows

    # -- transactions

    def begin(self, body: Mapping[str, Any]) -> Transaction:
        """Begins a transaction; waits for those that have what it wants."""
        if set(body) - _BEGIN or not isinstance(body.get("collections"), dict):
            raise bad_parameter("malformed transaction")
        wanted = body["collections"]
        names: list[str] = []
        for kind in ("write", "exclusive"):
            several = wanted.get(kind, [])
            names += [several] if isinstance(several, str) else several
        for name in sorted(names):
            with self.lock:
                self.collection(name)
                lock = self._locks[name]
            if not lock.acquire(timeout=float(body.get("lockTimeout", 900))):
                raise Refusal(409, 18, "timeout waiting to lock key")
        with self.lock:
            made = Transaction(self.number(), {name: self.collection(name).copy() for name in names})
            self.transactions[made.number] = made
            return made

    def transaction(self, number: str) -> Transaction:
        """Returns a transaction that runs.

        Raises:
            Refusal: There is none.
        """
        found = self.transactions.get(number)
        if found is None or found.status != "running":
            raise Refusal(404, 1655, f"transaction '{number}' not found")
        return found

    def finish(self, number: str, *, commit: bool) -> Document:
        """Ends a transaction."""
        with self.lock:
            found = self.transaction(number)
            found.status = "committed" if commit else "aborted"
            for name, copy in found.copies.items():
                if commit and name in self.collections:
                    self.collections[name].become(copy)
                self._locks[name].release()
            return {"id": number, "status": found.status}

    # -- views

    def make_analyzer(self, body: Mapping[str, Any]) -> Document:
        """Makes an analyzer; one that is the same may be made again."""
        name, kind = str(body.get("name", "")), body.get("type")
        properties, features = body.get("properties", {}), body.get("features", [])
        if kind not in _ANALYZER_TYPES or set(properties) != _ANALYZER_TYPES[kind] or set(features) - _FEATURES:
            raise bad_parameter("invalid analyzer definition")
        made = {"type": kind, "properties": properties, "features": features}
        if self.analyzers.setdefault(name, made) != made:
            raise bad_parameter(f"analyzer '{name}' exists with other properties")
        return {"name": name, **made}

    def make_view(self, body: Mapping[str, Any]) -> Document:
        """Makes a view."""
        name = str(body.get("name", ""))
        if set(body) - _VIEW or body.get("type") != "arangosearch":
            raise bad_parameter("malformed view")
        if name in self.collections or name in self.views:
            raise duplicate(name)
        for linked in body.get("links", {}):
            self.collection(linked)
        self.views[name] = View(name, body, self.collections, self.analyzers)
        return dict(body)

    def view(self, name: str) -> View:
        """Returns a view.

        Raises:
            Refusal: There is none.
        """
        if name not in self.views:
            raise unknown_source(name)
        return self.views[name]
