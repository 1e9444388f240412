"""Which policies of a user or role a simulation leaves out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from locum.api.iam.simulation import InlinePolicyIdentifierType, PolicyIdentifier
from locum.arn import Arn
from locum.errors import InvalidInputException
from locum.policy.patterns import any_of, text_template

__all__ = ["Excluded", "excluded"]


_WILDCARD: Final = re.compile(r"[*?]")


class Excluded(NamedTuple):
    """The policies that identifiers name; those that name none are no mistake."""

    kinds: frozenset[str]
    arns: tuple[str, ...]
    inlines: tuple[InlinePolicyIdentifierType, ...]

    @property
    def boundary(self) -> bool:
        """Whether a permissions boundary is left out."""
        return "permission-boundary" in self.kinds

    def managed(self, policy_arn: str, *, aws: bool) -> bool:
        """Whether an attached managed policy is left out; ``aws`` tells that it is one of AWS's."""
        if ("aws-managed" if aws else "user-managed") in self.kinds:
            return True
        return any(_matches(pattern, policy_arn) for pattern in self.arns)

    def inline(self, kind: str, holder: str, name: str) -> bool:
        """Whether an inline policy of a user or role is left out."""
        return "inline" in self.kinds or any(
            each.attachment_type == kind and each.policy_name == name and _matches(each.attachment_name, holder)
            for each in self.inlines
        )


def excluded(identifiers: Sequence[PolicyIdentifier]) -> Excluded:
    """What a list of identifiers leaves out; InvalidInput for one that does not say exactly one thing."""
    kinds: set[str] = set()
    arns: list[str] = []
    inlines: list[InlinePolicyIdentifierType] = []
    for identifier in identifiers:
        named = (identifier.policy_type, identifier.policy_arn, identifier.inline_policy_identifier)
        if sum(each is not None for each in named) != 1:
            raise InvalidInputException("A policy identifier must have exactly one member.")
        if identifier.policy_type is not None:
            kinds.add(identifier.policy_type)
        if identifier.policy_arn is not None:
            _check_arn(identifier.policy_arn)
            arns.append(identifier.policy_arn)
        if identifier.inline_policy_identifier is not None:
            inline = identifier.inline_policy_identifier
            _check_stars(inline.attachment_name)
            inlines.append(inline)
    return Excluded(frozenset(kinds), tuple(arns), tuple(inlines))


def _check_arn(text: str) -> None:
    """Refuse what is no ARN of a managed policy, or has wildcards before its path and name."""
    try:
        parsed = Arn.parse(text)
    except ValueError:
        raise InvalidInputException(f"ARN {text} is not valid.") from None
    is_policy = parsed.service == "iam" and not parsed.region and parsed.kind == "policy"
    if not is_policy or _WILDCARD.search(f"{parsed.partition}:{parsed.account}"):
        raise InvalidInputException(f"ARN {text} is not valid.")
    _check_stars(parsed.resource)


def _check_stars(text: str) -> None:
    if text.count("*") > 1:
        raise InvalidInputException(f"{text} has more than one *.")


def _matches(pattern: str, text: str) -> bool:
    matcher = any_of([text_template(pattern, variables=False)])
    return matcher is None or matcher(text, {})
