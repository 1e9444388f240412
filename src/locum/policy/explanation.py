"""What an explained decision holds: plain values of bounded size that travel as JSON.

Texts of policies and requests are listed up to the bounds below; what was left out is counted in the ``cut`` of the
value that is short of it.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from .evaluate import Decision, Effect, Layer

__all__ = [
    "IMPOSSIBLE",
    "MAX_CHECKS",
    "MAX_DETAIL",
    "MAX_EXAMINED",
    "MAX_FIXES",
    "MAX_JSON",
    "MAX_KEYS",
    "MAX_POLICIES",
    "MAX_STATEMENTS",
    "MAX_TEXT",
    "MAX_VALUES",
    "Asked",
    "Check",
    "Entry",
    "Explanation",
    "Fix",
    "LayerReport",
    "PolicyReport",
    "StatementReport",
    "Verdict",
]

MAX_POLICIES: Final = 32
"""Policies that are listed of one layer."""
MAX_STATEMENTS: Final = 8
"""Statements that apply and are listed of one policy."""
MAX_CHECKS: Final = 32
"""Elements and conditions that are listed of one statement."""
MAX_VALUES: Final = 12
"""Values that are listed of one element, condition or context key."""
MAX_KEYS: Final = 128
"""Context keys that are listed of the request."""
MAX_TEXT: Final = 1_024
"""Characters of one value; a longer one ends in ``…``."""
MAX_FIXES: Final = 6
"""Obstacles that are named one after another."""
MAX_EXAMINED: Final = 64
"""Statements that are compared element by element in search of nearest misses; further ones are passed over."""
MAX_DETAIL: Final = 1_000_000
"""Characters of values in all statements together; beyond them statements are listed without their checks."""
MAX_JSON: Final = 16_777_216
"""Length of an explanation's JSON that is read back."""

IMPOSSIBLE: Final = "no policy can allow this"
"""How the text begins of a refusal that no policy lifts."""

_RESOURCE_SIDE: Final = frozenset({Layer.RESOURCE, Layer.TRUST, Layer.RESOURCE_CONTROL})
_OF_RESOURCE: Final = ("aws:resourcetag/", "iam:resourcetag/", "aws:resourceorg")


class Verdict(enum.Enum):
    """What the policies of a layer say together."""

    ALLOWS = "allows"
    DENIES = "denies"
    SILENT = "does not allow"


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One element or one condition of a statement against the request.

    ``element`` is ``Principal``, ``NotAction``, ``Condition`` …; ``operator`` and ``key`` are a condition's.
    ``wanted`` are the policy's values as written and ``resolved`` the same with variables substituted, empty where
    that changes nothing.  ``given`` are the request's values; ``absent`` tells that the request has none.
    """

    element: str
    held: bool
    operator: str = ""
    key: str = ""
    wanted: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    absent: bool = False
    hint: str = ""
    cut: int = 0


class StatementReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """A statement by its Sid and its place from 0, with its checks; it applies if all of them held."""

    index: int
    effect: str
    sid: str = ""
    checks: tuple[Check, ...] = ()
    cut: int = 0

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not hold."""
        return tuple(check for check in self.checks if not check.held)


class PolicyReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one policy says: the statements that apply and, where none of them allows, the nearest miss.

    ``problem`` tells why a policy cannot be read, which then denies everything (R28).  ``nearest`` is None for a
    policy that allows and for one without an Allow.
    """

    name: str
    statements: int
    problem: str = ""
    matched: tuple[StatementReport, ...] = ()
    nearest: StatementReport | None = None
    cut: int = 0


class LayerReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kind of policy that took part.

    ``level`` counts the levels of an organization from 1 at its root, and is 0 for other layers.  ``note`` says what
    the policies alone do not: that there are none, or that the caller does not need this layer's permission.
    """

    layer: Layer
    verdict: Verdict
    level: int = 0
    note: str = ""
    policies: tuple[PolicyReport, ...] = ()
    cut: int = 0


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A context key of the request with its values."""

    key: str
    values: tuple[str, ...] = ()
    cut: int = 0


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """The question.

    ``id`` is the caller's ``aws:userid``, ``unique_id`` the id that policies know, ``name`` that of a user.
    """

    kind: str
    action: str
    resource: str
    resource_account: str = ""
    arn: str = ""
    account: str = ""
    id: str = ""
    unique_id: str = ""
    name: str = ""
    context: tuple[Entry, ...] = ()
    cut: int = 0


class Fix(msgspec.Struct, frozen=True):
    """One thing that would have to be otherwise, and the layer whose refusal it lifts."""

    layer: Layer
    text: str


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A decision with its reasons: the question, what each layer said, and what would have allowed it.

    ``fixes`` are needed together, in this order; each was tried with the decision function.  They are empty for an
    allowed request; ``complete`` is False where they are not enough or no policy can allow the request.
    """

    decision: Decision
    asked: Asked
    layers: tuple[LayerReport, ...] = ()
    fixes: tuple[Fix, ...] = ()
    complete: bool = True

    @property
    def would_allow(self) -> str:
        """The fixes as one plain sentence; empty for an allowed request."""
        texts = [fix.text for fix in self.fixes]
        return "; and ".join([*texts, "more than this"] if self.needs_more else texts)

    @property
    def needs_more(self) -> bool:
        """Whether the fixes are not all that it takes, because there are too many or some are not for the reader."""
        return not self.complete and not any(fix.text.startswith(IMPOSSIBLE) for fix in self.fixes)

    def seen_from(self, account: str) -> Explanation:
        """The part of an explanation that is one account's own: across accounts, the other account's policies go.

        The rule of POL-MSG-008: a foreign caller does not learn what the resource's policies say.  What remains was
        found with the resource's tags in the context; for a reader who must not even learn that the resource exists
        (STS-E-017), explain the request without them and with a resource policy that allows everybody.
        """
        if not self.decision.cross_account:
            return self

        def visible(layer: Layer | None) -> bool:
            owner = self.asked.resource_account if layer in _RESOURCE_SIDE else self.asked.account
            return layer is not None and owner == account

        decision = self.decision
        if not visible(decision.layer):
            decision = msgspec.structs.replace(decision, layer=None, statements=())
            if not decision.allowed:
                decision = msgspec.structs.replace(decision, effect=Effect.IMPLICIT_DENY)
        fixes = tuple(fix for fix in self.fixes if visible(fix.layer))
        return msgspec.structs.replace(
            self,
            decision=decision,
            layers=tuple(layer for layer in self.layers if visible(layer.layer)),
            asked=msgspec.structs.replace(
                self.asked,
                context=tuple(
                    entry
                    for entry in self.asked.context
                    if account == self.asked.resource_account or not entry.key.lower().startswith(_OF_RESOURCE)
                ),
            ),
            fixes=fixes,
            complete=self.complete and len(fixes) == len(self.fixes),
        )

    def to_json(self) -> str:
        """The explanation as JSON; members that hold their default are left out."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Explanation:
        """Read :meth:`to_json` back; ValueError where ``text`` is something else or longer than MAX_JSON."""
        if len(text) > MAX_JSON:
            raise ValueError("an explanation's JSON is not that long")
        return msgspec.json.decode(text, type=cls)
