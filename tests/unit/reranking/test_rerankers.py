from __future__ import annotations

import pytest

from kaynak.domain import Misconfigured, RerankerUnavailable
from kaynak.reranking import RerankerOptions, open_reranker
from kaynak.reranking.protocol import scores_of
from kaynak.testing.services import KEY, ServiceFault, ServiceServer
from kaynak.testing.tiny_classifier import write_tiny_classifier
from kaynak.testing.tiny_model import write_tiny_model

pytestmark = pytest.mark.anyio

PASSAGES = ["the cat sat", "a river is far", "the red dog"]
PASSING = [
    ServiceFault.NAN,
    ServiceFault.NULL,
    ServiceFault.FEW,
    ServiceFault.MANY,
    ServiceFault.NOTHING,
    ServiceFault.CUT,
    ServiceFault.BAD_GATEWAY,
    ServiceFault.OVERLOADED,
    ServiceFault.RATE_LIMITED,
]


@pytest.fixture
def server():
    with ServiceServer() as running:
        yield running


@pytest.fixture
async def opened(server):
    made = []

    async def open_(kind, *, key=KEY, seconds=5.0):
        async def keys(_):
            return key

        options = RerankerOptions(keys, {name: server.url(name) for name in ("cohere", "jina")}, seconds)
        rest = server.url("tei") if kind == "tei" else "some-model"
        made.append(await open_reranker(f"{kind}:{rest}", options))
        return made[-1]

    yield open_
    for one in made:
        await one.close()


KINDS = ["cohere", "jina", "tei"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_asked(server, opened, kind):
    reranker = await opened(kind)
    assert await reranker.rerank("the red cat", PASSAGES) == pytest.approx([2 / 3, 0, 2 / 3])
    (asked,) = server.asked
    assert (asked.query, asked.texts) == ("the red cat", PASSAGES)
    await reranker.rerank("cat", ["\ud83d cut", " "])
    assert server.asked[-1].texts == ["? cut", "-"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", PASSING)
async def test_a_fault_that_passes_is_not_noticed_and_one_that_stays_is(server, opened, kind, fault):
    reranker = await opened(kind)
    server.faults.append(fault)
    assert len(await reranker.rerank("cat", PASSAGES)) == 3
    server.fault = fault
    with pytest.raises(RerankerUnavailable) as caught:
        await reranker.rerank("cat", PASSAGES)
    assert KEY not in str(caught.value)
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "fault", [ServiceFault.UNAUTHORIZED, ServiceFault.NO_SUCH_MODEL, ServiceFault.REFUSED, ServiceFault.PAGE]
)
async def test_what_does_not_pass_is_told_at_once(server, opened, fault):
    reranker = await opened("cohere")
    server.fault = fault
    with pytest.raises(Misconfigured) as caught:
        await reranker.rerank("cat", PASSAGES)
    assert KEY not in f"{caught.value.message} {caught.value.hint}"
    assert len(server.asked) == 1


async def test_patience(server, opened):
    reranker = await opened("jina", seconds=0.1)
    server.fault = ServiceFault.RATE_LIMITED_LONG
    with pytest.raises(RerankerUnavailable) as caught:
        await reranker.rerank("cat", PASSAGES)
    assert caught.value.retry_after == 3600
    assert len(server.asked) == 1
    server.fault = ServiceFault.HANG
    with pytest.raises(RerankerUnavailable, match=r"0\.1 s"):
        await reranker.rerank("cat", PASSAGES)


async def test_without_a_key_nothing_is_sent(server, opened):
    with pytest.raises(Misconfigured, match="no key") as caught:
        await (await opened("cohere", key=None)).rerank("cat", PASSAGES)
    assert "COHERE_API_KEY" in caught.value.hint
    assert not server.requests


async def test_names_that_are_none(tmp_path):
    several = write_tiny_classifier(tmp_path / "several")
    plain = write_tiny_model(tmp_path / "plain")
    for name, says in {
        "": "no re-ranker",
        "magic:x": "no re-ranker",
        "cohere:": "no re-ranker",
        "cross:/nowhere": "not a directory",
        "tei:somewhere": "not an address",
        f"cross:{several}": "it is no re-ranker",
        f"colbert:{plain}": "sparse_linear",
    }.items():
        with pytest.raises(Misconfigured, match=says):
            await open_reranker(name)


@pytest.mark.parametrize("pairs", [[(0, 1.0)], [(0, 1.0), (0, 1.0)], [(0, 1.0), (2, 1.0)], [(0, 1.0), (1, "x")]])
def test_scores_that_belong_to_no_passage(pairs):
    with pytest.raises(RerankerUnavailable):
        scores_of(pairs, 2, "It")
