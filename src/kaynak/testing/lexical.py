# ruff: noqa: D102 - the names of tests are sentences
"""What every lexical engine must do. A backend passes by subclassing `LexicalEngineSuite`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from kaynak.domain import Filter, InvalidRequest, Json, Unsupported, parse_filter
from kaynak.engines import Entry, LexicalCandidates, LexicalEngine, LexicalSpec
from kaynak.testing.engines import NAME, EngineSuite, Found, document
from kaynak.testing.weighted import WeightsSuite

SPEC = LexicalSpec(NAME)

# (language, text, queries that must find it and nothing else)
SPEECH: tuple[tuple[str | None, str, tuple[str, ...]], ...] = (
    (
        "en",
        "The running foxes don't wait: the company's e-mail went to John O'Neill.",
        ("fox", "runs", "FOXES RUN", "company", "email", "e-mail", "oneill", "O’Neill"),
    ),
    (
        "tr",
        "İstanbul'un IŞIKLARI ve kitapçılardaki kitapların sayısı; Ankara’nın müşterileri.",
        ("istanbul", "İSTANBUL", "ışık", "IŞIK", "isik", "kitaplar", "ankara", "müşteri", "musteri", "MÜŞTERİLER"),
    ),
    (
        "de",
        "Die Straßenbahnen fahren über schöne Brücken.",
        ("strassenbahn", "STRASSENBAHNEN", "Straßenbahn", "brücke", "Brucke", "schoen über", "fährt schönen"),
    ),
    ("fr", "L’hôpital d'enfants accueille les élèves français.", ("hôpital", "hopital", "élève", "ELEVES")),
    ("ru", "Самолёты летают над большими городами.", ("самолет", "самолёт", "ГОРОД")),
    ("el", "Οι μεγάλες πόλεις έχουν πολλούς δρόμους.", ("δρόμος", "ΔΡΟΜΟΥΣ", "πόλη πόλεις")),
    ("ja", "東京都の図書館で日本語の本を読みます。", ("図書館", "日本語", "東京", "本")),
    ("zh", "北京大学的研究人员发表了新论文。", ("北京大学", "研究", "论文", "研究人员发表")),
    ("ko", "서울특별시의 도서관에서 한국어를 공부합니다.", ("도서관", "한국어", "서울")),
    ("th", "นักวิจัยที่มหาวิทยาลัยเชียงใหม่ศึกษาภาษาไทย", ("มหาวิทยาลัย", "ภาษาไทย", "เชียงใหม่")),
    ("ar", "الكِتَابُ الجديد في المكتبة الكبيرة", ("كتاب", "مكتبة", "الكتاب")),
    ("hi", "विश्वविद्यालय में हिन्दी की पढ़ाई होती है।", ("विश्वविद्यालय", "हिन्दी")),
    ("he", "סֵפֶר חדש בספרייה", ("ספר", "בספרייה")),
    ("pl", "Zażółć gęślą jaźń w Łodzi.", ("zażółć", "zazolc", "łodzi", "LODZI")),
    (None, "Reply to ali.veli@example.com about ABC-123, version 2.14.1, 1,250 units.", (
        "ali.veli@example.com", "ABC-123", "abc123", "2.14.1", "1250", "1,250",
    )),
)  # fmt: skip

HOSTILE = (
    "",
    "   \n\t",
    "\x00",
    "\x00\x01fox\x00",
    "fox \ud800",
    "?!.,;:()[]{}",
    'fox AND OR NOT : " * \\ ( [ { ~ ^ / + -',
    "text:fox",
    "/.*/",
    "[* TO *]",
    "fox*",
    '"fox',
    "🙂 🙂🙂 fox",
    "\u202efox\u202c",
    "a" * 100_000,
    "fox " * 25_000,
    "fox " + " ".join(f"w{number}" for number in range(20_000)),
    "日本語" * 30_000,
    "ไทย" * 30_000,
    "a-" * 50_000,
    "'" * 100_000,
    "é" * 100_000,
    "\u0301" * 100_000,
)


def entry(
    key: int,
    text: str = "fox",
    *,
    of: int = 1,
    context: str = "",
    language: str | None = "en",
    payload: Mapping[str, Json] | None = None,
) -> Entry:
    """Returns an entry of document ``of``."""
    return Entry(key, document(of), text, context, language, payload or {})


class LexicalEngineSuite(WeightsSuite, EngineSuite[LexicalEngine]):
    """Subclass it, and give a fixture ``engine_factory``: a function that makes an engine. See `EngineSuite`."""

    spec = SPEC

    def item(self, key: int, of: int, payload: Mapping[str, Json]) -> Entry:
        """See `EngineSuite.item`."""
        return entry(key, of=of, payload=payload)

    async def find(self, engine: LexicalEngine, limit: int, condition: Filter | None = None) -> Found:
        """See `EngineSuite.find`."""
        return await engine.search(NAME, "fox", limit, condition=condition)

    def test_what_it_cannot_do_is_refused(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            with pytest.raises(Unsupported):
                await engine.create(LexicalSpec(NAME, {"no_such_parameter": 1}))
            for bad in ("", "G1", "../g1", "g/1", "x" * 60):
                with pytest.raises(InvalidRequest):
                    await engine.create(LexicalSpec(bad))
            await engine.create(SPEC)
            for limit in (0, -1, 10_001):
                with pytest.raises(InvalidRequest):
                    await engine.search(NAME, "fox", limit)

        self.run(engine_factory, work)

    def test_a_text_replaces_the_one_under_its_id(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            await engine.apply(NAME, [entry(1, "old"), entry(2, "old"), entry(3, "other", of=2)], [], 2)
            await engine.apply(NAME, [entry(2, "new"), entry(4, "new")], [document(1)], 3)
            assert (await engine.search(NAME, "old", 10)).ids == ()
            assert (await engine.search(NAME, "new", 10)).ids == (2, 4)
            await engine.apply(NAME, [entry(2, "dog")], [], 4)
            assert (await engine.search(NAME, "new", 10)).ids == (4,)
            assert (await engine.search(NAME, "dog", 10)).ids == (2,)

        self.run(engine_factory, work)

    def test_odd_texts_can_be_indexed(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            texts = [text.replace("\ud800", "") for text in HOSTILE]
            entries = [entry(key, text, context=text[:1000]) for key, text in enumerate(texts)]
            await engine.apply(NAME, entries, [], 1)
            assert await engine.count(NAME) == len(HOSTILE)

        self.run(engine_factory, work)

    # -- searching

    def test_rare_words_and_short_texts_come_first(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            texts = ["common rare", "common " * 3, "common " + "filler " * 40, "common common rare rare rare"]
            await engine.apply(NAME, [entry(key, text) for key, text in enumerate(texts)], [], 1)
            found = await engine.search(NAME, "common rare", 10)
            assert set(found.ids[:2]) == {0, 3}
            assert found.ids[-1] == 2
            assert list(found.scores) == sorted(found.scores, reverse=True)
            assert found.mode == "exact"
            assert not found.short
            assert len((await engine.search(NAME, "common rare", 2)).ids) == 2

        self.run(engine_factory, work)

    def test_ties_go_to_the_smaller_id(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            keys = [(key * 37) % 101 for key in range(101)]
            for first in range(0, 101, 20):
                await engine.apply(NAME, [entry(key, of=key) for key in keys[first : first + 20]], [], first)
            assert (await engine.search(NAME, "fox", 5)).ids == (0, 1, 2, 3, 4)
            assert (await engine.search(NAME, "fox", 40)).ids == tuple(range(40))

        self.run(engine_factory, work)

    def test_title_and_headings_count(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            entries = [
                entry(1, "Take the train.", context="Travel expenses"),
                entry(2, "Take the bus.", context="Holidays"),
            ]
            await engine.apply(NAME, entries, [], 1)
            assert (await engine.search(NAME, "travel expense", 10)).ids == (1,)
            assert (await engine.search(NAME, "holiday bus", 10)).ids == (2,)

        self.run(engine_factory, work)

    def test_what_fusion_is_told(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            await engine.apply(
                NAME, [entry(1, "red fox"), entry(2, "red dog"), entry(3, "blue cat"), entry(4, "grey owl")], [], 1
            )
            found = await engine.search(NAME, "red fox", 10, coverage=True)
            assert found.ids == (1, 2)
            assert found.coverage[0] == pytest.approx(1.0, abs=1e-5)
            assert 0 < found.coverage[1] < 0.5
            assert found.known == 1.0
            assert found.scores[0] <= found.ceiling
            half = await engine.search(NAME, "fox zebra", 10, coverage=True)
            assert half.known == 0.5
            assert 0 < half.coverage[0] < 0.5
            nothing = await engine.search(NAME, "zebra", 10, coverage=True)
            assert (nothing.ids, nothing.ceiling, nothing.known, nothing.coverage) == ((), 0.0, 0.0, ())
            assert (await engine.search(NAME, "red fox", 10)).coverage == ()

        self.run(engine_factory, work)

    def test_stop_words_matter_only_alone(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            await engine.apply(NAME, [entry(1, "to be or not to be"), entry(2, "a question of taste")], [], 1)
            assert (await engine.search(NAME, "to be or not to be", 10)).ids[0] == 1
            assert (await engine.search(NAME, "what is the question", 10)).ids == (2,)

        self.run(engine_factory, work)

    def test_people_find_what_they_type_in_their_language(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            entries = [
                entry(key, text, of=key + 1, language=language) for key, (language, text, _) in enumerate(SPEECH)
            ]
            await engine.apply(NAME, entries, [], 1)
            missed = []
            for key, (language, _, queries) in enumerate(SPEECH):
                for query in queries:
                    languages = (language,) if language else ()
                    found = await engine.search(NAME, query, 3, languages=languages)
                    if key not in found.ids[:1]:
                        missed.append((language, query, found.ids))
            assert missed == []

        self.run(engine_factory, work)

    def test_one_index_may_speak_several_languages(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            entries = [
                entry(1, "The invoices are approved by PostgreSQL administrators."),
                entry(2, "Faturaları PostgreSQL yöneticileri onaylar.", language="tr"),
                entry(3, "Die Rechnungen werden genehmigt.", language="de"),
                entry(4, "請求書は承認されました。", language="ja"),
            ]
            await engine.apply(NAME, entries, [], 1)
            for query, key in (("invoice approval", 1), ("faturaların", 2), ("Rechnung", 3), ("請求書", 4)):
                assert (await engine.search(NAME, query, 3)).ids[:1] == (key,), query
            assert set((await engine.search(NAME, "postgresql", 9)).ids) == {1, 2}

        self.run(engine_factory, work)

    def test_a_query_has_no_syntax(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            await engine.apply(NAME, [entry(1, "the quick fox"), entry(2, "text of a dog")], [], 1)
            for query in HOSTILE:
                found: LexicalCandidates = await engine.search(NAME, query, 10)
                says_fox = "fox" in query
                assert (1 in found.ids) is says_fox, query[:40]

        self.run(engine_factory, work)

    def test_an_empty_index_finds_nothing(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            found = await engine.search(NAME, "fox", 10, condition=parse_filter({"a": {"$gt": 1}}))
            assert (found.ids, found.ceiling, found.known) == ((), 0.0, 0.0)

        self.run(engine_factory, work)

    # -- filters

    def test_filters_narrow_the_search(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: LexicalEngine) -> None:
            await engine.create(SPEC)
            entries = [entry(key, f"fox number{key}", of=key, payload={"year": 2000 + key % 10}) for key in range(50)]
            await engine.apply(NAME, entries, [], 1)
            recent = parse_filter({"year": {"$gte": 2008}})
            everything = await engine.search(NAME, "fox", 50)
            found = await engine.search(NAME, "fox", 50, condition=recent)
            assert sorted(found.ids) == [key for key in range(50) if key % 10 >= 8]
            scores = dict(zip(everything.ids, everything.scores, strict=True))
            # A filter chooses; it does not change what a match is worth.
            assert found.scores == pytest.approx([scores[key] for key in found.ids])

        self.run(engine_factory, work)
