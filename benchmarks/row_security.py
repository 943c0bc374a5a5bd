"""What PostgreSQL's row-level security would cost the gate: its statement with policies beside it, and without.

    python benchmarks/row_security.py [--chunks 100000] [--rounds 8]

The gate admits 96 candidates, with what a hit shows of them, as a search has it done. A role that owns nothing asks, as
policies do not bind owners and superusers. Who asks stands in settings of the transaction, sent in one go with the
statement; policies read each setting once per statement. Rounds of each way alternate, since policies are changed in
between.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from psycopg import sql

from common import machine, percentile
from kaynak.catalog import Catalog, EmbeddedPostgres
from kaynak.catalog.gate import _STATEMENTS
from permissions import DIMENSIONS, OF_A_DOCUMENT, Drawn, fill, lists, place

TABLES = ("documents", "chunks", "document_versions")
WAYS: dict[str, tuple[bool, tuple[str, ...]]] = {
    "no policy, no transaction (as it is)": (False, ()),
    "no policy, settings in a transaction": (True, ()),
    "policy on documents": (True, TABLES[:1]),
    "policies on documents, chunks, versions": (True, TABLES),
}
CANDIDATES, ASKED = 96, 60


def _setting(name: str) -> str:
    return f"CAST((SELECT nullif(current_setting('kaynak.{name}'), '')) AS uuid[])"


MAY_READ = f"""({_setting("scope")} IS NULL OR collection_id = ANY({_setting("scope")}))
    AND (readers IS NULL OR {_setting("principals")} IS NULL OR readers && {_setting("principals")})"""
OF_ITS_DOCUMENT = "EXISTS (SELECT FROM kaynak.documents own WHERE own.id = document_id)"


def bind(admin: psycopg.Connection[Any], tables: Sequence[str]) -> None:
    """Puts policies on ``tables``, and on no others."""
    for table in TABLES:
        name = sql.Identifier("kaynak", table)
        admin.execute(sql.SQL("DROP POLICY IF EXISTS bound ON {}").format(name))
        switch = sql.SQL("ENABLE" if table in tables else "DISABLE")
        admin.execute(sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(name, switch))
        if table in tables:
            rule = sql.SQL(MAY_READ if table == "documents" else OF_ITS_DOCUMENT)
            admin.execute(sql.SQL("CREATE POLICY bound ON {} FOR SELECT USING ({})").format(name, rule))


class Asking:
    """One connection of a role that policies bind.

    Args:
        url: Of the server.
        collection: The one that is asked.
        chunker: Of its generation.
        ids: Of all its chunks.
    """

    def __init__(self, url: str, collection: UUID, chunker: str, ids: Sequence[int]) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET ROLE kaynak_bound")
        self._values = {"collection_id": collection, "chunker": chunker, "scope": [collection]}
        self._ids = ids

    def admit(self, person: UUID, *, settings: bool) -> tuple[float, int]:
        """Returns milliseconds, and how many candidates passed."""
        some = ",".join(map(str, random.sample(self._ids, CANDIDATES)))
        values = {**self._values, "ids": f"{{{some}}}", "principals": [person]}
        statement = _STATEMENTS[False, True]
        begin = time.perf_counter()
        if not settings:
            with self._connection.cursor(binary=True) as cursor:
                rows = cursor.execute(statement, values, prepare=True).fetchall()
        else:
            with self._connection.pipeline(), self._connection.cursor(binary=True) as cursor:
                self._connection.execute("BEGIN")
                self._connection.execute(
                    "SELECT set_config('kaynak.scope', %s, true), set_config('kaynak.principals', %s, true)",
                    [f"{{{self._values['collection_id']}}}", f"{{{person}}}"],
                    prepare=True,
                )
                cursor.execute(statement, values, prepare=True)
                self._connection.execute("COMMIT")
                rows = cursor.fetchall()
        return (time.perf_counter() - begin) * 1000, len(rows)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def measure(url: str, people: dict[str, UUID], rounds: int) -> None:
    """Measures, and prints a table."""
    admin = psycopg.connect(url, autocommit=True)
    admin.execute("CREATE ROLE kaynak_bound")
    admin.execute("GRANT USAGE ON SCHEMA kaynak TO kaynak_bound")
    admin.execute("GRANT SELECT ON ALL TABLES IN SCHEMA kaynak TO kaynak_bound")
    admin.execute("VACUUM ANALYZE")
    generation = admin.execute("SELECT collection_id, chunker_fingerprint FROM kaynak.generations").fetchone()
    ids = [row[0] for row in admin.execute("SELECT id FROM kaynak.chunks").fetchall()]
    assert generation is not None
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(rounds):
        for way, (settings, tables) in WAYS.items():
            bind(admin, tables)
            asking = Asking(url, *generation, ids)
            for share, person in people.items():
                for number in range(ASKED):
                    taken, _passed = asking.admit(person, settings=settings)
                    if number >= ASKED // 6:
                        spent[way, share].append(taken)
            asking.close()
    print("| way | " + " | ".join(f"{share} pass: p25, p50 ms" for share in people) + " |")
    print("| --- " * (len(people) + 1) + "|")
    for way in WAYS:
        cells = [f"{percentile(spent[way, one], 0.25):.2f}, {percentile(spent[way, one], 0.5):.2f}" for one in people]
        print(f"| {way} | {' | '.join(cells)} |")
    admin.close()


async def prepare(url: str, chunks: int) -> dict[str, UUID]:
    """Fills the catalog, and returns people by what they may read."""
    named, readers = lists(chunks // OF_A_DOCUMENT, 1.0)
    nothing = np.zeros((chunks, DIMENSIONS), dtype=np.float32)
    catalog = await Catalog.open(url)
    try:
        await catalog.migrate()
        await fill(catalog, Drawn(nothing, nothing), chunks, readers)
    finally:
        await catalog.close()
    return {share: named[share] for share in ("1.0%", "10.0%", "100.0%")}


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    with place(None) as folder:
        server = EmbeddedPostgres.start(Path(folder))
        try:
            people = asyncio.run(prepare(server.url, args.chunks))
            print(f"{machine()}; {args.chunks:,} passages, {CANDIDATES} candidates\n")
            measure(server.url, people, args.rounds)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
