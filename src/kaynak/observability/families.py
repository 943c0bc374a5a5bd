"""How the installation is, as families of metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaynak.catalog.figures import IndexFigures
from kaynak.domain import GenerationState, JobState

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily, Metric

_GENERATION = ("collection", "generation")
_INDEX = (*_GENERATION, "side", "engine")


@dataclass(slots=True)
class Snapshot:
    """What was found out at one moment.

    Attributes:
        version: Of Kaynak.
        python: Version of what it runs on.
        indexes: All that are told of.
        left_out: Generations that are not.
        jobs: How many, by state.
        documents: How many, by collection and state; None: not known.
        engines: Whether each answers, by side and name.
        failed: Whether each part could not be found out.
    """

    version: str
    python: str
    indexes: Sequence[IndexFigures] = ()
    left_out: int = 0
    jobs: Mapping[str, int] | None = None
    documents: Mapping[tuple[str, str], int] | None = None
    engines: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    failed: dict[str, bool] = field(default_factory=dict)


def families(found: Snapshot) -> Iterator[Metric]:
    """Yields what a snapshot says."""
    build = _gauge("kaynak_build_info", "What runs here.", ("version", "python"))
    build.add_metric((found.version, found.python), 1)
    yield build
    failed = _gauge("kaynak_scrape_failed", "1: it could not be found out in time, and is left out.", ("part",))
    for part, did in found.failed.items():
        failed.add_metric((part,), did)
    yield failed
    yield from _generations(found)
    yield from _indexes(found.indexes)
    up = _gauge("kaynak_engine_up", "Whether an engine that indexes need answers this process.", ("side", "engine"))
    for names, answers in found.engines.items():
        up.add_metric(names, answers)
    yield up
    if found.jobs is not None:
        jobs = _gauge("kaynak_jobs", "Background jobs, by state.", ("state",))
        for state in JobState:
            jobs.add_metric((state.value,), found.jobs.get(state.value, 0))
        yield jobs
    if found.documents is not None:
        documents = _gauge("kaynak_documents", "Documents, by the state of their newest version.", _DOCUMENTS)
        for names, count in found.documents.items():
            documents.add_metric(names, count)
        yield documents


_DOCUMENTS = ("collection", "state")


def _generations(found: Snapshot) -> Iterator[Metric]:
    states = _gauge("kaynak_generation_state", "1 for the state that a generation is in.", (*_GENERATION, "state"))
    active = _gauge("kaynak_generation_active", "Whether searches go through it.", _GENERATION)
    for one in {one.generation: one for one in found.indexes}.values():
        names = (one.collection, str(one.generation))
        active.add_metric(names, one.active)
        for state in GenerationState:
            states.add_metric((*names, state.value), one.state == state.value)
    left = _gauge("kaynak_generations_left_out", "Generations beyond those that are told of.", ())
    left.add_metric((), found.left_out)
    yield from (states, active, left)


def _indexes(indexes: Sequence[IndexFigures]) -> Iterator[Metric]:
    lag = _gauge("kaynak_index_lag_changes", "Changes of the collection that an index lacks.", (*_INDEX, "host"))
    waiting = _gauge("kaynak_index_waiting", "Whether something holds up its follower.", (*_INDEX, "host"))
    dead = _gauge("kaynak_index_dead_letters", "Documents that an index cannot take.", _INDEX)
    for one in indexes:
        names = (one.collection, str(one.generation), one.side, one.engine)
        lag.add_metric((*names, one.host), one.lag)
        waiting.add_metric((*names, one.host), one.waiting)
    # An index in files has a row for each host, and one list of dead letters.
    for names, faults in {
        (one.collection, str(one.generation), one.side, one.engine): one.faults for one in indexes
    }.items():
        dead.add_metric(names, faults)
    yield from (lag, waiting, dead)


def _gauge(name: str, meaning: str, labels: Sequence[str]) -> GaugeMetricFamily:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, meaning, labels=labels)
