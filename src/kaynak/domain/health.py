"""What the doctor finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Ailment(StrEnum):
    """What can be wrong."""

    UNAVAILABLE = "unavailable"
    """A store does not answer."""
    MISCONFIGURED = "misconfigured"
    """It cannot work as it is set up."""
    DAMAGED = "damaged"
    """An index is missing, or cannot be read."""
    LAGGING = "lagging"
    """An index has not the last changes."""
    MISSING = "missing"
    """Something is not where it should be."""
    ORPHANED = "orphaned"
    """Something is there that belongs to nothing."""
    REFUSED = "refused"
    """An index cannot take a document."""
    MISCOUNTED = "miscounted"
    """A number that is kept is not the right one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        where: The store, and what of it: ``pgvector g3``.
        ailment: What kind of thing.
        count: How many are concerned.
        detail: In words.
        repaired: Whether it is right now.
        hint: What to do where it is not.
    """

    where: str
    ailment: Ailment
    count: int
    detail: str
    repaired: bool = False
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """What was looked at, and what was found.

    Attributes:
        checked: Stores that were looked at.
        unchecked: Stores that were not, each with the reason.
        findings: What was wrong.
    """

    checked: tuple[str, ...]
    unchecked: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong any more."""
        return all(one.repaired for one in self.findings)

    @staticmethod
    def together(examinations: Sequence[Examination]) -> Examination:
        """Returns several examinations as one."""
        return Examination(
            tuple(dict.fromkeys(where for one in examinations for where in one.checked)),
            tuple(dict.fromkeys(reason for one in examinations for reason in one.unchecked)),
            tuple(finding for one in examinations for finding in one.findings),
        )


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of documents that were deleted together.

    Attributes:
        removed: How many.
        proof: What every store has of them afterwards.
    """

    removed: int
    proof: Examination
