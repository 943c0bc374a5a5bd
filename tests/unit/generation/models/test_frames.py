"""Frames come out the same wherever the body is cut, and cannot fill the memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.generation.models.frames import Frame, FrameTooLong, LineSplitter, NdjsonReader, SseReader

TEXTS = st.text(alphabet=st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), max_size=20)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def pieces(body: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(body) + 1) for cut in cuts})
    return [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]


def read(reader, chunks: list[bytes]) -> list[Frame]:
    return [frame for chunk in chunks for frame in reader.feed(chunk)] + reader.finish()


@given(st.lists(TEXTS, max_size=8), ENDS, st.lists(st.integers(0, 10_000), max_size=12))
def test_lines_do_not_depend_on_the_cuts(lines, end, cuts):
    body = b"".join(line.encode() + end for line in lines)
    splitter = LineSplitter()
    found = [line for chunk in pieces(body, cuts) for line in splitter.feed(chunk)] + splitter.finish()
    assert found == [line.encode() for line in lines]


@given(
    st.lists(st.tuples(TEXTS, st.sampled_from(["", "ping", "done"]), st.booleans()), max_size=6),
    ENDS,
    st.lists(st.integers(0, 10_000), max_size=12),
)
def test_events_do_not_depend_on_the_cuts(events, end, cuts):
    body, wanted = b"", []
    for text, name, commented in events:
        body += (b": a comment" + end + end) if commented else b""
        body += (b"event: " + name.encode() + end) if name else b""
        body += b"data: " + text.encode() + end + b"id: 7" + end + end
        wanted.append(Frame(text.encode(), name))
    assert read(SseReader(), pieces(body, cuts)) == wanted


def test_every_byte_alone_is_the_same():
    body = 'event: a\r\ndata: {"t":"çğ😀"}\r\n\r\n'.encode()
    assert read(SseReader(), [bytes([byte]) for byte in body]) == [Frame('{"t":"çğ😀"}'.encode(), "a")]


@pytest.mark.parametrize(
    ("body", "frames"),
    [
        (b"data: one\ndata: two\n\n", [Frame(b"one\ntwo")]),
        (b"data:no space\n\n", [Frame(b"no space")]),
        (b"data:  two spaces\n\n", [Frame(b" two spaces")]),
        (b"data\n\n", [Frame(b"")]),
        (b"\xef\xbb\xbfdata: with a mark\n\n", [Frame(b"with a mark")]),
        (b": only a comment\n\n", []),
        (b"event: without data\n\ndata: x\n\n", [Frame(b"x")]),
        (b"retry: 10\nunknown: field\ndata: x\n\n", [Frame(b"x")]),
        (b"data: the last has no end", [Frame(b"the last has no end")]),
        (b"data: nor a blank line\n", [Frame(b"nor a blank line")]),
        (b"", []),
    ],
)
def test_events_are_read_as_the_standard_says(body, frames):
    assert read(SseReader(), [body]) == frames


def test_lines_of_json_pass_over_blank_ones():
    assert read(NdjsonReader(), [b'{"a":1}\n\n  \r\n{"b":2}']) == [Frame(b'{"a":1}'), Frame(b'{"b":2}')]


@pytest.mark.parametrize("reader", [SseReader, NdjsonReader])
def test_a_line_without_end_is_refused(reader):
    it = reader(most=1000)
    with pytest.raises(FrameTooLong):
        read(it, [b"data: xxxx"] * 1000)


def test_an_event_of_many_lines_is_bounded_too():
    it = SseReader(most=1000)
    with pytest.raises(FrameTooLong):
        read(it, [b"data: xxxxxxxxxx\n"] * 1000)
