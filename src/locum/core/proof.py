"""What a proof from an identity provider shows, and the checks on the way to it.

:mod:`locum.core.oidc` and :mod:`locum.core.saml` verify a proof against given keys and return a
:class:`FederatedIdentity`; whoever wants to know how it went hands them a :class:`Trail`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from locum.api.sts import Tag
from locum.policy import Principal

__all__ = ["Check", "FederatedIdentity", "Trail"]


class FederatedIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a verified proof speaks of, and what it says about them.

    ``principal`` is the bearer as trust policies name it: by the provider's ARN, or by its built-in name.  ``keys`` are
    the condition keys that the trust policy may ask for, names in lower case; ``lasting`` those of them that stay in
    the session (STS-WI-036, section 11.8).  ``tags``, ``transitive_tag_keys`` and ``source_identity`` are what the
    proof asks for in the session.

    Only SAML gives ``session_name``, ``subject_type`` and ``name_qualifier``, and bounds the session: ``until`` is an
    epoch second, ``duration`` a number of seconds.
    """

    principal: Principal
    issuer: str
    subject: str
    audience: str
    keys: Mapping[str, str | tuple[str, ...]] = {}
    lasting: tuple[str, ...] = ()
    tags: tuple[Tag, ...] = ()
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str | None = None
    session_name: str | None = None
    subject_type: str = ""
    name_qualifier: str = ""
    until: int | None = None
    duration: int | None = None


class Check(msgspec.Struct, frozen=True):
    """One check of a proof: its name, how it went, and both compared values, which never hold the proof itself."""

    name: str
    passed: bool
    expected: str = ""
    found: str = ""


class Trail:
    """The checks of one verification, in their order; the last one that did not pass is why it was refused."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def note(self, name: str, passed: bool, *, expected: str = "", found: str = "") -> None:
        """Write down a check and its outcome."""
        self.checks.append(Check(name, passed, expected, found))
