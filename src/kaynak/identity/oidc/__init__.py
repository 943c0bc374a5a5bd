"""Signing in with OpenID Connect."""

from kaynak.identity.oidc.client_secret import ClientSecret
from kaynak.identity.oidc.sign_in import SECONDS, OpenId, Started

__all__ = ["SECONDS", "ClientSecret", "OpenId", "Started"]
