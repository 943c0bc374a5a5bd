"""The catalog: PostgreSQL is the truth. This is its door.

Names are looked up on first use: the database libraries take longer to import than ``kaynak --help`` may.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kaynak.catalog.audit import Head
    from kaynak.catalog.audit_rows import words_of
    from kaynak.catalog.audit_writer import AuditWriter
    from kaynak.catalog.blobs import BlobStore, LocalBlobStore
    from kaynak.catalog.budgets import BudgetName
    from kaynak.catalog.catalog import Catalog
    from kaynak.catalog.changes import CHANNEL
    from kaynak.catalog.choosing import chosen, count_chosen
    from kaynak.catalog.cited import CitedVersion
    from kaynak.catalog.completing import ToEmbed, Uncut, lacking, preparing_lock, to_embed, uncut
    from kaynak.catalog.describing import describe, given_titles, lock_documents, unnamed
    from kaynak.catalog.drafts import DraftText
    from kaynak.catalog.embedded import EmbeddedPostgres
    from kaynak.catalog.examining import (
        contents,
        embeddings_left,
        generations_ever,
        holdings,
        incomplete,
        miscounted,
        originals_of,
        recount,
        remains,
        texts_of,
    )
    from kaynak.catalog.failures import translated
    from kaynak.catalog.jobs import JOBS_CHANNEL, NewItem, Started
    from kaynak.catalog.looking import Look
    from kaynak.catalog.master_keys import MasterKeys
    from kaynak.catalog.metadata import validate_metadata
    from kaynak.catalog.migrate import head_migration
    from kaynak.catalog.model_calls import ModelCallRow
    from kaynak.catalog.reading import Excerpt, excerpts, first_pages
    from kaynak.catalog.records import (
        Admitted,
        Change,
        ChunkRow,
        Details,
        IndexedChunk,
        NewVersion,
        Operation,
        Original,
        Passage,
        PendingVersion,
        Removed,
        VersionRecord,
        VersionText,
    )
    from kaynak.catalog.retitling import TitledPassage, rehash, retitled_of_job, retitled_passages, titles_now
    from kaynak.catalog.scopes import Resolved
    from kaynak.catalog.secrets import Rotation, Secrets
    from kaynak.catalog.signing_keys import SigningKeyRow
    from kaynak.catalog.token_weights import unpack_weights
    from kaynak.catalog.unit import Unit
    from kaynak.catalog.users import Credentials
    from kaynak.catalog.vault import Vault

_HOMES = {
    "audit": ("Head",),
    "audit_rows": ("words_of",),
    "audit_writer": ("AuditWriter",),
    "blobs": ("BlobStore", "LocalBlobStore"),
    "budgets": ("BudgetName",),
    "catalog": ("Catalog",),
    "changes": ("CHANNEL",),
    "choosing": ("chosen", "count_chosen"),
    "cited": ("CitedVersion",),
    "describing": ("describe", "given_titles", "lock_documents", "unnamed"),
    "drafts": ("DraftText",),
    "embedded": ("EmbeddedPostgres",),
    "failures": ("translated",),
    "jobs": ("JOBS_CHANNEL", "NewItem", "Started"),
    "looking": ("Look",),
    "master_keys": ("MasterKeys",),
    "metadata": ("validate_metadata",),
    "migrate": ("head_migration",),
    "model_calls": ("ModelCallRow",),
    "reading": ("Excerpt", "excerpts", "first_pages"),
    "records": (
        "Admitted",
        "Change",
        "ChunkRow",
        "Details",
        "IndexedChunk",
        "NewVersion",
        "Operation",
        "Original",
        "Passage",
        "PendingVersion",
        "Removed",
        "VersionRecord",
        "VersionText",
    ),
    "examining": (
        "contents",
        "embeddings_left",
        "generations_ever",
        "holdings",
        "incomplete",
        "miscounted",
        "originals_of",
        "recount",
        "remains",
        "texts_of",
    ),
    "completing": ("ToEmbed", "Uncut", "lacking", "preparing_lock", "to_embed", "uncut"),
    "retitling": ("TitledPassage", "rehash", "retitled_of_job", "retitled_passages", "titles_now"),
    "scopes": ("Resolved",),
    "secrets": ("Rotation", "Secrets"),
    "signing_keys": ("SigningKeyRow",),
    "token_weights": ("unpack_weights",),
    "unit": ("Unit",),
    "users": ("Credentials",),
    "vault": ("Vault",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CHANNEL",
    "JOBS_CHANNEL",
    "Admitted",
    "AuditWriter",
    "BlobStore",
    "BudgetName",
    "Catalog",
    "Change",
    "ChunkRow",
    "CitedVersion",
    "Credentials",
    "Details",
    "DraftText",
    "EmbeddedPostgres",
    "Excerpt",
    "Head",
    "IndexedChunk",
    "LocalBlobStore",
    "Look",
    "MasterKeys",
    "ModelCallRow",
    "NewItem",
    "NewVersion",
    "Operation",
    "Original",
    "Passage",
    "PendingVersion",
    "Removed",
    "Resolved",
    "Rotation",
    "Secrets",
    "SigningKeyRow",
    "Started",
    "TitledPassage",
    "ToEmbed",
    "Uncut",
    "Unit",
    "Vault",
    "VersionRecord",
    "VersionText",
    "chosen",
    "contents",
    "count_chosen",
    "describe",
    "embeddings_left",
    "excerpts",
    "first_pages",
    "generations_ever",
    "given_titles",
    "head_migration",
    "holdings",
    "incomplete",
    "lacking",
    "lock_documents",
    "miscounted",
    "originals_of",
    "preparing_lock",
    "recount",
    "rehash",
    "remains",
    "retitled_of_job",
    "retitled_passages",
    "texts_of",
    "titles_now",
    "to_embed",
    "translated",
    "uncut",
    "unnamed",
    "unpack_weights",
    "validate_metadata",
    "words_of",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
