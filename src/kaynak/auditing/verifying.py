from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

from kaynak.auditing.anchors import Anchors
from kaynak.auditing.chain import Chain
from kaynak.auditing.lines import EventsHash
from kaynak.auditing.segments import SegmentFiles, events_of
from kaynak.catalog import Catalog, Head, Unit
from kaynak.domain import AuditFilter, AuditFinding, AuditSegment, InvalidRequest, NotFound, Verification

_BATCH = 2000
_EVERYTHING = AuditFilter()


class Verifier:
    """Verifies the whole log: sealed segments, events, details, head, and what was noted elsewhere.

    Args:
        catalog: Where the events are.
        files: Where sealed ones are.
        anchors: What this installation noted outside of the database.
    """

    def __init__(self, catalog: Catalog, files: SegmentFiles, anchors: Anchors) -> None:
        self._catalog = catalog
        self._files = files
        self._anchors = anchors

    async def verify(self, noted: Head | None = None) -> Verification:
        """Returns what was found. Events that are written meanwhile are not looked at.

        Args:
            noted: A head that somebody wrote down.
        """
        anchors = defaultdict(set, {number: set(hashes) for number, hashes in self._anchors.all().items()})
        if noted is not None:
            anchors[noted.sequence].add(noted.hash)
        async with self._catalog.begin() as unit:
            await unit.audit_rows.steady()
            genesis, head = await unit.audit_rows.head()
            segments = await unit.audit_rows.segments()
            chain = Chain(0, genesis, anchors)
            notes = [note for one in segments if (note := await asyncio.to_thread(self._segment, chain, one))]
            await self._rows(unit, chain)
            for stray in await unit.audit_rows.strays():
                chain.note(stray, "details", f"There are details of event {stray}, which is not there.")
        chain.close(head.sequence, head.hash)
        if chain.erased > chain.accounted:
            chain.note(
                head.sequence,
                "erased",
                f"The details of {chain.erased} events are gone; erasures account for {chain.accounted}.",
            )
        return Verification(
            ok=not chain.findings,
            events=chain.events,
            sequence=head.sequence,
            hash=head.hash.hex(),
            erased=chain.erased,
            segments=len(segments),
            findings=tuple(chain.findings),
            notes=tuple(notes),
        )

    async def _rows(self, unit: Unit, chain: Chain) -> None:
        after = -(2**63)  # whatever its number: what does not belong is to be found
        while events := await unit.audit_rows.oldest(_EVERYTHING, after=after, last=2**63 - 1, limit=_BATCH):
            await asyncio.to_thread(chain.follow, events)
            after = events[-1].sequence

    def _segment(self, chain: Chain, segment: AuditSegment) -> str | None:
        """Follows the chain through a sealed segment; returns what could not be checked."""
        name = f"events {segment.first} to {segment.last}"
        if segment.first != chain.sequence + 1 or segment.last < segment.first:
            chain.note(segment.first, "segment", f"The sealed {name} do not follow event {chain.sequence}.")
        if not self._files.there(segment):
            chain.pass_over(segment.last, segment.hash)
            return (
                f"The file of the sealed {name} is not in {self._files.folder}; what it said could not be checked. "
                "Verify it where it is: kaynak audit verify FILE"
            )
        hashed = EventsHash()
        try:
            for events in self._files.read(segment):
                chain.follow(events)
                hashed.add(events)
        except InvalidRequest as error:
            chain.note(segment.first, "segment", f"The file of the sealed {name} was altered: {error.message}")
            chain.pass_over(segment.last, segment.hash)
            return None
        if (chain.sequence, chain.hash, hashed.digest()) != (segment.last, segment.hash, segment.events_hash):
            chain.note(segment.last, "segment", f"The file of the sealed {name} was altered.")
            chain.pass_over(segment.last, segment.hash)
        return None


def verify_file(path: Path, noted: Head | None = None) -> Verification:
    """Verifies an export of the whole log, or a sealed segment, by itself: nothing was altered, nothing is missing.

    What it cannot say is whether something was cut off at its ends: compare the first and the last hash with what is
    known of the log.

    Args:
        path: Of the file.
        noted: A head that somebody wrote down.

    Raises:
        NotFound: There is no such file.
        InvalidRequest: It is no such file.
    """
    chain: Chain | None = None
    try:
        for events in events_of(path):
            if chain is None:
                first = events[0]
                known = {} if noted is None else {noted.sequence: {noted.hash}}
                chain = Chain(first.sequence - 1, first.previous, known)
            chain.follow(events)
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise NotFound(f"There is no file {path}.") from exc
    if chain is None or chain.hash is None:
        raise InvalidRequest("The file has no events.", hint="Export them: kaynak audit export FILE")
    chain.close(chain.sequence, chain.hash)
    findings: tuple[AuditFinding, ...] = tuple(chain.findings)
    return Verification(not findings, chain.events, chain.sequence, chain.hash.hex(), chain.erased, 0, findings, ())
