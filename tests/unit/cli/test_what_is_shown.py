from __future__ import annotations

import sys
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kaynak.cli import output, progress
from kaynak.cli.estimate import Estimate, fraction_done, in_words
from kaynak.cli.metadata import parsed_metadata
from kaynak.cli.progress import ProgressDisplay
from kaynak.cli.snippets import highlighted, matches, snippet
from kaynak.domain import STAGES, Job, JobState, StageProgress, new_id

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_a_snippet_is_where_the_words_are():
    text = "x " * 500 + "the annual leave of staff " + "y " * 500
    shown = snippet(text, "annual leave")
    assert "annual leave" in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")


@given(st.text(max_size=2000), st.text(max_size=50))
def test_a_snippet_is_short_and_on_one_line(text, query):
    shown = snippet(output.printable(text), query, 100)
    assert len(shown) <= 110
    assert "\n" not in shown
    for start, end in matches(shown, query):
        assert 0 <= start < end <= len(shown)
    assert highlighted(shown, query).plain == shown


def test_words_are_marked_with_their_endings_and_in_turkish_capitals():
    def marked(text, query):
        return [text[start:end] for start, end in matches(text, query)]

    assert marked("Leaving, leaves, lea", "leaves") == ["Leaving", "leaves"]
    assert marked("İZİN ve izinler, IZIN", "izin") == ["İZİN", "izinler", "IZIN"]
    assert marked("a to b", "a to") == []


def test_control_characters_do_not_reach_the_terminal():
    assert output.printable("a\x1b[31mb\tc\n") == "a\ufffd[31mb\tc\n"


def test_the_time_left_follows_the_pace():
    estimate = Estimate()
    assert estimate.update(0, 0.0) is None
    assert estimate.update(1, 0.1) is None
    assert round(estimate.update(10, 0.5)) == 10
    assert estimate.update(10.1, 0.5) is not None
    stalled = Estimate()
    stalled.update(0, 0.3)
    assert stalled.update(60, 0.3) is None


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 1)), max_size=50))
def test_the_time_left_is_never_negative(steps):
    estimate, now = Estimate(), 0.0
    for wait, fraction in steps:
        now += wait
        left = estimate.update(now, fraction)
        assert left is None or left >= 0


def test_what_is_not_read_yet_counts_as_much_as_what_is():
    stages = {"parse": (10, 50), "chunk": (100, 100), "embed": (50, 100), "index": (0, 50)}
    assert fraction_done(stages, 100) == 0.05
    assert fraction_done({}, 100) == 0.0
    assert fraction_done({"parse": (4, 4), "index": (2, 4)}, 4) == 0.5
    assert fraction_done(stages, 0) == 0.0


def test_times_are_said_as_people_say_them():
    assert in_words(None) == "time left not known yet"
    assert in_words(4) == "a few seconds left"
    assert in_words(44) == "about 40 s left"
    assert in_words(600) == "about 10 min left"
    assert in_words(9000) == "about 2.5 h left"


def test_metadata_values_that_are_json_are_read_as_json():
    assert parsed_metadata(None) is None
    assert parsed_metadata(["a=1", "b=true", 'c="1"', "d=x y", "e=", "f=NaN", "g=null"]) == {
        "a": 1,
        "b": True,
        "c": "1",
        "d": "x y",
        "e": "",
        "f": "NaN",
        "g": None,
    }


def job_at(done: int) -> Job:
    stages = tuple(StageProgress(name, done, 10) for name in STAGES)
    return Job(new_id(), "ingest", "c", JobState.RUNNING, stages, {}, 1, False, None, NOW, NOW, None)


def test_bars_are_drawn_on_a_terminal_only(monkeypatch, capsys):
    with ProgressDisplay(10) as display:
        display.update([job_at(1)])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with ProgressDisplay(10) as display:
        for done in (0, 5, 10):
            display.update([job_at(done)])
    drawn = capsys.readouterr().err
    assert "embed" in drawn
    assert "10/10" in drawn


def test_a_line_is_written_now_and_then_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    with ProgressDisplay(10) as display:
        display.update([job_at(5)])
    assert "embed 5/10" in capsys.readouterr().err
