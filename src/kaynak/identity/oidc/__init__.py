"""Signing in with OpenID Connect."""

from kaynak.identity.oidc.sign_in import SECONDS, OpenId, Started

__all__ = ["SECONDS", "OpenId", "Started"]
