"""How indexes of faiss are made, and fitted to vectors."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt
from typing import Any

import faiss as _faiss

from kaynak.domain import EngineUnavailable
from kaynak.engines.faiss.spec import Layout
from kaynak.engines.faiss.vectors import Matrix
from kaynak.engines.protocol import VectorField

faiss: Any = _faiss  # whose stubs know half of its classes

_QUANTIZERS = {16: faiss.ScalarQuantizer.QT_fp16, 8: faiss.ScalarQuantizer.QT_8bit, 4: faiss.ScalarQuantizer.QT_4bit}
_ITERATIONS = 8
_PER_LIST = 64
_PER_CODE = 32
_SAMPLE = 20_000


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
