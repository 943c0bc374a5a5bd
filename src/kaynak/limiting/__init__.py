"""How often somebody may ask: token buckets, in Redis or in this process."""

from kaynak.limiting.memory import MemoryLimiter
from kaynak.limiting.patient import PatientLimiter
from kaynak.limiting.protocol import Budget, Demand, Limiter, LimiterUnavailable, Standing
from kaynak.limiting.rates import Purpose, Rates, network_of, refusal

__all__ = [
    "Budget",
    "Demand",
    "Limiter",
    "LimiterUnavailable",
    "MemoryLimiter",
    "PatientLimiter",
    "Purpose",
    "Rates",
    "Standing",
    "network_of",
    "refusal",
]
