from __future__ import annotations

import pytest

from kaynak.domain import EmbedderUnavailable, Verdict
from kaynak.generation.verifying import BuiltInVerifier
from kaynak.testing.fake_embedder import FakeEmbedder

pytestmark = pytest.mark.anyio

LEAVE = (
    "Leave policy\n\nEvery employee has 26 days of annual leave. Leave is requested in the portal before 1 March 2024. "
    "Interns are not entitled to annual leave. Ayşe Demir approves requests of the Ankara office. John Baker approves "
    "requests of the London office. At least 1,500 euros are paid for moving."
)
IZIN = (
    "İzin yönergesi\n\nHer çalışanın yılda 26 gün izin hakkı vardır. İzin talepleri 1 Mart 2024 tarihinden önce "
    "yapılır. Stajyerlere yıllık izin verilmez. Ankara ofisinin taleplerini Ayşe Demir, Londra ofisininkileri John "
    "Baker onaylar. "
    "Taşınma için en az 1.500 avro ödenir."
)


async def judged(sentence, evidence=LEAVE, *, question="", embedder=None):
    fake = embedder or FakeEmbedder()

    async def get():
        return fake

    return await BuiltInVerifier(get).verify(sentence, [evidence], question=question)


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("Every employee has 26 days of annual leave.", LEAVE),
        ("Every employee has twenty-six days of annual leave.", LEAVE),
        ("Annual leave is requested in the portal before March 1, 2024.", LEAVE),
        ("Interns are not entitled to annual leave.", LEAVE),
        ("John Baker approves requests of the London office.", LEAVE),
        ("At least €1500 are paid for moving.", LEAVE),
        ("Her çalışanın yılda yirmi altı gün izin hakkı vardır.", IZIN),
        ("İzin talepleri 01.03.2024 tarihinden önce yapılır.", IZIN),
        ("Stajyerlere yıllık izin verilmez.", IZIN),
        ("Taşınma için en az 1500 avro ödenir.", IZIN),
    ],
)
async def test_what_the_source_says_is_supported(sentence, evidence):
    judgement = await judged(sentence, evidence)
    assert (judgement.verdict, judgement.reasons) == (Verdict.SUPPORTED, ())


@pytest.mark.parametrize(
    ("sentence", "evidence", "words"),
    [
        ("Every employee has 28 days of annual leave.", LEAVE, ["28", "26"]),
        ("Every employee has 26 weeks of annual leave.", LEAVE, ["26"]),
        ("Leave is requested in the portal before 2 March 2024.", LEAVE, ["2 March 2024"]),
        ("Leave is requested in the portal after 1 March 2024.", LEAVE, ["after", "before"]),
        ("Interns are entitled to annual leave.", LEAVE, ["not"]),
        ("Every employee does not have 26 days of annual leave.", LEAVE, ["not"]),
        ("Mehmet Kaya approves requests of the Ankara office.", LEAVE, ["Mehmet Kaya"]),
        ("John Baker approves requests of the Ankara office.", LEAVE, ["John Baker"]),
        ("The kitchen serves soup on Fridays.", LEAVE, []),
        ("Her çalışanın yılda 28 gün izin hakkı vardır.", IZIN, ["28"]),
        ("İzin talepleri 1 Nisan 2024 tarihinden önce yapılır.", IZIN, ["1 Nisan 2024"]),
        ("İzin talepleri 1 Mart 2024 tarihinden sonra yapılır.", IZIN, ["sonra", "önce"]),
        ("Stajyerlere yıllık izin verilir.", IZIN, ["verilmez"]),
        ("Her çalışanın yılda 26 gün izin hakkı yoktur.", IZIN, ["yoktur"]),
    ],
)
async def test_what_was_changed_is_not_and_the_reasons_name_it(sentence, evidence, words):
    judgement = await judged(sentence, evidence)
    assert judgement.verdict is not Verdict.SUPPORTED
    assert judgement.reasons
    said = " ".join(judgement.reasons)
    assert all(word in said for word in words)


async def test_a_few_words_are_read_with_their_question():
    asked = "How many days of annual leave has every employee?"
    assert (await judged("26 days.", question=asked)).verdict is Verdict.SUPPORTED
    assert (await judged("30 days.", question=asked)).verdict is not Verdict.SUPPORTED


async def test_without_a_model_words_must_do():
    async def away():
        raise EmbedderUnavailable("The model sleeps.")

    verifier = BuiltInVerifier(away)
    assert (await verifier.verify("Every employee has 26 days of annual leave.", [LEAVE])).verdict is Verdict.SUPPORTED
    assert (
        await verifier.verify("Every employee has 28 days of annual leave.", [LEAVE])
    ).verdict is not Verdict.SUPPORTED


async def test_evidence_is_embedded_once():
    embedder = FakeEmbedder()

    async def get():
        return embedder

    verifier = BuiltInVerifier(get)
    first = await verifier.verify("Leave is requested in the portal.", [LEAVE])
    calls = len(embedder.calls)
    assert await verifier.verify("Leave is requested in the portal.", [LEAVE]) == first
    assert len(embedder.calls) == calls


@pytest.mark.parametrize("sentence", ["", "…", "!!!", "?", "的", "a" * 5000, "\x00", "١٢٣"])
@pytest.mark.parametrize("evidence", ["", "…", LEAVE, "的的的", "1" * 400])
async def test_whatever_comes_gets_a_verdict(sentence, evidence):
    judgement = await judged(sentence, evidence)
    assert 0 <= judgement.score <= 1
