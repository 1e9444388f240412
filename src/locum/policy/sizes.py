"""How large a document of each kind may be (policy.md section 8)."""

from __future__ import annotations

from typing import Final, NamedTuple

from .document import PolicyKind

__all__ = ["INLINE_SIZES", "SIZES", "SizeLimit"]


class SizeLimit(NamedTuple):
    """A limit in characters.  ``quota`` is AWS's name of it, empty where it cannot be changed.

    ``maximum`` is what the limit can be raised to.  ``counts_space`` tells whether white space outside strings
    counts (:func:`locum.policy.counted_size` where not).
    """

    quota: str
    characters: int
    maximum: int
    counts_space: bool = False


SIZES: Final = {
    PolicyKind.MANAGED: SizeLimit("PolicySize", 6_144, 6_144),
    PolicyKind.TRUST: SizeLimit("ACLSizePerRole", 2_048, 8_192),
    PolicyKind.INLINE: SizeLimit("RolePolicySize", 10_240, 10_240),
    PolicyKind.SESSION: SizeLimit("", 2_048, 2_048, counts_space=True),
    PolicyKind.SERVICE_CONTROL: SizeLimit("", 10_240, 10_240, counts_space=True),
    PolicyKind.RESOURCE_CONTROL: SizeLimit("", 5_120, 5_120, counts_space=True),
}
"""Kind of policy → its limit (POL-LM-001…004, POL-LM-008); of inline policies the largest, a role's."""

INLINE_SIZES: Final = {
    "user": SizeLimit("UserPolicySize", 2_048, 2_048),
    "group": SizeLimit("GroupPolicySize", 5_120, 5_120),
    "role": SIZES[PolicyKind.INLINE],
}
"""Kind of holder → the limit of all its inline policies together (POL-LM-002)."""
