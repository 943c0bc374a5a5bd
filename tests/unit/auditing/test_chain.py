from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaynak.auditing import Anchors, event_of, line_of
from kaynak.auditing.chain import Chain
from kaynak.catalog import Head
from kaynak.domain import Action, AuditEntry, AuditEvent, chained

GENESIS = b"\x07" * 32
BEGIN = datetime(2026, 11, 21, 12, tzinfo=UTC)
words = st.text('ab1,:{"\n\u011f\u2028😀', max_size=8)
entries = st.builds(
    AuditEntry.of,
    words,
    st.sampled_from([action.value for action in Action if action is not Action.USER_ERASED]),
    words,
    st.none() | st.dictionaries(words, words, max_size=2),
)


def chain_of(told: list[AuditEntry]) -> list[AuditEvent]:
    made: list[AuditEvent] = []
    for number, entry in enumerate(told, 1):
        event = AuditEvent(
            number,
            BEGIN + timedelta(microseconds=number // 2),
            entry.subject,
            entry.action,
            entry.object,
            entry.commitment,
            made[-1].hash if made else GENESIS,
            b"",
            entry.details,
            entry.salt,
        )
        made.append(replace(event, hash=chained(event)))
    return made


def found(events: list[AuditEvent], head: AuditEvent | None, *, account: bool = True) -> list[str]:
    chain = Chain(0, GENESIS)
    chain.follow(events)
    chain.close(head.sequence if head else 0, head.hash if head else GENESIS)
    kinds = [finding.kind for finding in chain.findings]
    return kinds + ["erased"] * (account and chain.erased > chain.accounted)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(entries, max_size=8))
def test_what_was_written_verifies(told: list[AuditEntry]) -> None:
    events = chain_of(told)
    assert found(events, events[-1] if events else None) == []
    assert [event_of(line_of(event)) for event in events] == events


@pytest.mark.untraced
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(entries, min_size=2, max_size=8), st.data())
def test_any_single_change_is_found(told: list[AuditEntry], data: st.DataObject) -> None:
    events = chain_of(told)
    head = events[-1]
    at = data.draw(st.integers(0, len(events) - 1))
    event = events[at]
    other = (at + data.draw(st.integers(1, len(events) - 1))) % len(events)
    changes = {
        "subject": lambda: replace(event, subject=event.subject + "x"),
        "action": lambda: replace(event, action="search" if event.action != "search" else "ask"),
        "object": lambda: replace(event, object=event.object + ","),
        "moved": lambda: replace(event, subject=event.subject + event.action[:1], action=event.action[1:]),
        "at": lambda: replace(event, at=event.at + timedelta(microseconds=1)),
        "commitment": lambda: replace(event, commitment=bytes(31) + b"\1"),
        "previous": lambda: replace(event, previous=bytes(32)),
        "hash": lambda: replace(event, hash=bytes(32)),
        "sequence": lambda: replace(event, sequence=event.sequence + 1),
        "details": lambda: replace(event, details=(event.details or "{}") + " ", salt=event.salt or b"salt"),
        "salt": lambda: replace(event, details=event.details or "{}", salt=b""),
        "rehashed": lambda: (
            (altered := replace(event, subject=event.subject + "x")) and replace(altered, hash=chained(altered))
        ),
    }
    kind = data.draw(st.sampled_from([*changes, "removed", "inserted", "swapped", "erased"]))
    changed = list(events)
    if kind == "removed":
        del changed[at]
    elif kind == "inserted":
        changed.insert(at, replace(event, subject="somebody else"))
    elif kind == "swapped":
        changed[at], changed[other] = changed[other], changed[at]
    elif kind == "erased":
        if event.details is None:
            return
        changed[at] = replace(event, details=None, salt=None)
    else:
        changed[at] = changes[kind]()
    assert found(changed, head), kind


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(entries, min_size=1, max_size=6), st.data())
def test_a_log_that_was_made_anew_is_told_by_what_was_noted(told: list[AuditEntry], data: st.DataObject) -> None:
    events = chain_of(told)
    forged = chain_of([replace(told[0], subject=told[0].subject + "x"), *told[1:]])
    noted = data.draw(st.sampled_from(events))
    chain = Chain(0, GENESIS, {noted.sequence: {noted.hash}})
    chain.follow(forged)
    chain.close(forged[-1].sequence, forged[-1].hash)
    assert {finding.kind for finding in chain.findings} == {"anchor"}
    shorter = Chain(0, GENESIS, {noted.sequence: {noted.hash}})
    shorter.follow(events[: noted.sequence - 1])
    shorter.close(noted.sequence - 1, shorter.hash or b"")
    assert {finding.kind for finding in shorter.findings} == {"anchor"}


def test_heads_are_noted_outside_and_stay(tmp_path) -> None:
    anchors = Anchors(tmp_path / "audit" / "anchors.jsonl")
    assert anchors.all() == {}
    anchors.note(Head(1, b"\1" * 32))
    anchors.note(Head(2, b"\2" * 32))
    assert anchors.all() == {1: {b"\1" * 32}}
    anchors.keep()
    anchors.keep()
    assert anchors.all() == {1: {b"\1" * 32}, 2: {b"\2" * 32}}
    forged = Anchors(tmp_path / "audit" / "anchors.jsonl")
    forged.note(Head(2, b"\3" * 32))
    with (tmp_path / "audit" / "anchors.jsonl").open("a") as file:
        file.write('{"sequence": 3, "ha')  # the machine went down
    assert forged.all()[2] == {b"\2" * 32, b"\3" * 32}
    assert (tmp_path / "audit" / "anchors.jsonl").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_fails_no_search(tmp_path) -> None:
    (tmp_path / "audit").write_text("in the way")
    Anchors(tmp_path / "audit" / "anchors.jsonl").note(Head(1, b"\1" * 32))
