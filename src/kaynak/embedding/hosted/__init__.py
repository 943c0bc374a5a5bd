"""Embedding models that run elsewhere and are asked over HTTP.

What needs the HTTP client is imported from its module when a model is first opened: `kaynak.embedding.hosted.opening`.
"""

from kaynak.embedding.hosted.options import HostedOptions, HostedProvider, Wire

__all__ = ["HostedOptions", "HostedProvider", "Wire"]
