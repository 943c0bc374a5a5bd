"""An honest stand-in for an ArangoDB server: what its documentation says, by version, and nothing else."""

from kaynak.testing.arangodb.refusals import Refusal
from kaynak.testing.arangodb.server import ArangoServer

__all__ = ["ArangoServer", "Refusal"]
