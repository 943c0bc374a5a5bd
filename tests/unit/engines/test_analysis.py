from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaynak.engines.analysis import entry_terms, index_terms, query_words
from kaynak.engines.analysis.languages import STEMMERS


def asked(query: str, *languages: str | None) -> set[str]:
    """All terms a query stands under."""
    return {term for word in query_words(query, languages) for form in word.forms for term, _ in form}


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("The Foxes were running", "en", ["the", "fox", "were", "run"]),
        ("don't John's we've", "en", ["dont", "john", "we"]),
        ("l'hôpital d’été", "fr", ["hopital", "ete"]),
        ("1,000 3.14", "en", ["1", "000", "3", "14", "1000", "3.14"]),
        ("state_of-the.art", "en", ["state", "of", "the", "art", "stateoftheart"]),
        ("ﬁne ① ＡＢＣ", "en", ["fine", "1", "abc"]),
        ("re\u00adsume\u200b", "en", ["resum"]),
        ("東京都", "ja", ["東京", "京都", "東", "京", "都"]),
        ("東", "ja", ["東"]),
        ("", "en", []),
        ("?!", "en", []),
    ],
)
def test_terms(text: str, language: str, expected: list[str]) -> None:
    assert index_terms(text, language) == expected


def test_turkish_has_two_letters_i() -> None:
    assert index_terms("IŞIK ışık", "tr")[0] == index_terms("IŞIK ışık", "tr")[1]
    assert index_terms("İSTANBUL istanbul", "tr")[0] == index_terms("İSTANBUL istanbul", "tr")[1]
    # English capitals are not Turkish ones.
    assert index_terms("TITLE title", "en")[0] == index_terms("TITLE title", "en")[1]


def test_turkish_suffixes_after_an_apostrophe_go() -> None:
    bare = set(index_terms("Ankara İstanbul", "tr"))
    assert set(index_terms("Ankara'nın İstanbul’daki", "tr")) == bare


@pytest.mark.parametrize("query", ["müşteriler", "MÜŞTERİ", "musteri", "müşterilerimizden", "Müşteri'nin"])
def test_turkish_words_are_found_in_any_dress(query: str) -> None:
    assert asked(query, "tr") & set(index_terms("Müşterilerimize duyurulur", "tr"))


def test_stop_words_go_unless_there_is_nothing_else() -> None:
    assert asked("what is the capital", "en") == {"capit"}
    assert asked("to be or not to be", "en") == {"to", "be", "or", "not"}
    assert asked("bu bir su", "tr") == {"su", "~su"}


def test_a_query_in_several_languages_has_the_stems_of_each() -> None:
    (word,) = query_words("libraries", ("en", "fr", None))
    assert [dict(form) for form in word.forms] == [
        {"librari": 1.0, "librar": 1.0, "libraries": 0.5},
        {"~libra": 0.5},
    ]


def test_repeated_words_are_counted_once_per_mention() -> None:
    words = {word.forms[0][0][0]: word.count for word in query_words("fox dog foxes fox", ("en",))}
    assert words == {"fox": 3, "dog": 1}


def test_a_compound_is_asked_for_as_a_whole_too() -> None:
    assert asked("ABC-123", "en") == {"abc", "123", "abc123"}
    assert asked("e-mails", "en") & set(index_terms("email", "en"))
    assert asked("email", "en") & set(index_terms("an e-mail", "en"))


def test_title_and_headings_count_twice() -> None:
    assert entry_terms("dog", "fox", "en") == ["dog", "fox", "fox"]


@pytest.mark.parametrize("language", [*sorted(STEMMERS), None, "xx", "zh"])
def test_every_language_works(language: str | None) -> None:
    text = "Ξεσκεπάζω την ψυχοφθόρα Jovencillo emponzoñado Самолёт الكتاب 東京 ไทย नमस्ते தமிழ் 1.5"
    terms = set(index_terms(text, language))
    assert terms
    assert all(" " not in term for term in terms)
    assert asked("Jovencillo emponzoñado", language) <= terms


# White space, controls and all: what tantivy gets is split at white space again.
@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(["en", "tr", "fr", "ja", "ar", None]))
def test_any_text_finds_itself(text: str, language: str | None) -> None:
    terms = index_terms(text, language)
    assert all(term and not any(char.isspace() for char in term) for term in terms)
    words = query_words(text, (language,))
    known = set(terms)
    missing = [word for word in words if not any(term in known for form in word.forms for term, _ in form)]
    assert missing == []


@pytest.mark.timeout(60)  # what grows with the square of the length would take minutes
@pytest.mark.parametrize("text", ["a" * 300_000, "a-" * 150_000, "'" * 300_000, "l'" * 150_000, "1,000" * 60_000])
def test_no_text_takes_more_than_linear_time(text: str) -> None:
    index_terms(text, "fr")
    query_words(text, ("fr", "en"))
