from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding import EmbedderPool, Retrying
from kaynak.embedding.hosted.counting import EstimatingCounter
from kaynak.embedding.hosted.embedder import plan
from kaynak.embedding.hosted.opening import open_hosted
from kaynak.embedding.hosted.options import parse_name
from kaynak.embedding.hosted.wires import Limits
from kaynak.remote.exchange import Exchange
from kaynak.retrieval.spelling import pieces_per_word
from kaynak.testing.models.listing import vector_of
from kaynak.testing.services import KEY, ServiceFault, ServiceServer, hosted_options

pytestmark = pytest.mark.anyio

SMALL = "openai:text-embedding-3-small"
PASSING = [
    ServiceFault.NAN,
    ServiceFault.NULL,
    ServiceFault.ZERO,
    ServiceFault.RAGGED,
    ServiceFault.FEW,
    ServiceFault.MANY,
    ServiceFault.NOTHING,
    ServiceFault.CUT,
    ServiceFault.BAD_GATEWAY,
    ServiceFault.OVERLOADED,
    ServiceFault.RATE_LIMITED,
]
LASTING = [
    ServiceFault.WRONG_SIZE,
    ServiceFault.PAGE,
    ServiceFault.UNAUTHORIZED,
    ServiceFault.NO_SUCH_MODEL,
    ServiceFault.REFUSED,
]
NAMES = [SMALL, "gemini:gemini-embedding-001", "ollama:test-model", "tei:test-model", "huggingface:org/model"]


@pytest.fixture
def server():
    with ServiceServer() as running:
        yield running


@contextlib.asynccontextmanager
async def pool_of(options):
    pool = EmbedderPool(hosted=options)
    try:
        yield pool
    finally:
        await pool.close()


@pytest.fixture
async def pool(server):
    async with pool_of(hosted_options(server)) as opened:
        yield opened


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", PASSING)
async def test_a_fault_that_passes_is_not_noticed(server, pool, name, fault):
    embedder = await pool.get(name)
    server.faults.append(fault)
    vectors = await embedder.embed(["a stone", "the cat"], "document")
    assert vectors[1] @ vector_of("the cat", 64) > 0.999
    assert len(server.asked) == 3  # the probe, the failure, the answer


@pytest.mark.parametrize("fault", [one for one in PASSING if one is not ServiceFault.RATE_LIMITED])
async def test_a_fault_that_stays_is_told_and_gives_no_vector(server, pool, fault):
    embedder = await pool.get(SMALL)
    server.fault = fault
    with pytest.raises(EmbedderUnavailable) as caught:
        await embedder.embed(["the cat", "the dog"], "document")
    assert caught.value.transient
    assert KEY not in str(caught.value)
    assert len(server.asked) == 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", LASTING)
async def test_what_does_not_pass_is_told_at_once(server, pool, name, fault):
    embedder = await pool.get(name)
    server.fault = fault
    with capture_logs() as logs, pytest.raises(Misconfigured) as caught:
        await embedder.embed(["the cat"], "query")
    assert len(server.asked) == 2
    assert KEY not in f"{caught.value.message} {caught.value.hint} {logs}"
    assert caught.value.hint


@pytest.mark.parametrize("fault", LASTING[1:])
async def test_a_model_that_cannot_be_had_is_told_when_it_is_opened(server, pool, fault):
    server.fault = fault
    with pytest.raises(Misconfigured):
        await pool.get(SMALL)


async def test_other_dimensions_than_asked_for_are_refused(server, pool):
    server.faults.append(ServiceFault.WRONG_SIZE)
    with pytest.raises(Misconfigured, match="33 dimensions in place of 32"):
        await pool.get(SMALL + "@32")
    assert (await pool.get(SMALL + "@32")).dimensions == 32


async def test_a_provider_that_wants_much_patience_is_not_waited_for(server, pool):
    embedder = await pool.get(SMALL)
    for fault in (ServiceFault.RATE_LIMITED_LONG, ServiceFault.NO_CREDIT):
        server.faults.append(fault)
        with pytest.raises(EmbedderUnavailable) as caught:
            await embedder.embed([f"the cat {fault}"], "document")
        assert caught.value.retry_after >= 60


async def test_a_provider_that_hangs_holds_up_one_query_and_no_other(server):
    async with pool_of(hosted_options(server, seconds=0.2)) as pool:
        embedder = await pool.get(SMALL)
        server.fault = ServiceFault.HANG
        with pytest.raises(EmbedderUnavailable, match=r"0\.2 s"):
            await embedder.embed(["the cat"], "query")
        asked = len(server.asked)
        assert asked <= 4
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed(["the dog"], "query")
        assert len(server.asked) == asked
        server.fault = None
        assert (await embedder.embed(["the dog"], "document")).shape == (1, 64)  # documents have time
        assert (await embedder.embed(["the dog"], "query")).shape == (1, 64)  # it is back


async def test_a_query_that_took_its_time_is_not_tried_again(server):
    options = replace(hosted_options(server), query_seconds=0.3)
    exchange = Exchange()
    opening = open_hosted(parse_name(SMALL, options), options, exchange, KEY)
    embedder, maker = await exchange.run(opening, EmbedderUnavailable)
    assert maker == "text-embedding-3-small"
    server.fault = ServiceFault.HANG
    patient = Retrying(embedder, query_seconds=0.2)
    with pytest.raises(EmbedderUnavailable):
        await patient.embed(["the cat"], "query")
    assert len(server.asked) == 2
    await exchange.close()


async def test_a_provider_that_is_away_is_away(server, pool):
    with ServiceServer() as other:
        options = hosted_options(other)
    async with pool_of(options) as away:
        for _ in range(2):
            with pytest.raises(EmbedderUnavailable, match="cannot be reached"):
                await away.get(SMALL)


async def test_what_was_cut_off_by_closing_is_away(server):
    pool = EmbedderPool(hosted=hosted_options(server))
    embedder = await pool.get(SMALL)
    server.fault = ServiceFault.HANG
    waiting = asyncio.create_task(embedder.embed(["the cat"], "document"))
    while len(server.asked) < 2:
        await asyncio.sleep(0.01)
    await pool.close()
    with pytest.raises(EmbedderUnavailable):
        await waiting
    with pytest.raises(EmbedderUnavailable):
        await pool.get(SMALL)


async def test_who_leaves_ends_the_request(server, pool):
    embedder = await pool.get(SMALL)
    server.faults.append(ServiceFault.HANG)
    leaving = asyncio.create_task(embedder.embed(["the cat"], "document"))
    while len(server.asked) < 2:
        await asyncio.sleep(0.01)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await embedder.embed(["the cat"], "document")).shape == (1, 64)


async def test_texts_that_are_too_long_by_the_count_of_the_provider_are_cut_further(server, pool):
    server.words = 50
    embedder = await pool.get("openai:another-model")
    long = "cat " * 400
    together = await embedder.embed(["the dog", long, "a stone"], "document")
    (alone,) = await embedder.embed([long], "document")
    assert np.allclose(together[1], alone)
    assert together[0] @ vector_of("the dog", 64) > 0.999
    server.words = 3
    with pytest.raises(Misconfigured):
        await embedder.embed([long], "document")


async def test_many_texts_go_in_several_requests_and_come_back_in_order(server, pool):
    texts = [f"cat {number}" for number in range(700)]
    for name, most in ((SMALL, 256), ("gemini:gemini-embedding-001", 100), ("tei:test-model", 32)):
        server.requests.clear()
        vectors = await (await pool.get(name)).embed(texts, "document")
        assert np.allclose(vectors, [vector_of(text, 64) for text in texts], atol=1e-5)
        assert max(len(one.texts) for one in server.asked) == most


async def test_kinds_are_told_as_each_model_wants(server, pool):
    gemini = await pool.get("gemini:gemini-embedding-001")
    await gemini.embed(["cats"], "query")
    await gemini.embed(["cats"], "document")
    assert [one.kind for one in server.asked] == ["document", "query", "document"]
    server.requests.clear()
    second = await pool.get("gemini:gemini-embedding-2")
    await second.embed(["cats"], "query")
    assert server.asked[-1].texts == ["task: search result | query: cats"]
    prompts = {"tei:test-model": {"query": "query: ", "document": "passage: "}}
    async with pool_of(hosted_options(server, prompts=prompts)) as prompted:
        await (await prompted.get("tei:test-model")).embed(["cats"], "document")
    assert server.asked[-1].texts == ["passage: cats"]


async def test_a_model_is_the_same_wherever_it_runs(server, pool):
    async def fingerprint(name, options=None):
        async with pool_of(options or hosted_options(server)) as opened:
            return (await opened.get(name)).fingerprint

    same = {await fingerprint(name) for name in (SMALL, "azure:any", "openrouter:openai/text-embedding-3-small")}
    assert len(same) == 1
    with ServiceServer() as other:
        same.add(await fingerprint(SMALL, hosted_options(other)))
        assert len(same) == 1
    others = {
        await fingerprint("openai:text-embedding-3-large"),
        await fingerprint(SMALL + "@32"),
        await fingerprint("openai:default"),
        await fingerprint("openrouter:default"),  # two servers may call different models so
        await fingerprint(SMALL, hosted_options(server, prompts={SMALL: {"query": "query: "}})),
        *same,
    }
    assert len(others) == 6


@pytest.mark.parametrize("name", ["ollama:test-model", "tei:test-model"])
async def test_another_version_under_the_same_name_is_another_model(server, name):
    found = set()
    for digest in ("sha256:1", "sha256:2"):
        server.digest = digest
        async with pool_of(hosted_options(server)) as pool:
            found.add((await pool.get(name)).fingerprint)
    assert len(found) == 2


async def test_what_a_server_tells_is_heeded(server, pool):
    assert (await pool.get("ollama:test-model")).max_tokens == 2040
    assert (await pool.get("tei:test-model")).max_tokens == 504
    assert (await pool.get(SMALL)).max_tokens == 8191
    assert (await pool.get("openai:another")).max_tokens == 512
    with pytest.raises(Misconfigured, match="no such model"):
        await pool.get("ollama:other")
    with pytest.raises(Misconfigured, match="has other") as caught:
        await pool.get("tei:other")
    assert "test-model" in caught.value.hint


async def test_names_that_cannot_be(server, pool):
    for name in ("openai:", "openai:a b", "openai:../x", "huggingface:org/model@12"):
        with pytest.raises(Misconfigured):
            await pool.get(name)
    with pytest.raises(Misconfigured, match="neither"):
        await pool.get("opnai:text-embedding-3-small")


async def test_without_key_or_address_nothing_is_sent(server):
    async with pool_of(hosted_options(server, key=None)) as pool:
        with pytest.raises(Misconfigured, match="no key") as caught:
            await pool.get(SMALL)
        assert "A_KEY" in caught.value.hint
    options = hosted_options(server)
    provider = options.providers["azure"]
    bare = replace(provider, service=replace(provider.service, url=""))
    async with pool_of(replace(options, providers={"azure": bare})) as pool:
        with pytest.raises(Misconfigured, match="no address"):
            await pool.get("azure:x")
    assert not server.requests


async def test_a_model_is_opened_once(server, pool):
    found = await asyncio.gather(*(pool.get(SMALL) for _ in range(8)))
    assert len({id(one) for one in found}) == 1
    assert len(server.asked) == 1


async def test_prices(server, pool):
    assert await pool.price_of(SMALL) == 0.02
    assert await pool.price_of("openrouter:openai/text-embedding-3-large@256") == 0.13
    assert await pool.price_of("gemini:gemini-embedding-001") == 0.15
    assert await pool.price_of("azure:our-deployment") is None
    await pool.get("azure:our-deployment")
    assert await pool.price_of("azure:our-deployment") == 0.02
    assert await pool.price_of("minilm") == await pool.price_of("tei:x") == await pool.price_of("ollama:x") == 0
    assert await pool.price_of("openai:unheard-of") is None


async def test_odd_texts_are_sent(server, pool):
    vectors = await (await pool.get(SMALL)).embed(["\ud83d cut", "", " \n", "nul\0"], "document")
    assert vectors.shape == (4, 64)
    assert server.asked[-1].texts[:3] == ["? cut", "-", "-"]


async def test_no_client_is_loaded_before_it_is_needed():
    pool = EmbedderPool()
    assert pool._exchange is None
    await pool.close()


counter = EstimatingCounter()


@given(st.text(max_size=300), st.integers(1, 50))
def test_counting(text, most):
    offsets = counter.offsets(text)
    assert counter.count(text) == len(offsets) == len(counter.starts(text))
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(offsets))
    visible = sum(not char.isspace() for char in text)
    assert visible / 6 <= len(offsets) <= visible or visible == 0
    cut = counter.cut(text, most)
    assert text.startswith(cut)
    assert counter.count(cut) == min(most, len(offsets))


def test_an_estimate_says_nothing_about_languages():
    assert pieces_per_word("kitaplarımızdan okuduk", counter) == 0


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 10), st.integers(1, 100))
def test_parts_keep_the_order_and_the_limits(sizes, texts, tokens):
    words = ["cat " * size for size in sizes]
    parts = list(plan(words, Limits(texts, tokens, 1), counter.count))
    assert [word for part in parts for word in words[part]] == words
    for part in parts:
        chosen = sizes[part]
        assert 1 <= len(chosen) <= texts
        assert len(chosen) == 1 or sum(chosen) <= tokens
