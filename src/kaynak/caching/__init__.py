"""Places for what was computed once: in this process, or in a Redis that several share."""

from kaynak.caching.keys import digest
from kaynak.caching.memory import MemoryCache
from kaynak.caching.patient import PatientCache
from kaynak.caching.protocol import Cache, CacheUnavailable
from kaynak.caching.signed import SignedCache
from kaynak.caching.values import Values

__all__ = ["Cache", "CacheUnavailable", "MemoryCache", "PatientCache", "SignedCache", "Values", "digest"]
