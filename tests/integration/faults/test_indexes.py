"""Indexes are derived: whatever happens to one, searches say so or answer, and it comes back by itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kaynak.domain import OWNER


def whole_again(service: Any, collection: str) -> None:
    """Waits until both sides answer as before; every answer until then is one that was declared."""
    until = time.monotonic() + 60
    while True:
        answers = [
            service.ask(
                "POST",
                "/v1/search",
                json={"query": "steps of the lighthouse", "collections": [collection], "mode": mode},
            )
            for mode in ("dense", "lexical", "hybrid")
        ]
        assert {answer.status_code for answer in answers} <= {200, 503}
        good = [answer.status_code == 200 and not answer.json()["degraded"] for answer in answers]
        hits = [answer.json()["hits"] if answer.status_code == 200 else [] for answer in answers]
        if all(good) and all(found and found[0]["external_id"] == "anchor.txt" for found in hits):
            return
        assert time.monotonic() < until, [answer.text for answer in answers]
        time.sleep(0.1)


def lexical_index(service: Any, collection: str) -> Path:
    generation = service.run(service.kaynak.collections.get(OWNER, collection)).generation
    return service.settings.data_dir / "indexes" / "tantivy" / generation.key


def deleted(index: Path) -> None:
    shutil.rmtree(index)


def emptied(index: Path) -> None:
    for file in index.iterdir():
        file.unlink()


def all_deleted(index: Path) -> None:
    shutil.rmtree(index.parent.parent)


def replaced_by_a_file(index: Path) -> None:
    shutil.rmtree(index)
    index.write_bytes(b"not a directory")


def replaced_records(index: Path) -> None:
    (index / "meta.json").unlink()
    (index / "meta.json").write_bytes(b'{"segments": [')


def replaced_terms(index: Path) -> None:
    # A new file under the old name: what is mapped stays whole, what is opened next is garbage.
    for file in [*index.glob("*.term"), *index.glob("*.idx")]:
        size = file.stat().st_size
        file.unlink()
        file.write_bytes(b"\xa5" * size)
    (index / "meta.json").touch()


@pytest.mark.parametrize(
    "damage", [deleted, emptied, all_deleted, replaced_by_a_file, replaced_records, replaced_terms]
)
def test_a_lexical_index_that_is_lost_or_damaged_comes_back(service, damage: Callable[[Path], None]) -> None:
    name = service.collection()
    index = lexical_index(service, name)
    assert index.is_dir()
    damage(index)
    whole_again(service, name)
    assert index.is_dir()
    service.works(name)


def test_a_dense_index_that_is_lost_comes_back(service) -> None:
    name = service.collection()
    key = service.run(service.kaynak.collections.get(OWNER, name)).generation.key
    url = service.settings.database_url.get_secret_value()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP TABLE kaynak_index."{key}"')
    whole_again(service, name)
    service.works(name)


def test_an_upload_into_a_lost_index_is_searchable_when_its_job_has_ended(service) -> None:
    name = service.collection()
    shutil.rmtree(lexical_index(service, name))
    assert service.send(name, {"new.txt": b"The cormorant audits the warehouse."})["new.txt"]["outcome"] == "added"
    hits = service.found(name, "cormorant", mode="lexical")
    assert [hit["external_id"] for hit in hits] == ["new.txt"]
    assert service.found(name, "lighthouse", mode="lexical")[0]["external_id"] == "anchor.txt"
    service.works(name)
