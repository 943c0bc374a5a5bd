"""A small typed client of the HTTP API. Needs httpx; returns the same nouns as the in-process services."""

from kaynak.client.asynchronous import AsyncClient
from kaynak.client.results import DocumentText, Submission, TextInput
from kaynak.client.synchronous import Client

__all__ = ["AsyncClient", "Client", "DocumentText", "Submission", "TextInput"]
