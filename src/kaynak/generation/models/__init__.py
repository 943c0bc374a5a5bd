"""Language models: a few wire formats, and providers as data."""

from kaynak.generation.models.breaker import BreakerState
from kaynak.generation.models.config import ModelsConfig
from kaynak.generation.models.keys import Keys, KeySource
from kaynak.generation.models.ledger import Ledger
from kaynak.generation.models.listing import ListedModel, ProviderStatus
from kaynak.generation.models.models import Models
from kaynak.generation.models.protocol import LanguageModel
from kaynak.generation.models.providers import Auth, Price, Quirk, WireName
from kaynak.generation.models.spending import Spending

__all__ = [
    "Auth",
    "BreakerState",
    "KeySource",
    "Keys",
    "LanguageModel",
    "Ledger",
    "ListedModel",
    "Models",
    "ModelsConfig",
    "Price",
    "ProviderStatus",
    "Quirk",
    "Spending",
    "WireName",
]
