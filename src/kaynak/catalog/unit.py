from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.changes import Changes
from kaynak.catalog.chunks import Chunks
from kaynak.catalog.cited import Cited
from kaynak.catalog.collections import Collections
from kaynak.catalog.documents import Documents
from kaynak.catalog.embeddings import Embeddings
from kaynak.catalog.gate import Gate
from kaynak.catalog.generations import Generations
from kaynak.catalog.index_states import IndexStates
from kaynak.catalog.token_weights import TokenWeights
from kaynak.catalog.versions import Versions

if TYPE_CHECKING:
    from kaynak.catalog.api_keys import ApiKeys
    from kaynak.catalog.audit import Audit
    from kaynak.catalog.audit_rows import AuditRows
    from kaynak.catalog.budgets import Budgets
    from kaynak.catalog.conversations import Conversations
    from kaynak.catalog.drafts import Drafts
    from kaynak.catalog.figures import Figures
    from kaynak.catalog.grants import Grants
    from kaynak.catalog.groups import Groups
    from kaynak.catalog.jobs import Jobs
    from kaynak.catalog.messages import Messages
    from kaynak.catalog.model_calls import ModelCalls
    from kaynak.catalog.person_data import PersonData
    from kaynak.catalog.provider_keys import ProviderKeys
    from kaynak.catalog.scopes import Scopes
    from kaynak.catalog.sealed_secrets import SealedSecrets
    from kaynak.catalog.sessions import Sessions
    from kaynak.catalog.settings_kept import SettingsKept
    from kaynak.catalog.signing_keys import SigningKeys
    from kaynak.catalog.users import Users


class Unit:
    """A unit of work: one transaction on one connection, and the repositories that work in it.

    Attributes:
        connection: For statements that belong to no repository (locks, notifications, the job queue).
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    @cached_property
    def collections(self) -> Collections:
        """The collections."""
        return Collections(self.connection)

    @cached_property
    def generations(self) -> Generations:
        """Their index generations."""
        return Generations(self.connection)

    @cached_property
    def index_states(self) -> IndexStates:
        """How far their indexes are."""
        return IndexStates(self.connection)

    @cached_property
    def documents(self) -> Documents:
        """Their documents."""
        return Documents(self.connection)

    @cached_property
    def versions(self) -> Versions:
        """The versions of documents."""
        return Versions(self.connection)

    @cached_property
    def cited(self) -> Cited:
        """The versions of documents as citations see them."""
        return Cited(self.connection)

    @cached_property
    def chunks(self) -> Chunks:
        """The passages of versions."""
        return Chunks(self.connection)

    @cached_property
    def embeddings(self) -> Embeddings:
        """The vectors of passages."""
        return Embeddings(self.connection)

    @cached_property
    def token_weights(self) -> TokenWeights:
        """Weights of tokens of passages."""
        return TokenWeights(self.connection)

    @cached_property
    def changes(self) -> Changes:
        """The change log."""
        return Changes(self.connection)

    @cached_property
    def gate(self) -> Gate:
        """What may be seen of what engines found."""
        return Gate(self.connection)

    @cached_property
    def grants(self) -> Grants:
        """What people and groups are to collections."""
        from kaynak.catalog.grants import Grants

        return Grants(self.connection)

    @cached_property
    def figures(self) -> Figures:
        """Numbers about everything."""
        from kaynak.catalog.figures import Figures

        return Figures(self.connection)

    @cached_property
    def jobs(self) -> Jobs:
        """Durable background work."""
        from kaynak.catalog.jobs import Jobs

        return Jobs(self.connection)

    @cached_property
    def conversations(self) -> Conversations:
        """Conversations."""
        from kaynak.catalog.conversations import Conversations

        return Conversations(self.connection)

    @cached_property
    def messages(self) -> Messages:
        """Their messages."""
        from kaynak.catalog.messages import Messages

        return Messages(self.connection)

    @cached_property
    def drafts(self) -> Drafts:
        """Those of them that are being written."""
        from kaynak.catalog.drafts import Drafts

        return Drafts(self.connection)

    @cached_property
    def provider_keys(self) -> ProviderKeys:
        """The encrypted keys of providers of models."""
        from kaynak.catalog.provider_keys import ProviderKeys

        return ProviderKeys(self.connection)

    @cached_property
    def sealed_secrets(self) -> SealedSecrets:
        """The encrypted keys that encrypt secrets."""
        from kaynak.catalog.sealed_secrets import SealedSecrets

        return SealedSecrets(self.connection)

    @cached_property
    def model_calls(self) -> ModelCalls:
        """What was asked of language models, and what it cost."""
        from kaynak.catalog.model_calls import ModelCalls

        return ModelCalls(self.connection)

    @cached_property
    def budgets(self) -> Budgets:
        """Limits on that."""
        from kaynak.catalog.budgets import Budgets

        return Budgets(self.connection)

    @cached_property
    def audit(self) -> Audit:
        """The audit log: what is noted there is written when this unit is committed."""
        from kaynak.catalog.audit import Audit

        return Audit(self.connection)

    @cached_property
    def settings(self) -> SettingsKept:
        """Settings that are changed while the program runs."""
        from kaynak.catalog.settings_kept import SettingsKept

        return SettingsKept(self.connection)

    @cached_property
    def audit_rows(self) -> AuditRows:
        """The audit log, for those who read it."""
        from kaynak.catalog.audit_rows import AuditRows

        return AuditRows(self.connection)

    @cached_property
    def users(self) -> Users:
        """The accounts of people."""
        from kaynak.catalog.users import Users

        return Users(self.connection)

    @cached_property
    def groups(self) -> Groups:
        """Groups of people."""
        from kaynak.catalog.groups import Groups

        return Groups(self.connection)

    @cached_property
    def sessions(self) -> Sessions:
        """Where people are signed in."""
        from kaynak.catalog.sessions import Sessions

        return Sessions(self.connection)

    @cached_property
    def signing_keys(self) -> SigningKeys:
        """The encrypted keys that sign access tokens."""
        from kaynak.catalog.signing_keys import SigningKeys

        return SigningKeys(self.connection)

    @cached_property
    def api_keys(self) -> ApiKeys:
        """Keys with which programs act for people."""
        from kaynak.catalog.api_keys import ApiKeys

        return ApiKeys(self.connection)

    @cached_property
    def scopes(self) -> Scopes:
        """What people and keys may do."""
        from kaynak.catalog.scopes import Scopes

        return Scopes(self.connection)

    @cached_property
    def person_data(self) -> PersonData:
        """All that is held about a person."""
        from kaynak.catalog.person_data import PersonData

        return PersonData(self.connection)
