"""Indexes of faiss: how they are made, and how they are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import faiss
import numpy as np

from kaynak.domain import EngineUnavailable
from kaynak.engines.faiss.spec import Layout
from kaynak.engines.faiss.vectors import Mask, Matrix, Numbers
from kaynak.engines.protocol import Vector, VectorField

_QUANTIZERS = {16: faiss.ScalarQuantizer.QT_fp16, 8: faiss.ScalarQuantizer.QT_8bit, 4: faiss.ScalarQuantizer.QT_4bit}
_ITERATIONS = 8
_PER_LIST = 64
_PER_CODE = 32
_SAMPLE = 20_000

_STEP = 40
"""How many comparisons in a row one step of a walk through a graph takes as long as."""


def sample_size(layout: Layout, vectors: int) -> int:
    """Returns how many vectors an index of so many is fitted to."""
    if layout.type in {"ivf", "ivfpq"}:
        return min(vectors, max(_SAMPLE, _PER_LIST * _lists(layout, vectors)))
    return min(vectors, _SAMPLE)


def least(layout: Layout) -> int:
    """Returns how many vectors there must be to fit an index to them."""
    return 1 << layout.bits if layout.product else 1


def new_structure(layout: Layout, field: VectorField, sample: Matrix, vectors: int, stopped: Callable[[], bool]) -> Any:
    """Returns an empty index of faiss, fitted to ``sample``.

    Args:
        layout: What to make. Where there are too few vectors to fit it to, they are kept as they came.
        field: Of the vectors.
        sample: Of the vectors; prepared.
        vectors: How many there will be.
        stopped: Whether to give up.
    """
    metric = faiss.METRIC_L2 if field.metric == "l2" else faiss.METRIC_INNER_PRODUCT
    width = field.dimensions
    if layout.type == "flat" or vectors < least(layout):
        return faiss.IndexFlat(width, metric)
    if layout.type == "hnsw":
        made = (
            faiss.IndexHNSWFlat(width, layout.params["m"], metric)
            if layout.whole
            else faiss.IndexHNSWSQ(width, _QUANTIZERS[layout.bits], layout.params["m"], metric)
        )
        made.hnsw.efConstruction = layout.params["ef_construction"]
    elif layout.type == "sq":
        made = faiss.IndexScalarQuantizer(width, _QUANTIZERS[layout.bits], metric)
    else:
        made = _lists_of(layout, field, sample, min(len(sample), _lists(layout, vectors)), metric, stopped)
    if layout.product:
        made.pq.cp.niter = _ITERATIONS
        made.pq.cp.min_points_per_centroid = 1
        made.pq.cp.max_points_per_centroid = _PER_CODE
    if not made.is_trained:
        made.train(sample)
    return made


def _lists_of(
    layout: Layout, field: VectorField, sample: Matrix, lists: int, metric: int, stopped: Callable[[], bool]
) -> Any:
    width = field.dimensions
    centres = faiss.IndexFlat(width, metric)
    if layout.product:
        made = faiss.IndexIVFPQ(centres, width, lists, _parts(layout, field), layout.bits, metric)
    elif layout.whole:
        made = faiss.IndexIVFFlat(centres, width, lists, metric)
    else:
        made = faiss.IndexIVFScalarQuantizer(centres, width, lists, _QUANTIZERS[layout.bits], metric)
    # One round at a time, as it is long and hears of nothing while it lasts.
    found: Matrix | None = None
    for _ in range(_ITERATIONS):
        if stopped():
            raise EngineUnavailable("The engine is being closed.")
        rounds = faiss.Kmeans(
            width, lists, niter=1, min_points_per_centroid=1, max_points_per_centroid=_PER_LIST * 4, seed=1
        )
        rounds.train(sample, init_centroids=found)
        found = rounds.centroids
    centres.add(found)
    # The list of centres is the index's own from here on, in C++ and in Python.
    made.own_fields = True
    centres.this.disown()
    return made


def _lists(layout: Layout, vectors: int) -> int:
    if layout.type == "pq":
        return 1  # as what has no lists at all cannot leave out what a filter does
    return min(vectors, layout.params["nlist"] or max(1, min(int(4 * sqrt(vectors)), vectors // 39)))


def _parts(layout: Layout, field: VectorField) -> int:
    """Returns how many parts of a vector get a code: about one for four numbers."""
    wanted = layout.params["subquantizers"] or ceil(field.dimensions / 4)
    while field.dimensions % wanted:
        wanted += 1
    return wanted


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which places of an index may be found.

    Attributes:
        mask: By place.
        bits: The same as faiss takes it.
        count: How many.
    """

    mask: Mask
    bits: Any
    count: int


def chosen_from(mask: Mask) -> Chosen:
    """Returns the places where ``mask`` is true."""
    return Chosen(mask, np.packbits(mask, bitorder="little"), int(np.count_nonzero(mask)))


class Structure:
    """One index of faiss that is open for searching. Thread-safe."""

    def __init__(self, index: Any, layout: Layout) -> None:
        self._index = index
        self._layout = layout
        self.size = int(self._index.ntotal)
        self._graph = self._index if hasattr(self._index, "hnsw") else None
        self._storage = faiss.downcast_index(self._graph.storage) if self._graph is not None else self._index
        self._listed = hasattr(self._index, "nprobe")
        flat = isinstance(self._storage, faiss.IndexFlat)
        self._vectors: Matrix | None = None
        if flat:
            data = faiss.rev_swig_ptr(self._storage.get_xb(), self.size * self._storage.d)
            self._vectors = data.reshape(self.size, self._storage.d)
        self.exact = flat or (self._listed and layout.whole)
        """Whether it has the vectors as they came, so that asking all of it is exact."""

    def raw(self, places: Numbers) -> Matrix | None:
        """Returns the vectors at these places as they came, if they can be had in no time."""
        return None if self._vectors is None else self._vectors[places]

    def all(self, query: Vector, count: int, chosen: Chosen) -> Numbers:
        """Returns the nearest of all places that were chosen, in any order."""
        params = self._lists_params(chosen, self._index.nlist) if self._listed else self._plain_params(chosen)
        return _places(self._storage, query, count, params)

    def nearest(self, query: Vector, count: int, chosen: Chosen) -> tuple[Numbers, bool]:
        """Returns about the nearest of the places that were chosen, and whether it looked at all of them."""
        share = chosen.count / max(1, self.size)
        if self._listed:
            probes = self._probes(count, share)
            places = _places(self._index, query, count, self._lists_params(chosen, probes))
            return places, probes >= self._index.nlist
        if self._graph is not None:
            breadth = max(self._layout.params["ef_search"], count)
            # A walk takes as many steps more as fewer of those it meets may be found.
            if chosen.count * share > _STEP * breadth:
                params = faiss.SearchParametersHNSW(efSearch=ceil(breadth / share), **_selector(chosen))
                places = _places(self._graph, query, count, params)
                if len(places) == count:
                    return places, False
        return self.all(query, count, chosen), True

    def _probes(self, count: int, share: float) -> int:
        lists = int(self._index.nlist)
        wanted = self._layout.params.get("nprobe") or max(16, lists // 12)
        # Enough of them to hold several times what is asked for.
        enough = 4 * count * lists / max(1.0, share * self.size)
        return min(lists, ceil(max(wanted / max(share, 1e-9), enough)))

    def _lists_params(self, chosen: Chosen, probes: int) -> Any:
        kind = faiss.IVFPQSearchParameters if self._layout.product else faiss.SearchParametersIVF
        return kind(nprobe=int(probes), **_selector(chosen))

    def _plain_params(self, chosen: Chosen) -> Any:
        if chosen.count == self.size:
            return None
        return faiss.SearchParameters(**_selector(chosen))


def _selector(chosen: Chosen) -> dict[str, Any]:
    return {} if chosen.count == len(chosen.mask) else {"sel": faiss.IDSelectorBitmap(chosen.bits)}


def _places(index: Any, query: Vector, count: int, params: Any) -> Numbers:
    _, found = index.search(query[None], count, params=params)
    places: Numbers = found[0]
    return places[places >= 0]
