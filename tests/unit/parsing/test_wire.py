from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.domain import Block, BlockKind, Page, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.wire import HEAD, Garbled, failure_of, frame, read_request, request_of, result_of

PARSED = ParsedDocument(
    "Title\n\nBody 😀",
    "text/plain",
    blocks=(Block(BlockKind.HEADING, 0, 5, 1), Block(BlockKind.PARAGRAPH, 7, 13)),
    pages=(Page(1, 0, 13, "i", 10.0, 20.0),),
    title="Title",
    language="en",
    metadata={"author": "A", "tags": ["x"]},
    warnings=("Careful.",),
)


def through_the_pipe(message: dict[str, object]) -> dict[str, object]:
    framed = frame(message)
    (length,) = HEAD.unpack(framed[: HEAD.size])
    assert length == len(framed) - HEAD.size
    reply: dict[str, object] = orjson.loads(framed[HEAD.size :])
    return reply


def test_a_document_arrives_as_it_was() -> None:
    assert result_of(through_the_pipe({"parsed": PARSED})) == PARSED


def test_an_error_arrives_as_it_was() -> None:
    error = UnreadableDocument(UnreadableReason.ENCRYPTED, "It is locked.", hint="Open it.")
    arrived = result_of(through_the_pipe({"error": failure_of(error)}))
    assert isinstance(arrived, UnreadableDocument)
    assert (arrived.reason, arrived.message, arrived.hint) == (error.reason, error.message, error.hint)


def test_a_request_arrives_as_it_was(tmp_path: Path) -> None:
    source = Source(tmp_path / "ü", "ü.pdf", "application/pdf", "secret")
    assert read_request(orjson.dumps(request_of(source, ParseLimits(pages=7)))) == (source, ParseLimits(pages=7))


@pytest.mark.parametrize(
    "change",
    [
        {"text": "nul \x00"},
        {"text": None},
        {"blocks": [{"kind": "poem", "start": 0, "end": 1, "level": None}]},
        {"blocks": [{"kind": "paragraph", "start": 3, "end": 99, "level": None}]},
        {"blocks": [{"kind": "paragraph", "start": -1, "end": 2, "level": None}]},
        {"blocks": [{"kind": "paragraph", "start": 5, "end": 2, "level": None}]},
        {"blocks": [{"kind": "paragraph", "start": "0", "end": 2, "level": None}]},
        {"pages": [{"number": 1}]},
        {"pages": 3},
        {"metadata": 3},
        {"warnings": None},
    ],
)
def test_replies_that_no_honest_process_sends_are_refused(change: dict[str, object]) -> None:
    message = orjson.loads(orjson.dumps(PARSED)) | change
    with pytest.raises(Garbled):
        result_of({"parsed": message})


@pytest.mark.untraced
@given(
    st.dictionaries(
        st.sampled_from(["parsed", "error", "x"]), st.none() | st.integers() | st.text() | st.lists(st.none())
    )
)
def test_nonsense_is_garbled_and_nothing_worse(reply: dict[str, object]) -> None:
    with pytest.raises(Garbled):
        result_of(reply)
