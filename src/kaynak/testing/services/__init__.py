"""A local server that speaks the formats of services for embeddings and re-ranking, with their faults.

with ServiceServer() as server:
    url = server.url("gemini")
"""

from kaynak.testing.services.faults import ServiceFault
from kaynak.testing.services.options import hosted_options
from kaynak.testing.services.server import KEY, Received, ServiceServer

__all__ = ["KEY", "Received", "ServiceFault", "ServiceServer", "hosted_options"]
