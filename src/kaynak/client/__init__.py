"""A small typed client of the HTTP API. Needs httpx; returns the same nouns as the in-process services."""

from kaynak.client.asynchronous import AsyncClient
from kaynak.client.results import DeletedDocuments, DocumentText, Submission, TextInput
from kaynak.client.synchronous import Client

__all__ = ["AsyncClient", "Client", "DeletedDocuments", "DocumentText", "Submission", "TextInput"]
