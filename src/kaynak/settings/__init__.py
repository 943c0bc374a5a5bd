"""Configuration. Read at entry points only; everything below is given what it needs."""

from kaynak.settings.loading import Settings, load_settings, outer_environment
from kaynak.settings.sections import (
    ArangoSettings,
    AuthSettings,
    CacheSettings,
    DeepSettings,
    EmbeddingSettings,
    LimitSettings,
    LogSettings,
    MilvusSettings,
    ModelsSettings,
    OidcSettings,
    ParsingSettings,
    PgVectorSettings,
    PriceSettings,
    ProviderSettings,
    QdrantSettings,
    RateSettings,
    UrlSettings,
)
from kaynak.settings.showing import EffectiveSetting, effective_settings, unknown_variables

__all__ = [
    "ArangoSettings",
    "AuthSettings",
    "CacheSettings",
    "DeepSettings",
    "EffectiveSetting",
    "EmbeddingSettings",
    "LimitSettings",
    "LogSettings",
    "MilvusSettings",
    "ModelsSettings",
    "OidcSettings",
    "ParsingSettings",
    "PgVectorSettings",
    "PriceSettings",
    "ProviderSettings",
    "QdrantSettings",
    "RateSettings",
    "Settings",
    "UrlSettings",
    "effective_settings",
    "load_settings",
    "outer_environment",
    "unknown_variables",
]
