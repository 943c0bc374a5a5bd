"""What was remembered for somebody is not told again once they may not read it, and never to another."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from kaynak.app import Kaynak
from kaynak.domain import OWNER, AskRequest, SearchRequest
from kaynak.settings import CacheSettings, Settings

pytestmark = pytest.mark.anyio

HUGO, VERA = "hugo@example.org", "vera@example.org"
QUESTION = "How much does the director earn every month?"
OTHERWISE = "Please tell me how much the director does earn every month?"
CACHES = CacheSettings(searches=True, semantic=True, semantic_threshold=0.8)


@pytest.fixture(params=["memory", "redis"])
async def remembering(request, company, tmp_path):
    """The same company, with all its caches on."""
    redis = request.getfixturevalue("redis_server").url if request.param == "redis" else None
    url = company.kaynak.settings.database_url
    settings = Settings(data_dir=company.kaynak.settings.data_dir, database_url=url, redis_url=redis, cache=CACHES)
    async with Kaynak.open(settings) as kaynak:
        yield kaynak


def asked(handbook, question=QUESTION):
    return AskRequest(SearchRequest(question, (handbook,)))


async def told(company, kaynak, handbook, who=HUGO, question=QUESTION):
    """Returns how somebody is answered now: from which cache, and whether they learn the secret."""
    scope = await company.scope(who)
    answer = await kaynak.asker.ask(asked(handbook, question), scope)
    return answer.cached, "moonstones" in f"{answer.text}{answer.hits}{answer.citations}{answer.degraded}"


async def remembered(company, kaynak, handbook):
    assert await told(company, kaynak, handbook) == (None, True)
    assert await told(company, kaynak, handbook) == ("exact", True)
    assert await told(company, kaynak, handbook, question=OTHERWISE) == ("semantic", True)
    scope = await company.scope(HUGO)
    found = await kaynak.searcher.search(asked(handbook).search, scope)
    assert list(found.trace.stages) == ["cache"]


async def forgotten(company, kaynak, handbook):
    for question in (QUESTION, OTHERWISE):
        assert (await told(company, kaynak, handbook, question=question))[1] is False
    found = await kaynak.searcher.search(asked(handbook).search, await company.scope(HUGO))
    assert "moonstones" not in str(found.hits)


async def test_another_list_of_readers_is_another_answer(company, remembering):
    handbook = await company.collection()
    await remembered(company, remembering, handbook)
    document = await company.document(handbook, "salaries.txt")
    await company.kaynak.documents.update(OWNER, document.id, readers=[VERA])
    await company.settled(handbook)
    await forgotten(company, remembering, handbook)
    assert (await told(company, remembering, handbook, VERA))[1] is True


async def test_who_leaves_a_group_leaves_its_answers(company, remembering):
    handbook = await company.collection()
    await company.kaynak.sharing.share(OWNER, handbook, HUGO, "viewer")
    await remembered(company, remembering, handbook)
    members = "kaynak.group_members WHERE user_id = :user"
    async with company.kaynak.catalog.begin() as unit:
        await unit.connection.execute(text(f"DELETE FROM {members}"), {"user": company.ids[HUGO]})
    try:
        await forgotten(company, remembering, handbook)
    finally:
        async with company.kaynak.catalog.begin() as unit:
            values = {"group": company.ids["hr"], "user": company.ids[HUGO]}
            statement = "INSERT INTO kaynak.group_members (group_id, user_id) VALUES (:group, :user)"
            await unit.connection.execute(text(statement), values)


async def test_what_one_person_is_told_is_not_remembered_for_another(company, remembering):
    handbook = await company.collection()
    await remembered(company, remembering, handbook)
    for question in (QUESTION, OTHERWISE):
        cached, learns = await told(company, remembering, handbook, VERA, question)
        assert (cached, learns) == (None, False)
    assert (await told(company, remembering, handbook, None))[0] is None


async def test_what_is_remembered_passes_the_gate_again(company, remembering):
    handbook = await company.collection()
    await remembered(company, remembering, handbook)
    # Nobody changes readers like this; it stands for a key that has forgotten something.
    document = await company.document(handbook, "salaries.txt")
    async with company.kaynak.catalog.begin() as unit:
        statement = "UPDATE kaynak.documents SET readers = CAST(:readers AS uuid[]) WHERE id = :id"
        values = {"readers": [company.ids[VERA]], "id": document.id}
        await unit.connection.execute(text(statement), values)
    await forgotten(company, remembering, handbook)
