"""Indexes of faiss that are open, and how they are asked."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import faiss as _faiss
import numpy as np

from kaynak.engines.faiss.spec import Layout
from kaynak.engines.faiss.vectors import Mask, Matrix, Numbers
from kaynak.engines.protocol import Vector

faiss: Any = _faiss  # whose stubs know no parameters of searches

_STEP = 40
"""How many comparisons in a row one step of a walk through a graph takes as long as."""


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
        self.kept = flat
        """Whether `raw` has them."""
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
        wanted = self._layout.params.get("nprobe") or max(24, lists // 10)
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
