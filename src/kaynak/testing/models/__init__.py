"""A local server that speaks the wire formats of seven providers of language models, with their faults.

async with ModelServer(reply="Twenty-six days [1].") as server:
    url = server.url("anthropic")
"""

from kaynak.testing.models.exchange import KEY, Chat, ReceivedRequest, Reply
from kaynak.testing.models.faults import Fault
from kaynak.testing.models.server import PROVIDERS, ModelServer, ThreadedModelServer

__all__ = [
    "KEY",
    "PROVIDERS",
    "Chat",
    "Fault",
    "ModelServer",
    "ReceivedRequest",
    "Reply",
    "ThreadedModelServer",
]
