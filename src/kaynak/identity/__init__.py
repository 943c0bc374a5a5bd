"""Who people are, how they prove it, and what follows from it for what they may do."""

from kaynak.identity.callers import THE_OWNER, Caller, Callers, Calling
from kaynak.identity.groups import GroupsOfPeople
from kaynak.identity.identity import Identity
from kaynak.identity.keys import Keys, KeyWish, NewKey
from kaynak.identity.me import Account, Me
from kaynak.identity.oidc import OpenId
from kaynak.identity.options import Algorithm, IdentityOptions, OidcOptions
from kaynak.identity.people import People
from kaynak.identity.setup import Setup
from kaynak.identity.sharing import Sharing
from kaynak.identity.sign_in import Client, SignedIn, SignIns

__all__ = [
    "THE_OWNER",
    "Account",
    "Algorithm",
    "Caller",
    "Callers",
    "Calling",
    "Client",
    "GroupsOfPeople",
    "Identity",
    "IdentityOptions",
    "KeyWish",
    "Keys",
    "Me",
    "NewKey",
    "OidcOptions",
    "OpenId",
    "People",
    "Setup",
    "Sharing",
    "SignIns",
    "SignedIn",
]
