"""Answers that are kept are shown for as long as all that they were written from may be read."""

from __future__ import annotations

import pytest

from kaynak.domain import OWNER

pytestmark = pytest.mark.anyio

HUGO, VERA = "hugo@example.org", "vera@example.org"
QUESTION = "How much does the director earn every month?"


async def talk(company, handbook):
    made = await company.call(HUGO, "POST", "/v1/conversations", json={"collections": [handbook]})
    path = f"/v1/conversations/{made.json()['id']}"
    asked = await company.call(HUGO, "POST", f"{path}/messages", json={"question": QUESTION})
    assert "moonstones" in asked.json()["content"]
    return path, asked.json()["id"]


async def restrict(company, handbook, readers):
    document = await company.document(handbook, "salaries.txt")
    await company.kaynak.documents.update(OWNER, document.id, readers=readers)


async def test_a_kept_answer_is_withheld_on_every_path_and_comes_back(company):
    handbook = await company.collection()
    path, message = await talk(company, handbook)
    paths = [
        f"{path}/messages",
        f"{path}/messages/{message}",
        f"{path}/export?format=markdown",
        f"{path}/export?format=json",
    ]
    search = "/v1/conversations/search?q=moonstones"
    for one in [*paths, search]:
        assert "moonstones" in (await company.call(HUGO, "GET", one)).text, one
    await restrict(company, handbook, [VERA])
    for one in [*paths, search]:
        answer = await company.call(HUGO, "GET", one)
        assert answer.status_code == 200, one
        assert "moonstones" not in answer.text, one
        assert "salaries" not in answer.text, one
    shown = (await company.call(HUGO, "GET", f"{path}/messages/{message}")).json()
    assert (shown["withheld"], shown["content"], shown["answer"], shown["asked"]) == (True, "", None, None)
    assert (await company.call(HUGO, "GET", search)).json()["items"] == []
    await restrict(company, handbook, ["hr"])
    assert "moonstones" in (await company.call(HUGO, "GET", f"{path}/messages")).text


async def test_without_the_collection_nothing_of_it_is_told(company):
    handbook = await company.collection()
    path, _ = await talk(company, handbook)
    await company.kaynak.sharing.unshare(OWNER, handbook, "hr")
    assert "moonstones" not in (await company.call(HUGO, "GET", f"{path}/messages")).text
    again = await company.call(HUGO, "POST", f"{path}/messages", json={"question": "Why?"})
    assert again.status_code == 404


async def test_what_rests_on_a_deleted_document_goes_with_it_but_for_who_reads_everything(company):
    handbook = await company.collection()
    path, _ = await talk(company, handbook)
    own = await company.kaynak.conversations.create(OWNER, [handbook])
    async for _ in company.kaynak.turns.ask(OWNER, own.id, QUESTION):
        pass
    document = await company.document(handbook, "salaries.txt")
    await company.kaynak.documents.delete(OWNER, document.id)
    assert "moonstones" not in (await company.call(HUGO, "GET", f"{path}/messages")).text
    kept = await company.kaynak.conversations.messages(OWNER, own.id)
    assert "moonstones" in kept[-1].content


async def test_a_withheld_answer_is_no_part_of_what_follows(company):
    handbook = await company.collection()
    path, message = await talk(company, handbook)
    await restrict(company, handbook, [VERA])
    body = {"question": "And when is lunch served in the canteen?"}
    following = await company.call(HUGO, "POST", f"{path}/messages", json=body)
    assert following.status_code == 201, following.text
    assert "moonstones" not in following.text
    # What rests on an answer is withheld with it.
    await restrict(company, handbook, ["hr"])
    later = await company.call(HUGO, "POST", f"{path}/messages", json={"question": "And on which floor is lunch?"})
    await restrict(company, handbook, [VERA])
    shown = await company.call(HUGO, "GET", f"{path}/messages/{later.json()['id']}")
    assert shown.json()["withheld"] is True
    assert message != later.json()["id"]
