"""What the store keeps of delegation requests.  Times are whole seconds since the epoch, principals are unique ids."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from locum.core.organization_records import name_mark
from locum.core.record import InstallationRecord
from locum.core.session import Federation, Tags

__all__ = ["DelegationRequest", "Grant", "Parameter"]


class Parameter(msgspec.Struct, frozen=True, gc=False):
    """A value for a placeholder, as it was given; ``listed`` of the type ``stringList``."""

    name: str
    values: tuple[str, ...]
    listed: bool


class Grant(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Whose rights are delegated, and what of the session that said so stays with the delegated one.

    ``principal`` is the user or role, ``granted`` when it accepted, ``lineage`` the credentials that led there.
    """

    principal: str
    arn: str
    granted: int
    lineage: tuple[str, ...]
    tags: Tags = ()
    transitive_tags: Tags = ()
    source_identity: str | None = None
    federation: Federation | None = None


class DelegationRequest(InstallationRecord, frozen=True, kw_only=True):
    """A delegation request (IAM-SHD-004).

    ``requestor`` is the account that asks.  ``policy`` is what the template came to when the request was made: nothing
    that happens to the template later changes what is asked for.  ``owner`` is a principal and ``owner_arn`` how it
    was called; ``owner_account`` may be known before.  ``state`` is the one that was last written, at ``updated``;
    time alone makes it ``EXPIRED`` (:func:`~locum.core.delegation.state_at`).
    """

    kind: ClassVar[str] = "delegation-request"
    requestor: str
    workflow: str
    template: str
    policy: str
    description: str
    channel: str
    duration: int
    created: int
    updated: int
    state: str = "UNASSIGNED"
    parameters: tuple[Parameter, ...] = ()
    message: str | None = None
    redirect: str | None = None
    only_send_by_owner: bool = False
    owner_account: str = ""
    owner: str = ""
    owner_arn: str = ""
    approver_arn: str = ""
    grant: Grant | None = None
    notes: str | None = None
    rejection: str | None = None

    @property
    def indexes(self) -> list[tuple[str, str]]:
        rows = [
            ("delegation-requestor", self.requestor),
            ("delegation-workflow", name_mark(self.requestor, self.workflow)),
        ]
        if self.owner:
            rows.append(("delegation-owner", self.owner_account))
        return rows
