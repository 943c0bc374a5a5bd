"""Who may change what: what one sees and may not change is refused, what one does not see is not found."""

from __future__ import annotations

import asyncio

import pytest

from kaynak.catalog.grants import Grants
from kaynak.domain import OWNER, CollectionRole
from kaynak.ingestion import Upload

pytestmark = pytest.mark.anyio

ANNA, EMRE, VERA, HUGO, NINA, ROOT, OTTO = (
    f"{name}@example.org" for name in ("anna", "emre", "vera", "hugo", "nina", "root", "otto")
)


def refusals(collection, document):
    return [
        ("POST", f"/v1/collections/{collection}/documents", {"external_id": "a.txt", "text": "b"}),
        ("POST", f"/v1/collections/{collection}/documents/batch", {"documents": [{"external_id": "a", "text": "b"}]}),
        ("PATCH", f"/v1/documents/{document}", {"metadata": {"mine": True}}),
        ("PATCH", f"/v1/documents/{document}", {"readers": None}),
        ("GET", f"/v1/documents/{document}/readers", None),
        ("DELETE", f"/v1/documents/{document}", None),
        ("PATCH", f"/v1/collections/{collection}", {"description": "Mine."}),
        ("PATCH", f"/v1/collections/{collection}", {"answering": {"policy": "drop"}}),
        ("DELETE", f"/v1/collections/{collection}", None),
        ("GET", f"/v1/collections/{collection}/grants", None),
        ("PUT", f"/v1/collections/{collection}/grants/{VERA}", {"role": "owner"}),
        ("DELETE", f"/v1/collections/{collection}/grants/{ANNA}", None),
    ]


async def test_a_viewer_changes_nothing(company, handbook):
    document = (await company.document(handbook, "shared.txt")).id
    before = await company.kaynak.collections.get(OWNER, handbook)
    for method, path, body in refusals(handbook, document):
        answer = await company.call(VERA, method, path, json=body)
        assert answer.status_code == 403, (method, path, answer.text)
        assert answer.json()["type"] == "urn:kaynak:error:forbidden"
    files = {"file": ("a.txt", b"b")}
    answer = await company.call(VERA, "POST", f"/v1/collections/{handbook}/documents", files=files)
    assert answer.status_code == 403
    assert await company.kaynak.collections.get(OWNER, handbook) == before


async def test_an_editor_changes_documents_and_not_the_collection(company):
    handbook = await company.collection()
    document = (await company.document(handbook, "shared.txt")).id
    for method, path, body in refusals(handbook, document)[6:]:
        answer = await company.call(EMRE, method, path, json=body)
        assert answer.status_code == 403, (method, path)
    sent = await company.call(
        EMRE, "POST", f"/v1/collections/{handbook}/documents", json={"external_id": "e", "text": "E."}
    )
    assert sent.status_code == 202
    changed = await company.call(EMRE, "PATCH", f"/v1/documents/{document}", json={"metadata": {"year": 2026}})
    assert changed.json()["metadata"] == {"year": 2026}
    assert (await company.call(EMRE, "DELETE", f"/v1/documents/{document}")).status_code == 204


async def test_what_concerns_the_installation_is_the_administrators(company):
    for method, path, body in (
        ("GET", "/v1/budgets", None),
        ("PUT", "/v1/budgets/installation/day", {"limit": 5}),
        ("DELETE", "/v1/budgets/installation/day", None),
        ("PUT", "/v1/providers/openai/key", {"key": "sk-1234567890"}),
        ("DELETE", "/v1/providers/openai/key", None),
        ("GET", "/v1/providers?check=true", None),
    ):
        for who in (ANNA, VERA, NINA, OTTO):
            answer = await company.call(who, method, path, json=body)
            assert answer.status_code == 403, (method, path, who)
        assert (await company.call(ROOT, method, path, json=body)).status_code < 300, (method, path)
    assert (await company.call(NINA, "GET", "/v1/providers")).status_code == 200
    assert (await company.call(NINA, "GET", "/v1/usage")).status_code == 200


async def test_who_makes_a_collection_owns_it(company):
    made = await company.call(NINA, "POST", "/v1/collections", json={"name": "ninas-own"})
    assert made.status_code == 201, made.text
    grants = (await company.call(NINA, "GET", "/v1/collections/ninas-own/grants")).json()["items"]
    assert [(one["principal"]["name"], one["role"]) for one in grants] == [(NINA, "owner")]
    assert (await company.call(VERA, "GET", "/v1/collections/ninas-own")).status_code == 404
    taken = await company.call(VERA, "POST", "/v1/collections", json={"name": "ninas-own"})
    assert taken.status_code == 409
    refused = await company.call(OTTO, "POST", "/v1/collections", json={"name": "ottos-own"})
    assert refused.status_code == 403
    assert (await company.call(NINA, "DELETE", "/v1/collections/ninas-own")).status_code == 204


async def test_sharing_counts_from_the_next_request(company):
    handbook = await company.collection()
    path = f"/v1/collections/{handbook}"
    for role, status in (("viewer", 403), ("editor", 403), ("owner", 200)):
        given = await company.call(ANNA, "PUT", f"{path}/grants/{NINA}", json={"role": role})
        assert given.json()["role"] == role
        assert (await company.call(NINA, "GET", path)).status_code == 200
        assert (await company.call(NINA, "GET", f"{path}/grants")).status_code == status
    assert (await company.call(ANNA, "DELETE", f"{path}/grants/{NINA}")).status_code == 204
    assert (await company.call(NINA, "GET", path)).status_code == 404
    again = await company.call(ANNA, "DELETE", f"{path}/grants/{NINA}")
    assert again.status_code == 404
    unknown = await company.call(ANNA, "PUT", f"{path}/grants/nobody@example.org", json={"role": "viewer"})
    assert (unknown.status_code, "nobody@example.org" in unknown.text) == (422, True)


async def test_the_last_owner_stays(company):
    handbook = await company.collection()
    path = f"/v1/collections/{handbook}/grants/{ANNA}"
    assert (await company.call(ANNA, "DELETE", path)).status_code == 409
    assert (await company.call(ANNA, "PUT", path, json={"role": "viewer"})).status_code == 409
    assert (await company.call(ANNA, "PUT", path, json={"role": "owner"})).status_code == 200
    assert (await company.call(ROOT, "DELETE", path)).status_code == 204
    assert (await company.call(ANNA, "GET", f"/v1/collections/{handbook}")).status_code == 404


async def test_readers_are_a_change_of_the_document(company):
    handbook = await company.collection()
    shared = await company.document(handbook, "shared.txt")
    before = await company.kaynak.collections.get(OWNER, handbook)
    changed = await company.call(ANNA, "PATCH", f"/v1/documents/{shared.id}", json={"readers": ["hr", VERA]})
    assert changed.json()["revision"] == before.revision + 1
    assert changed.json()["restricted"] is True
    readers = (await company.call(ANNA, "GET", f"/v1/documents/{shared.id}/readers")).json()["readers"]
    assert [(one["kind"], one["name"]) for one in readers] == [("group", "hr"), ("person", VERA)]
    for who, status in ((VERA, 200), (HUGO, 200), (ANNA, 200), (EMRE, 404)):
        assert (await company.call(who, "GET", f"/v1/documents/{shared.id}")).status_code == status
    same = await company.call(ANNA, "PATCH", f"/v1/documents/{shared.id}", json={"readers": [VERA, "hr"]})
    assert same.json()["revision"] == before.revision + 1
    assert (await company.kaynak.collections.get(OWNER, handbook)).restricted == 3
    everybody = await company.call(ANNA, "PATCH", f"/v1/documents/{shared.id}", json={"readers": None})
    assert everybody.json()["restricted"] is False
    assert (await company.call(ANNA, "GET", f"/v1/documents/{shared.id}/readers")).json() == {"readers": None}
    assert (await company.call(EMRE, "GET", f"/v1/documents/{shared.id}")).status_code == 200
    assert (await company.kaynak.collections.get(OWNER, handbook)).restricted == 2
    unknown = await company.call(ANNA, "PATCH", f"/v1/documents/{shared.id}", json={"readers": ["nobody"]})
    assert unknown.status_code == 422
    for name in ("salaries.txt", "board.txt"):
        await company.kaynak.documents.delete(OWNER, (await company.document(handbook, name)).id)
    assert (await company.kaynak.collections.get(OWNER, handbook)).restricted == 0


async def test_an_editor_cannot_lock_themself_out_or_overwrite_what_they_do_not_see(company):
    handbook = await company.collection()
    path = f"/v1/collections/{handbook}/documents"
    shared = await company.document(handbook, "shared.txt")
    for body in ({"readers": []}, {"readers": ["hr"]}):
        assert (await company.call(EMRE, "PATCH", f"/v1/documents/{shared.id}", json=body)).status_code == 422
        sent = await company.call(EMRE, "POST", path, json={"external_id": "x", "text": "X.", **body})
        assert sent.status_code == 422
    board = await company.document(handbook, "board.txt")
    sent = await company.call(EMRE, "POST", path, json={"external_id": "board.txt", "text": "Mine.", "readers": [EMRE]})
    (item,) = sent.json()["items"]
    assert (sent.status_code, item["outcome"], item["error_code"]) == (200, "failed", "id-not-available")
    assert await company.document(handbook, "board.txt") == board
    files = {"file": ("mine.txt", b"My own notes.")}
    sent = await company.call(EMRE, "POST", path, files=files, data={"readers": [EMRE, VERA]})
    assert sent.status_code == 202, sent.text
    mine = await company.document(handbook, "mine.txt")
    names = [one.name for one in await company.kaynak.documents.readers(OWNER, mine.id)]
    assert names == [EMRE, VERA]


async def test_pruning_leaves_what_one_does_not_see(company):
    handbook = await company.collection()
    scope = await company.scope(EMRE)
    upload = Upload("only.txt", "only.txt", b"The only one.")
    done = await company.kaynak.intake.submit(scope, handbook, [upload], prune=True)
    assert done.pruned == 1
    assert (await company.kaynak.collections.get(OWNER, handbook)).restricted == 2
    board = await company.document(handbook, "board.txt")
    assert await company.kaynak.intake.remove(scope, handbook, [board.id]) == 0
    assert await company.document(handbook, "board.txt") == board


async def test_jobs_are_for_those_who_may_write_and_show_what_they_may_read(company):
    handbook = await company.collection()
    both = await company.bring(
        handbook,
        Upload("lists/one.txt", "one.txt", b"One is for all."),
        Upload("lists/two.txt", "two.txt", b"Two is a secret.", readers=()),
    )
    secret = await company.bring(handbook, Upload("lists/three.txt", "three.txt", b"Three.", readers=("hr",)))
    for who in (VERA, HUGO, NINA):
        for job in (both, secret):
            for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/items", f"/v1/jobs/{job}/events"):
                assert (await company.call(who, "GET", path)).status_code == 404
            for what in ("cancel", "requeue"):
                assert (await company.call(who, "POST", f"/v1/jobs/{job}/{what}")).status_code == 404
        assert (await company.call(who, "GET", f"/v1/jobs?collection={handbook}")).json()["items"] == []
    shown = (await company.call(EMRE, "GET", f"/v1/jobs/{both}")).json()
    assert shown["counts"] == {"added": 1}
    assert all((stage["done"], stage["total"]) == (0, 0) for stage in shown["stages"])
    items = (await company.call(EMRE, "GET", f"/v1/jobs/{both}/items")).json()["items"]
    assert [one["external_id"] for one in items] == ["lists/one.txt"]
    events = await company.call(EMRE, "GET", f"/v1/jobs/{both}/events")
    assert '"added":1' in events.text
    assert (await company.call(EMRE, "GET", f"/v1/jobs/{secret}")).status_code == 404
    listed = (await company.call(EMRE, "GET", f"/v1/jobs?collection={handbook}")).json()["items"]
    assert {str(both)} <= {one["id"] for one in listed}
    assert str(secret) not in {one["id"] for one in listed}
    whole = (await company.call(ANNA, "GET", f"/v1/jobs/{both}")).json()
    assert whole["counts"] == {"added": 2}
    # An item outlives its document, and stays as secret as that was.
    one = await company.document(handbook, "lists/one.txt")
    await company.kaynak.documents.update(OWNER, one.id, readers=["hr"])
    await company.kaynak.documents.delete(OWNER, one.id)
    assert (await company.call(EMRE, "GET", f"/v1/jobs/{both}")).status_code == 404


async def test_items_are_paged_by_what_one_sees(company):
    handbook = await company.collection()
    job = await company.bring(
        handbook,
        *(Upload(f"{n}.txt", f"{n}.txt", b"Text %d." % n, readers=None if n % 2 else ()) for n in range(8)),
    )
    await company.kaynak.sharing.share(OWNER, handbook, EMRE, CollectionRole.EDITOR)
    seen, after = [], ""
    while after is not None:
        page = (await company.call(EMRE, "GET", f"/v1/jobs/{job}/items?limit=3{after and f'&after={after}'}")).json()
        seen += [one["external_id"] for one in page["items"]]
        after = page["next"]
    assert seen == ["1.txt", "3.txt", "5.txt", "7.txt"]


async def test_two_owners_who_take_each_other_out_leave_one(company, monkeypatch):
    listed = Grants.list

    async def slow(grants, collection_id):
        found = await listed(grants, collection_id)
        await asyncio.sleep(0.3)
        return found

    monkeypatch.setattr(Grants, "list", slow)
    made = await company.call(NINA, "POST", "/v1/collections", json={"name": "of-two"})
    assert made.status_code == 201
    grants = "/v1/collections/of-two/grants"
    assert (await company.call(NINA, "PUT", f"{grants}/{OTTO}", json={"role": "owner"})).status_code == 200
    done = await asyncio.gather(
        company.call(NINA, "DELETE", f"{grants}/{OTTO}"), company.call(OTTO, "DELETE", f"{grants}/{NINA}")
    )
    assert 204 in {one.status_code for one in done}
    left = await company.kaynak.sharing.list(OWNER, "of-two")
    assert len([one for one in left if one.role is CollectionRole.OWNER]) == 1
