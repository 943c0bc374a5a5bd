"""The tables. Alembic migrations in ``migrations/`` must agree with them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR, UUID

metadata = MetaData(
    schema="kaynak",
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)


def _now() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


collections = Table(
    "collections",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("language", Text),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    # Readable documents, kept with every change: every search reads this row, and counting takes too long.
    Column("documents", BigInteger, nullable=False, server_default="0"),
    # How answers are written from it: model, fallbacks, settings, policy, depth; what is missing is the default.
    Column("answering", JSONB, nullable=False, server_default="{}"),
    # Documents with a list of readers, kept with every change: where there are none, searches need no filter.
    Column("restricted", BigInteger, nullable=False, server_default="0"),
    _now(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

generations = Table(
    "generations",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("collection_id", ForeignKey("kaynak.collections.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("spec", JSONB, nullable=False),
    Column("chunker_fingerprint", Text, nullable=False),
    Column("embedder_fingerprint", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("chunks", BigInteger, nullable=False, server_default="0"),  # of current versions, as `documents`
    _now(),
    Column("state", Text, nullable=False, server_default="ready"),  # building | ready
    Column("error", Text),  # nobody writes it: no build is given up, and what one waits for its sides say
    Column("verdict", JSONB(none_as_null=True)),  # of the last verification
    Column("activated_at", DateTime(timezone=True)),  # the one before the active one is what is rolled back to
    Column("weights_fingerprint", Text),  # null: the lexical index holds words
    Index("uq_generations_active", "collection_id", unique=True, postgresql_where=text("active")),
)

# How far each index is, as its follower last said; of indexes in files, for each host that has them.
index_states = Table(
    "index_states",
    metadata,
    Column("generation_id", ForeignKey("kaynak.generations.id", ondelete="CASCADE"), primary_key=True),
    Column("side", Text, primary_key=True),  # dense | lexical
    Column("host", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    # While it is being filled: the last document that is in it, and the revision of the collection when that began.
    Column("cursor", UUID(as_uuid=True)),
    Column("base", BigInteger, nullable=False, server_default="0"),
    Column("entries", BigInteger, nullable=False, server_default="0"),
    Column("error", Text),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# Documents that an index cannot take: they do not hold up the others.
index_faults = Table(
    "index_faults",
    metadata,
    Column("generation_id", ForeignKey("kaynak.generations.id", ondelete="CASCADE"), primary_key=True),
    Column("side", Text, primary_key=True),
    Column("document_id", UUID(as_uuid=True), primary_key=True),
    Column("error", Text, nullable=False),
    _now(),
)

documents = Table(
    "documents",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("collection_id", ForeignKey("kaynak.collections.id", ondelete="CASCADE"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("title", Text),  # the caller's; the version's own title stands in when it is null
    Column("metadata", JSONB, nullable=False, server_default="{}"),
    # The readable version that searches see; null until one is ready.
    Column("current_version_id", UUID(as_uuid=True)),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    # Who may read it, of those who may read the collection: people, groups, and the collection itself, which stands for
    # its owners; null: all of them. See `Scope.principals`.
    Column("readers", ARRAY(UUID(as_uuid=True))),
    _now(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("collection_id", "external_id"),
    Index("ix_documents_collection_id_id", "collection_id", "id"),  # lists go by it
    Index("ix_documents_readers", "readers", postgresql_using="gin", postgresql_where=text("readers IS NOT NULL")),
    Index(
        "ix_documents_metadata",
        "metadata",
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
    ),
)

document_versions = Table(
    "document_versions",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("document_id", ForeignKey("kaynak.documents.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("job_id", ForeignKey("kaynak.jobs.id", ondelete="SET NULL"), index=True),
    Column("state", Text, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),  # SHA-256 of the original; also its blob key
    Column("filename", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("claimed_type", Text),
    Column("password", Text),  # kept only until the version is parsed
    # Filled by parsing:
    Column("parser_fingerprint", Text),
    Column("media_type", Text),
    Column("language", Text),
    Column("title", Text),
    Column("text", Text),
    Column("pages", JSONB),
    Column("blocks", JSONB),
    Column("properties", JSONB, nullable=False, server_default="{}"),
    Column("warnings", JSONB, nullable=False, server_default="[]"),
    Column("error", Text),
    Column("error_code", Text),
    Column("error_hint", Text),
    _now(),
    Column("ready_at", DateTime(timezone=True)),
    UniqueConstraint("document_id", "number"),
    Index("ix_document_versions_content_hash", "content_hash"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("collection_id", UUID(as_uuid=True), nullable=False),
    Column("document_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("version_id", ForeignKey("kaynak.document_versions.id", ondelete="CASCADE"), nullable=False),
    Column("chunker_fingerprint", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    # A copy of text[start:end]: a slice of a large compressed text would be unpacked whole for every hit.
    Column("text", Text, nullable=False),
    Column("headings", ARRAY(Text), nullable=False),
    # Hash of what is embedded (title, headings and text); the key into embeddings.
    Column("text_hash", LargeBinary, nullable=False, index=True),
    UniqueConstraint("version_id", "chunker_fingerprint", "ordinal"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("embedder_fingerprint", Text, primary_key=True),
    Column("text_hash", LargeBinary, primary_key=True),
    # Little-endian float16, unit length; by the fingerprint of what weighs tokens: see `token_weights`.
    Column("vector", LargeBinary, nullable=False),
)

change_log = Table(
    "change_log",
    metadata,
    Column("collection_id", ForeignKey("kaynak.collections.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("document_id", UUID(as_uuid=True), nullable=False),
    Column("operation", Text, nullable=False),  # put | delete
    _now(),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("collection_id", ForeignKey("kaynak.collections.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("state", Text, nullable=False, index=True),
    Column("progress", JSONB, nullable=False, server_default="{}"),  # stage -> [done, total]
    Column("attempts", Integer, nullable=False, server_default="0"),
    # Starts since the job last got further; too many make it a dead letter.
    Column("setbacks", Integer, nullable=False, server_default="0"),
    Column("cancel_requested", Boolean, nullable=False, server_default="false"),
    Column("error", Text),
    _now(),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
)

job_items = Table(
    "job_items",
    metadata,
    Column("job_id", ForeignKey("kaynak.jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("external_id", Text, nullable=False),
    Column("document_id", UUID(as_uuid=True), index=True),
    Column("version_id", UUID(as_uuid=True), index=True),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
    Column("error_code", Text),
    Column("error_hint", Text),
    # As the document's, kept with every change of those: an item outlives its document, and not all become one.
    Column("readers", ARRAY(UUID(as_uuid=True))),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("owner", Text, nullable=False),  # who asks, as `Scope.subject`
    Column("title", Text, nullable=False, server_default=""),
    Column("collections", ARRAY(Text), nullable=False),
    Column("answering", JSONB, nullable=False, server_default="{}"),  # as of collections
    Column("filter", JSONB(none_as_null=True)),  # as the caller gave it
    Column("summary", Text),  # of the messages up to `summary_of`
    Column("summary_of", UUID(as_uuid=True)),
    # The words of the title, as `search_words` folds them: lower() of the server knows no Turkish.
    Column("words", TSVECTOR, nullable=False, server_default=text("''::tsvector")),
    _now(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_conversations_owner_updated_at", "owner", "updated_at", "id"),
    Index("ix_conversations_words", "words", postgresql_using="gin"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("conversation_id", ForeignKey("kaynak.conversations.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", ForeignKey("kaynak.messages.id", ondelete="CASCADE"), index=True),  # branches share parents
    Column("role", Text, nullable=False),  # user | assistant
    Column("state", Text, nullable=False),  # writing | complete | partial | failed
    Column("content", Text, nullable=False),
    Column("asked", Text),  # the question as it stands alone, which the index was asked
    Column("answer", JSONB(none_as_null=True)),  # sentences, citations with exact places, verdicts, usage
    # Documents whose passages it was written from, and those of the messages that it builds on: who may not read
    # one of them any more may not read the message.
    Column("sources", ARRAY(UUID(as_uuid=True)), nullable=False, server_default="{}"),
    Column("error", Text),
    Column("stop_requested", Boolean, nullable=False, server_default="false"),
    Column("words", TSVECTOR, nullable=False, server_default=text("''::tsvector")),
    _now(),
    # While it is being written, the writer's last sign of life.
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_messages_conversation_id_created_at", "conversation_id", "created_at", "id"),
    Index("ix_messages_words", "words", postgresql_using="gin"),
    Index("ix_messages_state", "state", postgresql_where=text("state = 'writing'")),
)

provider_keys = Table(
    "provider_keys",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),  # encrypted with the key of the installation
    _now(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

model_calls = Table(
    "model_calls",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("collection", Text),  # by name: what was spent stays known when it is deleted
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("purpose", Text, nullable=False),  # answer | rewrite | verify | expand | summary | …
    Column("outcome", Text, nullable=False),  # running | complete | stopped | failed
    Column("error", Text),  # type of the error it failed with
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    # Whether the tokens are an estimate of ours: the provider did not say, or the call did not end.
    Column("estimated", Boolean, nullable=False, server_default="false"),
    # US dollars; of a running call what it may cost, so that budgets count it; null where the price is not known.
    Column("cost", Numeric(14, 8)),
    Column("milliseconds", Integer, nullable=False),
    _now(),
    # Budgets add up the cost before every call: from the index alone, where it is tidy.
    Index("ix_model_calls_created_at", "created_at", postgresql_include=["cost"]),
    Index("ix_model_calls_collection_created_at", "collection", "created_at", postgresql_include=["cost"]),
    Index("ix_model_calls_owner_created_at", "owner", "created_at", postgresql_include=["cost"]),
)

budgets = Table(
    "budgets",
    metadata,
    Column("kind", Text, primary_key=True),  # installation | collection | owner
    Column("subject", Text, primary_key=True),
    Column("period", Text, primary_key=True),  # day | month | total
    Column("limit", Numeric(14, 4), nullable=False),  # US dollars
    _now(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
