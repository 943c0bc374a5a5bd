"""Proof that nobody reads what they may not: a model of who may see what, and an installation that is held to it."""

from kaynak.testing.proof.company import Company, Leak
from kaynak.testing.proof.model import Caller, Document, Model, Person, Room

__all__ = ["Caller", "Company", "Document", "Leak", "Model", "Person", "Room"]
