"""The dialect of OpenAI's API: a collection answers as if it were a model. See docs/openai.md.

Addresses, bodies and errors are OpenAI's, so that their clients and those of others work as they are. The addresses
are not in our OpenAPI document, whose errors are problem documents.
"""

from kaynak.api.openai.routes import router

__all__ = ["router"]
