"""A plain reference evaluator: policy documents as JSON values, one decision, no preparation of any kind.

Written from the reference (policy.md) alone, statement by statement and as directly as possible, to be compared with
the compiled engine.  Open points (policy.md §21) follow the rule of the project: a Deny applies, an Allow does not.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Values = Mapping[str, "str | tuple[str, ...]"]
Document = dict[str, Any]


@dataclass
class Question:
    """A request in the shape of the cases file, with the policies around it."""

    principal: dict[str, Any]
    action: str
    resource: str
    resource_account: str
    context: Values
    identity: list[Document] = field(default_factory=list)
    boundary: Document | None = None
    session: list[Document] | None = None
    resource_policy: Document | None = None
    required: bool = False
    trust: bool = False
    scps: list[list[Document]] | None = None
    rcps: list[list[Document]] | None = None


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def glob(pattern: list[str], text: str, crosses: Callable[[int], bool] = lambda _: True) -> bool:
    """Whole-text matching by dynamic programming.

    ``pattern`` holds ``*`` and ``?`` as wildcards and each other element as literal text; a wildcard at an index
    that does not cross does not match a colon.
    """
    reachable = {0}
    for index, piece in enumerate(pattern):
        following: set[int] = set()
        for start in reachable:
            if piece == "*":
                end = start
                following.add(end)
                while end < len(text) and (crosses(index) or text[end] != ":"):
                    end += 1
                    following.add(end)
            elif piece == "?":
                if start < len(text) and (crosses(index) or text[start] != ":"):
                    following.add(start + 1)
            else:
                literal = piece[1:]
                if text.startswith(literal, start):
                    following.add(start + len(literal))
        reachable = following
    return len(text) in reachable


def pieces(text: str, context: Values, *, variables: bool, wildcards: bool) -> list[str] | None:
    """A policy's text as elements for :func:`glob`: literals begin with ``=``; None where a variable has no value."""
    out: list[str] = []
    position = 0
    while position < len(text):
        if variables and (match := re.match(r"\$\{([*?$])\}", text[position:])):
            out.append("=" + match.group(1))
        elif variables and (match := re.match(r"\$\{([^,'${}*?]+)(?:, '([^']*)')?\}", text[position:])):
            value = context.get(match.group(1).lower())
            if not isinstance(value, str):
                value = match.group(2)
            if value is None:
                return None
            out.append("=" + value)
        elif wildcards and text[position] in "*?":
            out.append(text[position])
            position += 1
            continue
        else:
            out.append("=" + text[position])
            position += 1
            continue
        position += match.end()
    return out


def action_matches(pattern: str, action: str, generous: bool) -> bool:
    vendor, colon, _ = pattern.partition(":")
    if pattern != "*" and not generous and (not colon or re.search(r"[*?]", vendor)):
        return False
    parts = pieces(pattern.lower(), {}, variables=False, wildcards=True)
    return parts is not None and glob(parts, action.lower())


def resource_matches(pattern: str, resource: str, context: Values, variables: bool, generous: bool) -> bool:
    if pattern == "*":
        return True
    bare = re.sub(r"\$\{[^{}]*\}", "", pattern) if variables else pattern
    while pattern.startswith("arn:") and bare.count(":") < 5:
        pattern += ":*"
        bare += ":*"
    # The segment of each piece, counted in the policy's own text.
    out: list[str] = []
    segments: list[int] = []
    colons = 0
    for token in re.findall(r"\$\{[^{}]*\}|.", pattern, re.DOTALL) if variables else list(pattern):
        made = pieces(token, context, variables=variables, wildcards=True)
        escaped = token in ("${*}", "${?}", "${$}")
        is_variable = (
            len(token) > 1
            and not escaped
            and (made is None or made != pieces(token, {}, variables=False, wildcards=False))
        )
        if is_variable and colons < 5 and pattern.startswith("arn:") and not generous:
            return False
        if made is None:
            return False
        if made in (["*"], ["?"]) and colons == 2 and pattern.startswith("arn:") and not generous:
            return False
        if token == "*" and out and out[-1] == "*":
            continue
        out += made
        segments += [colons] * len(made)
        if token == ":":
            colons += 1
    own_text = [len(piece) == 2 for piece in out]

    def crosses(index: int) -> bool:
        if segments[index] >= 5 and (generous or out[index] == "*"):
            return True
        if out[index] == "?":
            return False
        return index + 1 == len(out) or (out[index + 1] == "=:" and own_text[index + 1])

    return glob(out, resource, crosses)


def arn_matches(pattern: str, value: str, context: Values, variables: bool, generous: bool) -> bool:
    if value.count(":") < 5:
        return False
    tokens = re.findall(r"\$\{[^{}]*\}|.", pattern, re.DOTALL) if variables else list(pattern)
    components: list[list[str]] = [[]]
    for token in tokens:
        made = pieces(token, context, variables=variables, wildcards=True)
        if made is None:
            return False
        if token == ":" and len(components) < 6:
            components.append([])
        else:
            components[-1] += made
    if len(components) < 6:
        return generous
    parts = value.split(":", 5)
    return all(glob(component, part) for component, part in zip(components, parts, strict=True))


def instant(text: str) -> datetime.datetime | None:
    if re.fullmatch(r"[+-]?[0-9]{1,10}", text):
        return datetime.datetime.fromtimestamp(int(text), datetime.UTC)
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else None


def number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text) else None


def compare(operator: str, left: Any, right: Any) -> bool:
    """``LessThanEquals`` and so on of two values that may be unreadable."""
    if left is None or right is None:
        return False
    return bool(
        {
            "Equals": left == right,
            "LessThan": left < right,
            "LessThanEquals": left <= right,
            "GreaterThan": left > right,
            "GreaterThanEquals": left >= right,
        }[operator]
    )


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def address_matches(range_: str, value: str, generous: bool) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    network = ipaddress.ip_network(range_, strict=False)
    return address.version == network.version and address in network


def positive_matches(operator: str, policy: str, value: str, context: Values, variables: bool, generous: bool) -> bool:
    if operator in ("StringEquals", "StringEqualsIgnoreCase", "StringLike"):
        parts = pieces(policy, context, variables=variables, wildcards=operator == "StringLike")
        if parts is None:
            return False
        if operator == "StringLike":
            return glob(parts, value)
        text = "".join(part[1:] for part in parts)
        return text.lower() == value.lower() if operator.endswith("IgnoreCase") else text == value
    if operator.startswith("Numeric"):
        return compare(operator.removeprefix("Numeric"), number(value), number(policy))
    if operator.startswith("Date"):
        return compare(operator.removeprefix("Date"), instant(value), instant(policy))
    if operator == "Bool":
        return (value.lower() == "true") is (policy.lower() == "true")
    if operator == "BinaryEquals":
        try:
            return base64.b64decode(policy, validate=True) == base64.b64decode(value, validate=True)
        except ValueError:
            return False
    if operator == "IpAddress":
        return address_matches(policy, value, generous)
    if operator in ("ArnEquals", "ArnLike"):
        return arn_matches(policy, value, context, variables, generous)
    raise AssertionError(operator)


NEGATED = re.compile(r"(String|Numeric|Date|Arn)Not(Equals|Like)(IgnoreCase)?|NotIpAddress")


def condition_holds(name: str, key: str, values: list[str], context: Values, variables: bool, generous: bool) -> bool:
    quantifier, _, operator = name.rpartition(":")
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    given = context.get(key.lower())
    if operator == "Null":
        absent = given is None or given == ()
        return ("true" if absent else "false") in values
    negated = NEGATED.fullmatch(operator) is not None
    base = operator.replace("Not", "")

    def satisfied(value: str) -> bool:
        if (base.startswith("Arn") and value.count(":") < 5) or (base == "IpAddress" and not is_address(value)):
            return False
        if negated:
            return not any(positive_matches(base, p, value, context, variables, not generous) for p in values)
        return any(positive_matches(base, p, value, context, variables, generous) for p in values)

    many = () if given is None else (given,) if isinstance(given, str) else given
    if quantifier == "ForAllValues":
        return all(satisfied(value) for value in many)
    if quantifier == "ForAnyValue":
        if not many:
            return if_exists and generous
        return any(satisfied(value) for value in many)
    if not many:
        return negated or if_exists
    if isinstance(given, str):
        return satisfied(given)
    return False


def text_of(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def statement_applies(statement: Document, document: Document, question: Question) -> bool:
    """Everything but the principal."""
    generous = statement["Effect"] == "Deny"
    variables = document.get("Version") == "2012-10-17"
    if "Action" in statement:
        if not any(action_matches(a, question.action, generous) for a in as_list(statement["Action"])):
            return False
    elif any(action_matches(a, question.action, not generous) for a in as_list(statement["NotAction"])):
        return False
    if "Resource" in statement:
        if not any(
            resource_matches(r, question.resource, question.context, variables, generous)
            for r in as_list(statement["Resource"])
        ):
            return False
    elif "NotResource" in statement and any(
        resource_matches(r, question.resource, question.context, variables, not generous)
        for r in as_list(statement["NotResource"])
    ):
        return False
    return all(
        condition_holds(name, key, [text_of(v) for v in as_list(values)], question.context, variables, generous)
        for name, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def matched_as(statement: Document, question: Question) -> str:
    """How the statement's principal names the caller: ``direct``, ``limited``, ``account`` or nothing."""
    who = question.principal
    kind = who["type"]
    named = statement["Principal"] if "Principal" in statement else statement["NotPrincipal"]
    if named == "*":
        named = {"AWS": "*", "bare": "*"}
    aws = as_list(named.get("AWS", []))
    root = f"arn:aws:iam::{who.get('account')}:root"
    if kind in ("WebIdentity", "SAML"):
        denies_all = statement["Effect"] == "Deny" and "*" in aws
        return "direct" if denies_all or who["provider"] in as_list(named.get("Federated", [])) else ""
    if "*" in aws:
        return "direct"
    if kind == "Service":
        return "direct" if who["service"] in as_list(named.get("Service", [])) else ""
    if kind == "Anonymous":
        return ""
    if kind == "IAMUser" and (who["arn"] in aws or who["id"] in aws):
        return "direct"
    if kind in ("AssumedRole", "FederatedUser") and who["arn"] in aws:
        return "direct"
    if kind == "AssumedRole" and (who["role_arn"] in aws or who["id"] in aws):
        return "limited"
    if kind == "FederatedUser" and who["user_arn"] in aws and who["user_arn"] != root:
        return "limited"
    return "account" if who["account"] in aws or root in aws else ""


def names_caller(statement: Document, question: Question) -> bool:
    """Whether a Deny concerns the caller."""
    if "NotPrincipal" not in statement:
        return matched_as(statement, question) != ""
    if question.boundary is not None:
        return True
    who = question.principal
    kind = who["type"]
    named = statement["NotPrincipal"]
    if named == "*":
        return False
    aws = as_list(named.get("AWS", []))
    if "*" in aws:
        return False
    if kind == "Service":
        return who["service"] not in as_list(named.get("Service", []))
    if kind in ("WebIdentity", "SAML"):
        return who["provider"] not in as_list(named.get("Federated", []))
    if kind == "Anonymous":
        return True
    account = who["account"] in aws or f"arn:aws:iam::{who['account']}:root" in aws
    if kind in ("Root", "RootSession"):
        return not account
    if kind == "IAMUser":
        return not (account and (who["arn"] in aws or who["id"] in aws))
    if kind == "AssumedRole":
        return not (account and who["arn"] in aws and (who["role_arn"] in aws or who["id"] in aws))
    return not (account and who["arn"] in aws)


def statements(documents: list[Document], effect: str, question: Question) -> list[Document]:
    """The statements of an effect that apply, the principal aside."""
    return [
        statement
        for document in documents
        for statement in as_list(document["Statement"])
        if statement["Effect"] == effect and statement_applies(statement, document, question)
    ]


def evaluate(question: Question) -> str:
    """``Allow``, ``ExplicitDeny`` or ``ImplicitDeny`` (POL-EV-090)."""
    who = question.principal
    kind = who["type"]
    action = question.action.lower()
    if action in ("sts:getcalleridentity", "sts:getsessiontoken"):
        return "Allow"
    no_identity = kind in ("Service", "Anonymous", "WebIdentity", "SAML")
    spared_by_scps = who.get("management_account") or who.get("service_linked") or no_identity
    scps = None if spared_by_scps else question.scps
    rcps = [] if who.get("service_linked") else [d for level in question.rcps or [] for d in level]
    own = question.identity + ([question.boundary] if question.boundary else []) + (question.session or [])
    if statements(own + [d for level in scps or [] for d in level], "Deny", question):
        return "ExplicitDeny"
    guarding = rcps + ([question.resource_policy] if question.resource_policy else [])
    if any(names_caller(statement, question) for statement in statements(guarding, "Deny", question)):
        return "ExplicitDeny"
    if any(not statements(level, "Allow", question) for level in scps or []):
        return "ImplicitDeny"

    in_boundary = question.boundary is None or bool(statements([question.boundary], "Allow", question))
    if question.session is None:
        in_session = kind != "FederatedUser"
    else:
        in_session = bool(statements(question.session, "Allow", question))
    if kind in ("Root", "RootSession"):
        by_identity = in_boundary = in_session = True
    elif kind == "FederatedUser" and who["user_arn"] == f"arn:aws:iam::{who['account']}:root":
        by_identity = True
    else:
        by_identity = bool(statements(question.identity, "Allow", question))
    within = by_identity and in_boundary and in_session
    if action == "sts:assumeroot" and not no_identity:
        return "Allow" if within else "ImplicitDeny"
    documents = [question.resource_policy] if question.resource_policy else []
    grants = {matched_as(statement, question) for statement in statements(documents, "Allow", question)} - {""}
    if no_identity:
        fits = {"WebIdentity": "sts:assumerolewithwebidentity", "SAML": "sts:assumerolewithsaml"}.get(kind, action)
        wrong_way = action.startswith("sts:assumerole") and action != fits
        return "Allow" if grants and not wrong_way else "ImplicitDeny"
    if not question.resource.startswith(("arn:aws:", "*")):
        return "ImplicitDeny"
    same_account = who["account"] == question.resource_account
    if (not same_account or question.required) and not grants:
        return "ImplicitDeny"
    if kind in ("Root", "RootSession"):
        return "Allow" if same_account or grants else "ImplicitDeny"
    if same_account and "direct" in grants:
        confined = question.trust and kind in ("IAMUser", "FederatedUser")
        return "Allow" if in_boundary or not confined else "ImplicitDeny"
    if same_account and "limited" in grants:
        return "Allow" if in_boundary and in_session else "ImplicitDeny"
    return "Allow" if within else "ImplicitDeny"
