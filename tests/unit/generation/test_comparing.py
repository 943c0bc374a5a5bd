from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.generation.comparing import NAMES, compare, read, synonyms
from kaynak.generation.comparing.dates import dates
from kaynak.generation.comparing.names import names
from kaynak.generation.comparing.polarity import negations, opposed
from kaynak.generation.comparing.quantities import quantities


def one(text, language="en"):
    (found,) = quantities(text, language)
    return found


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("twenty-five", "25"),
        ("two hundred and five", "205"),
        ("1,500", "1500"),
        ("1.5 million", "1,500,000"),
        ("50 %", "fifty percent"),
        ("$5", "5 dollars"),
        ("14 days", "two weeks"),
        ("the 1600s", "the seventeenth century"),
        ("3rd", "third"),
        ("50k", "50,000"),
    ],
)
def test_english_numbers_that_say_the_same(left, right):
    assert one(left).agrees(one(right))
    assert one(right).agrees(one(left))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("yirmi beş", "25"),
        ("iki bin beş yüz", "2.500"),
        ("%50", "yüzde elli"),
        ("1,5 milyon", "1.500.000"),
        ("5 TL", "5 lira"),
        ("üçüncü", "3."),
        ("14 gündür", "iki hafta"),
        ("on iki ay", "1 yıl"),
    ],
)
def test_turkish_numbers_that_say_the_same(left, right):
    assert one(left, "tr").agrees(one(right, "tr"))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("26 days", "26 weeks"),
        ("5 %", "5 euros"),
        ("1,500", "1.5"),
        ("12", "21"),
        ("3 million", "3"),
        ("-5 °C", "5 °C"),
    ],
)
def test_numbers_that_differ(left, right):
    assert not one(left).agrees(one(right))


def test_what_is_a_name_is_no_number():
    assert quantities("IL-6, H1N1, COVID-19 and p53 in version 2.1.3", "en") == ()
    assert [found.text for found in quantities("onun yüzü altında", "tr")] == []


@given(st.integers(0, 999_999_999), st.sampled_from(["en", "tr"]))
def test_a_number_is_itself_with_and_without_grouping_and_no_other(value, language):
    grouped = f"{value:,}" if language == "en" else f"{value:,}".replace(",", ".")
    assert one(str(value), language).agrees(one(grouped, language))
    assert not one(str(value), language).agrees(one(str(value + 1), language))


def date(text):
    (found,) = dates(text)
    return found


DAYS = ["3 May 2024", "May 3, 2024", "3rd of May 2024", "2024-05-03", "03.05.2024", "3 Mayıs 2024", "5/3/2024"]


@pytest.mark.parametrize("left", DAYS)
@pytest.mark.parametrize("right", DAYS)
def test_the_same_day_however_it_is_written(left, right):
    assert date(left).agrees(date(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("3 May 2024", "4 May 2024"),
        ("3 May 2024", "3 June 2024"),
        ("3 May 2024", "3 May 2023"),
        ("3 May", "May 2024"),
        ("29 Ekim 1923", "28 Ekim 1923"),
    ],
)
def test_other_days(left, right):
    assert not date(left).agrees(date(right))


def test_a_month_of_a_year_is_said_by_its_days_and_capitals_do_not_matter():
    assert date("May 2024").agrees(date("3 May 2024"))
    assert date("12 KASIM 1938").agrees(date("12 Kasım 1938"))
    assert date("3 HAZIRAN 1938").agrees(date("3 Haziran 1938"))
    assert dates("You may 5 times ask in march order.") == ()
    assert dates("32.13.2024") == ()


@given(st.dates())
def test_every_day_is_itself_in_every_form(day):
    if day.year < 1000:
        return
    forms = [f"{day:%Y-%m-%d}", f"{day.day} {day:%B} {day.year}", f"{day:%d.%m.%Y}"]
    found = [dates(form) for form in forms]
    assert all(len(each) == 1 for each in found) or day.year > 2099
    if day.year <= 2099:
        assert all(left[0].agrees(right[0]) for left in found for right in found)


def test_names_are_told_from_the_first_words_of_sentences():
    text = "The Normans met King Charles III. However, Rollo of Norway left. Then Rollo used IL-6 and mRNA."
    assert [name.text for name in names(text, "en")] == [
        "Normans", "King Charles III", "Rollo of Norway", "Rollo", "IL-6", "mRNA",
    ]  # fmt: skip
    assert [name.parts for name in names("Bu Atatürk'ün evinde, İzmir’de bulundu.", "tr")] == [
        ("ataturk",),
        ("izmir",),
    ]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("It isn't so, and never was.", "en", ["isn't", "never"]),
        ("No. 5 is not only good.", "en", []),
        ("Gelmedi, gitmez, yapılmamıştır, bilmiyor.", "tr", ["Gelmedi", "gitmez", "yapılmamıştır", "bilmiyor"]),
        ("Hiç yok, değildir.", "tr", ["Hiç", "yok", "değildir"]),
        ("Çalışması tamamlamıştır, yapmaktadır, alması gerekir.", "tr", []),
    ],
)
def test_what_negates(text, language, expected):
    assert [found.text for found in negations(text, language)] == expected


def test_opposites_and_synonyms():
    def stem(word, language):
        return read(word, language).words[0].stem

    assert opposed(stem("before", "en"), stem("after", "en"), "en")
    assert opposed(stem("önce", "tr"), stem("sonra", "tr"), "tr")
    assert not opposed(stem("before", "en"), stem("earlier", "en"), "en")
    assert stem("guaranteed", "en") in synonyms(stem("warranty", "en"), "en")
    assert synonyms("warranti", None) == frozenset()


TEXTS = st.text(alphabet=st.sampled_from("ab C.?!|-'’1%€5ğİıç\n,不"), max_size=80)


@given(TEXTS, TEXTS, st.sampled_from(["en", "tr", "de"]))
def test_anything_can_be_compared(left, right, language):
    found = compare(read(left, language), read(right, language))
    assert set(found.features) == set(NAMES)
    assert all(value >= 0 for value in found.features.values())


@given(st.permutations(["Rollo met Charles in Paris.", "He paid 500 euros.", "On 3 May 911 they did not fight."]))
def test_what_stands_in_the_evidence_has_no_fault(sentences):
    evidence = read(" ".join(sentences), "en")
    for sentence in sentences:
        found = compare(read(sentence, "en"), evidence)
        assert found.features["one"] == 1.0
        assert [fault for fault in found.faults if fault.amount > 0.01] == []


@pytest.mark.timeout(60)  # the first took 400 GB, or minutes with less
@pytest.mark.parametrize(
    ("said", "evidence"),
    [("1 " * 150, "1 " * 200), ("Ada Lovelace " * 50, "Ada Lovelace " * 100)],
    ids=["a number", "a name"],
)
def test_text_that_repeats_itself_takes_neither_all_time_nor_all_memory(said: str, evidence: str) -> None:
    tracemalloc.start()
    try:
        compare(read(said, "en"), read(evidence, "en"))
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    finally:
        tracemalloc.stop()
