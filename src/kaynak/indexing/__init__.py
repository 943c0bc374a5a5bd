"""Indexes follow the catalog: collections with their generations, and followers of the change log."""

from kaynak.indexing.cleanup import collect_orphans, drop_strangers, release
from kaynak.indexing.collections import Collections
from kaynak.indexing.cutting import cut
from kaynak.indexing.doctor import Doctor
from kaynak.indexing.estimating import Estimating
from kaynak.indexing.followers import Followers
from kaynak.indexing.indexes import Indexes, Wanted
from kaynak.indexing.listening import listen
from kaynak.indexing.parts import Embedders, Parts
from kaynak.indexing.proving import Proving

__all__ = [
    "Collections",
    "Doctor",
    "Embedders",
    "Estimating",
    "Followers",
    "Indexes",
    "Parts",
    "Proving",
    "Wanted",
    "collect_orphans",
    "cut",
    "drop_strangers",
    "listen",
    "release",
]
