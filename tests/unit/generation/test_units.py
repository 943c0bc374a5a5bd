from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from kaynak.domain import Hit, Span
from kaynak.generation.extractive.units import MAX_CHARS, read_row, units_of


def hit(text, *, start=0, version=1, title="Handbook", headings=()):
    identity = UUID(int=version)
    return Hit(
        0.5, "c", identity, "d", title, identity, 1, (1,), Span(start, start + len(text)), text, headings, None, "en",
        None, {},
    )  # fmt: skip


TABLE = "Leave by years:\n\n| Years | Days |\n| --- | --- |\n| 0 to 4 | 26 |\n| 5 | 30 |\n\nAsk us."


def test_a_table_is_quoted_by_rows_and_read_with_the_names_of_its_columns():
    units = units_of([hit(TABLE, start=50)])
    rows = {unit.text: unit for unit in units if unit.row}
    assert set(rows) == {"| Years | Days |", "| 0 to 4 | 26 |", "| 5 | 30 |"}
    assert rows["| Years | Days |"].heading
    row = rows["| 5 | 30 |"]
    assert row.reading == "Years: 5 · Days: 30"
    assert row.before == "Leave by years: | Years | Days |"
    assert not row.heading
    assert row.span.shift(-50).of(TABLE) == row.text


def test_a_table_can_be_quoted_whole_and_is_found_by_its_columns():
    units = units_of([hit(TABLE, start=50)])
    (table,) = [unit for unit in units if unit.found_by]
    assert table.found_by == "| Years | Days |"
    assert table.reading == "Years: 0 to 4 · Days: 26; Years: 5 · Days: 30"
    assert table.span.shift(-50).of(TABLE) == table.text == TABLE[17:-9]
    assert not any(unit.found_by for unit in units_of([hit("| Years | Days |\n| --- | --- |\n| 5 | 30 |")]))


def test_what_announces_a_list_is_read_with_each_item_and_is_no_answer_itself():
    units = units_of([hit("Bring the following:\n\n- your passport\n- a photo\n\nNothing follows: it is late.")])
    announcing, first, second, last = units
    assert announcing.heading
    assert not last.heading
    assert [first.before, second.before] == ["Bring the following:"] * 2


def test_rows_that_do_not_match_their_head_are_read_as_they_are():
    assert read_row("| a | b |", "| 1 | 2 | 3 |") == "1 · 2 · 3"
    assert read_row("| | b |", "| 1 | |") == "1"


def test_headings_are_told_from_sentences():
    text = "# Leave\n\nAnnual leave\n\nEveryone has 26 days of it\n\nNotice period\nFour weeks it is: always.\n"
    units = units_of([hit(text, title="Policy", headings=("Leave",))])
    assert {unit.text: unit.heading for unit in units}["# Leave"]
    headings = [unit.text for unit in units if unit.heading]
    assert "Annual leave" in headings
    assert all("26" not in heading for heading in headings)


def test_the_same_place_in_two_passages_stands_once():
    units = units_of([hit("One is here. Two is there."), hit("Two is there. Three is gone.", start=13)])
    assert [unit.text for unit in units] == ["One is here.", "Two is there.", "Three is gone."]


def test_each_sentence_knows_what_comes_before_and_what_stands_above():
    units = units_of([hit("Boats sail. They are white.", headings=("Fleet",))])
    assert units[1].before == "Boats sail."
    assert units[1].above == "Handbook Fleet"


def test_what_is_endless_or_says_nothing_is_not_quoted():
    assert units_of([hit("x" * (MAX_CHARS + 1))]) == []
    assert units_of([hit("--- … !!!")]) == []
    assert units_of([]) == []


@given(st.text(alphabet=st.sampled_from("ab C.?!|-#\n\t1ğİ。"), max_size=120), st.integers(0, 9))
def test_every_unit_is_its_span(text, start):
    for unit in units_of([hit(text, start=start)]):
        assert unit.span.shift(-start).of(text) == unit.text
        assert unit.text == unit.text.strip()
        assert "\n" not in unit.reading
