"""Identity tokens of OpenID Connect: verified against given keys, and what they say about their bearer (area WI).

Three steps, each with a type of its own: :func:`hints` takes a token apart and believes nothing of it (R6),
:func:`verify` makes :class:`Claims` of it, :func:`identity` reads from claims what AWS reads from them.  Keys come from
the outside as a :class:`KeySet`, the time is an argument.

Where AWS's text for a refusal is not recorded it is the one for keys that do not fit (sts.md section 28, R6); what was
really wrong is a note on the error, for the log, and a check on the :class:`~locum.core.proof.Trail`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final, NamedTuple, NoReturn

import msgspec

from locum import arn
from locum.api.shapes import violations
from locum.api.sts import Tag
from locum.arn import PARTITIONS, Arn, is_account_id
from locum.core.jose import VERIFYING_ALGORITHMS, Compact, JoseError, read_compact
from locum.core.key_set import KeySet, KeySetError, read_keys
from locum.core.proof import FederatedIdentity, Trail
from locum.errors import ExpiredTokenException, InvalidIdentityTokenException, STSServiceException
from locum.policy import Principal

__all__ = [
    "ALGORITHMS",
    "ANY_AUDIENCE",
    "BUILT_IN",
    "EXTRA_ALGORITHMS",
    "LEEWAY",
    "NO_KEY",
    "BuiltIn",
    "Claims",
    "Hints",
    "IssuerRules",
    "KeySet",
    "KeySetError",
    "UnknownKey",
    "built_in",
    "hints",
    "identity",
    "provider_arn",
    "read_keys",
    "unknown_provider",
    "verify",
]

ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"})
"""What every issuer may sign with (STS-WI-007)."""
EXTRA_ALGORITHMS: Final = frozenset({"PS256", "PS384", "PS512", "EdDSA"})
"""What an issuer may sign with where its rules say so."""

LEEWAY: Final = 300
"""Seconds by which the clocks of issuer and server may differ (STS-WI-011)."""

NO_KEY: Final = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)
"""STS-WI-018."""
_NO_JWT: Final = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
_LONGEST_ISSUER: Final = 2_048


class IssuerRules(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What holds for one issuer beyond what IAM keeps of it.

    ``extra_algorithms`` are those of :data:`EXTRA_ALGORITHMS` that it may sign with.  ``jwks`` is the text of its JWKS;
    nothing is fetched then.  ``ca`` is the PEM of the authorities that alone certify its hosts.  ``networks`` are the
    ranges beside the public ones that its hosts may be in; ``loopback_http`` allows plain HTTP to this machine (R7).
    """

    extra_algorithms: tuple[str, ...] = ()
    jwks: str | None = None
    ca: str | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    loopback_http: bool = False


class UnknownKey(InvalidIdentityTokenException):
    """No key of the set made this token's signature; newer keys of the issuer may have (STS-WI-018, STS-WI-021)."""


# Which provider


class _AnyAudience(Collection[str]):
    def __contains__(self, audience: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "any audience, which the trust policy must test"


ANY_AUDIENCE: Final[Collection[str]] = _AnyAudience()
"""The client ids of a built-in issuer: nobody registers any, so it is the trust policy that names them (R8, R9)."""


class BuiltIn(msgspec.Struct, frozen=True):
    """An issuer that needs no provider in IAM (STS-WI-005).

    ``name`` is what trust policies, condition keys and answers call it; ``issuer`` is where its keys are found, and
    ``spellings`` is how its tokens write themselves.  ``client_ids`` is for :func:`verify`.
    """

    name: str
    issuer: str
    spellings: tuple[str, ...]
    client_ids: Collection[str] = ANY_AUDIENCE


BUILT_IN: Final[tuple[BuiltIn, ...]] = (
    BuiltIn(
        "accounts.google.com", "https://accounts.google.com", ("https://accounts.google.com", "accounts.google.com")
    ),
    BuiltIn(
        "cognito-identity.amazonaws.com",
        "https://cognito-identity.amazonaws.com",
        ("https://cognito-identity.amazonaws.com",),
    ),
)
"""Google and Amazon Cognito's identity pools (STS-WI-005)."""

_SPELLINGS: Final = {spelling: each for each in BUILT_IN for spelling in each.spellings}


def built_in(issuer: str) -> BuiltIn | None:
    """The built-in issuer that writes itself so in its tokens."""
    return _SPELLINGS.get(issuer)


def provider_arn(partition: str, account: str, issuer: str) -> str:
    """The ARN of the IAM provider that an issuer's tokens are for, in the account of the role (STS-WI-004).

    The issuer counts character by character (STS-WI-006).  InvalidIdentityToken for what is no ``https`` URL; ``http``
    leads to the same ARN, and :func:`verify` refuses it unless the provider's rules allow it.
    """
    scheme, separator, url = issuer.partition("://")
    if scheme not in ("https", "http") or not separator or not url:
        raise unknown_provider(issuer)
    return arn.iam(partition, account, "oidc-provider", "/", url)


def unknown_provider(issuer: str) -> InvalidIdentityTokenException:
    """The refusal of an issuer that is none here (STS-WI-017)."""
    return InvalidIdentityTokenException(f"No OpenIDConnect provider found in your account for {issuer}")


# What a token says before it is believed


class Hints:
    """Who a token says it is from and which key it says it is signed with: nothing of it verified (R6)."""

    __slots__ = ("_compact", "algorithm", "issuer", "key_id")

    def __init__(self, compact: Compact, issuer: str) -> None:
        self._compact: Final = compact
        self.issuer: Final = issuer
        self.key_id: Final[str | None] = compact.header.get("kid")
        self.algorithm: Final[str] = compact.header["alg"]

    def __repr__(self) -> str:
        return f"Hints(issuer={self.issuer!r}, key_id={self.key_id!r}, algorithm={self.algorithm!r})"


def hints(token: str, trail: Trail | None = None) -> Hints:
    """Take a token apart, to learn which issuer's keys may verify it.

    InvalidIdentityToken for what is no signed token in the strict form of :func:`~locum.core.jose.read_compact`, for an
    algorithm that no configuration allows (R1, R2), and without an issuer (STS-WI-009).
    """
    try:
        compact = read_compact(token)
    except JoseError as error:
        _refuse(trail, "format", _NO_JWT, expected="a signed token", found=str(error))
    _passed(trail, "format", "a signed token")
    algorithm = compact.header["alg"]
    if algorithm not in VERIFYING_ALGORITHMS:
        _refuse(trail, "algorithm", NO_KEY, expected=_listed(ALGORITHMS), found=algorithm)
    issuer = compact.payload.get("iss")
    if issuer is None:
        _refuse(trail, "issuer", "Missing a required claim: iss", expected="a claim iss")
    if type(issuer) is not str or len(issuer) > _LONGEST_ISSUER:
        _refuse(trail, "issuer", NO_KEY, expected="a URL")
    return Hints(compact, issuer)


# Verification


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of a token that was verified; :func:`verify` alone makes them.

    ``issuer`` is as the token writes it, ``subject`` text even where it was a number (STS-WI-010), ``audience`` the
    client id that counted (STS-WI-015), ``audiences`` what the claim ``aud`` holds.  Times are epoch seconds.
    ``members`` are all claims, as they came.
    """

    issuer: str
    subject: str
    audience: str
    audiences: tuple[str, ...]
    issued: int
    expires: int
    members: Mapping[str, Any]


def verify(
    token: str | Hints,
    keys: KeySet,
    *,
    issuer: str,
    client_ids: Collection[str],
    rules: IssuerRules,
    now: float,
    trail: Trail | None = None,
) -> Claims:
    """The claims of a token that ``issuer`` signed with one of ``keys`` for one of ``client_ids``, and that is in time.

    ``keys`` are that issuer's and nobody else's (R2); ``now`` is in epoch seconds.  UnknownKey where no key fits or the
    signature is wrong, ExpiredTokenException beyond its time, InvalidIdentityToken otherwise.
    """
    read = token if isinstance(token, Hints) else hints(token, trail)
    compact, algorithm = read._compact, read.algorithm
    if algorithm not in ALGORITHMS and algorithm not in rules.extra_algorithms:
        _refuse(trail, "algorithm", NO_KEY, expected=_listed([*ALGORITHMS, *rules.extra_algorithms]), found=algorithm)
    _passed(trail, "algorithm", algorithm)
    if not _same_issuer(read.issuer, issuer) or (read.issuer.startswith("http://") and not rules.loopback_http):
        expected = issuer if rules.loopback_http else issuer.replace("http://", "https://", 1)
        raise _failed(trail, "issuer", unknown_provider(read.issuer), expected=expected, found=read.issuer)
    _passed(trail, "issuer", read.issuer)
    _check_signature(read, keys, trail)
    members = compact.payload
    for name in ("sub", "aud", "iat", "exp"):
        if members.get(name) is None:
            _refuse(trail, name, f"Missing a required claim: {name}", expected=f"a claim {name}")
    subject = members["sub"]
    if type(subject) is not str:
        subject = _number_text(subject)
        if subject is None:
            _refuse(trail, "sub", "The claim sub is not in a supported format", expected="text")
    issued, expires = _check_times(members, now, trail)
    audiences, audience = _audience(members, client_ids, trail)
    return Claims(
        issuer=read.issuer,
        subject=subject,
        audience=audience,
        audiences=audiences,
        issued=issued,
        expires=expires,
        members=members,
    )


def _same_issuer(found: str, expected: str) -> bool:
    """Whether they are equal (STS-WI-006), or spellings of one built-in issuer (STS-WI-005)."""
    if found == expected:
        return True
    known = _SPELLINGS.get(found)
    return known is not None and known is _SPELLINGS.get(expected)


def _check_signature(read: Hints, keys: KeySet, trail: Trail | None) -> None:
    compact, algorithm = read._compact, read.algorithm
    key = keys.find(read.key_id)
    if key is None or not key.fits(algorithm):
        found = f"{read.key_id or 'no kid'}, {'which is not there' if key is None else f'which is not for {algorithm}'}"
        raise _failed(trail, "key", UnknownKey(NO_KEY), expected=_listed(keys.key_ids), found=found)
    _passed(trail, "key", read.key_id or "the only one")
    try:
        key.verify(algorithm, compact.signed, compact.signature)
    except JoseError:
        expected = f"made with the key {read.key_id or 'of the issuer'}"
        raise _failed(trail, "signature", UnknownKey(NO_KEY), expected=expected, found="another one") from None
    _passed(trail, "signature", "right")


def _number_text(value: Any) -> str | None:
    """The text of a number that stands where text belongs (STS-WI-010); None for anything else."""
    if type(value) is int:
        return str(value)
    return repr(value) if type(value) is float and value - value == 0 else None


def _seconds(members: Mapping[str, Any], name: str, trail: Trail | None) -> int:
    """A time claim: an integer of 64 bits, or its digits as text (STS-WI-008)."""
    value = members[name]
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if type(value) is not int or not 0 <= value < 1 << 63:
        _refuse(trail, name, f"The claim {name} is not in a supported format", expected="whole epoch seconds")
    return value


def _check_times(members: Mapping[str, Any], now: float, trail: Trail | None) -> tuple[int, int]:
    """When the token was issued and when it expires, where now is between, five minutes more or less (STS-WI-011)."""
    issued, expires = _seconds(members, "iat", trail), _seconds(members, "exp", trail)
    if now >= expires + LEEWAY:
        error = ExpiredTokenException(
            f"Token expired: current date/time {int(now)} must be before the expiration date/time {expires}"
        )
        raise _failed(trail, "expiry", error, expected=f"after {int(now)}", found=str(expires))
    _passed(trail, "expiry", str(expires))
    if issued > now + LEEWAY:
        _refuse(trail, "issued", NO_KEY, expected=f"until {int(now)}", found=str(issued))
    _passed(trail, "issued", str(issued))
    if members.get("nbf") is not None:
        start = _seconds(members, "nbf", trail)
        if start > now + LEEWAY:
            _refuse(trail, "not before", NO_KEY, expected=f"until {int(now)}", found=str(start))
        _passed(trail, "not before", str(start))
    return issued, expires


def _audience(
    members: Mapping[str, Any], client_ids: Collection[str], trail: Trail | None
) -> tuple[tuple[str, ...], str]:
    """What ``aud`` holds, and the client id that counts: ``azp`` where there is one (STS-WI-014, STS-WI-015, R8)."""
    given = members["aud"]
    audiences = (given,) if type(given) is str else tuple(given) if type(given) is list else ()
    party = members.get("azp")
    if not audiences or not all(type(each) is str and each for each in audiences):
        _refuse(trail, "audience", _WRONG_AUDIENCE, expected="text, or a list of texts")
    if party is None and len(audiences) > 1:
        _refuse(
            trail,
            "audience",
            "Token audience contains more than one audience while authorized party is not present",
            expected="one, or a claim azp",
            found=_listed(audiences),
        )
    audience = audiences[0] if party is None else party
    if type(audience) is not str or not audience or audience not in client_ids:
        _refuse(trail, "audience", _WRONG_AUDIENCE, expected=_listed(client_ids), found=str(audience))
    _passed(trail, "audience", audience)
    return audiences, audience


_WRONG_AUDIENCE: Final = "Incorrect token audience"


# Who it is


class _Well(NamedTuple):
    """Issuers whose further claims IAM knows: a pattern for the provider's URL, key names → the path of the claim."""

    url: re.Pattern[str]
    claims: Mapping[str, tuple[str, ...]]


def _well(url: str, *names: str, **nested: tuple[str, ...]) -> _Well:
    return _Well(re.compile(url, re.ASCII), {**{name: (name,) for name in names}, **nested})


_WELL_KNOWN: Final = (
    _well(
        r"token\.actions\.(?:githubusercontent\.com|[a-z0-9-]+\.ghe\.com)(?:/.*)?",
        *("actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository"),
        *("repository_id", "repository_owner_id", "workflow"),
    ),
    _well(
        r"gitlab\.com",
        *("namespace_id", "pipeline_source", "project_id", "ref_protected", "runner_environment"),
        *("user_access_level", "user_email", "user_id", "user_login"),
    ),
    _well(
        r"agent\.buildkite\.com",
        *("build_branch", "cluster_id", "cluster_name", "organization_id", "organization_slug", "pipeline_id"),
        "pipeline_slug",
    ),
    _well(r"oidc\.circleci\.com/org/[^/]+", "oidc.circleci.com/project-id"),
    _well(r"accounts\.google\.com", **{"google/organization_number": ("google", "organization_number")}),
)
"""STS-WI-040, STS-WI-041, POL-CK-028; every other claim of every issuer is no condition key (STS-WI-042, R5)."""

_LASTING: Final = ("aud", "sub", "amr")
"""STS-WI-036."""
_AWS: Final = "https://aws.amazon.com/"
_TAGS: Final = f"{_AWS}tags"
_PRINCIPAL_TAGS: Final = f"{_TAGS}/principal_tags/"
_TRANSITIVE_KEYS: Final = f"{_TAGS}/transitive_tag_keys"
_SOURCE_IDENTITY: Final = f"{_AWS}source_identity"
_ROLES: Final = f"{_AWS}roles"
_MAXIMUM_TAGS: Final = 50
_WRONG_TAGS: Final = "Session tags passed in claim are not in correct format."
_WRONG_PRINCIPAL_TAGS: Final = "principal_tags passed in claim is not in correct format."
_SOURCE_IDENTITY_FORM: Final = re.compile(r"(?!aws:)[a-zA-Z_0-9+=,.@-]{2,64}", re.ASCII)


def identity(
    claims: Claims, *, provider: str, account: str, prefix: str, role_arn: str | None, trail: Trail | None = None
) -> FederatedIdentity:
    """Who the bearer of verified claims is to the role's trust policy, and what they ask for in the session.

    ``provider`` is the provider's ARN or built-in name and ``account`` its account; ``prefix`` begins the condition
    keys: the provider's URL without scheme (STS-WI-035).  InvalidIdentityToken where the claim on roles leaves out
    ``role_arn`` (STS-WI-032, STS-WI-033), and for claims of a wrong form (STS-TAG-023, STS-SI-002).  ``role_arn`` is
    None where the bearer is looked at for no role, as a diagnosis may do.
    """
    members = claims.members
    authorized = _authorizes(members.get(_ROLES), role_arn, trail)
    keys = dict(_condition_keys(claims, prefix, trail))
    keys["sts:roleauthorizedbyidp"] = "true" if authorized else "false"
    tags, transitive = _session_tags(members, trail)
    lowered = prefix.lower()
    return FederatedIdentity(
        principal=Principal.web_identity(provider, account),
        issuer=claims.issuer,
        subject=claims.subject,
        audience=claims.audience,
        keys=keys,
        lasting=tuple([key for name in _LASTING if (key := f"{lowered}:{name}") in keys]),
        tags=tags,
        transitive_tag_keys=transitive,
        source_identity=_source_identity(members, trail),
    )


def _authorizes(roles: Any, role_arn: str | None, trail: Trail | None) -> bool:
    """Whether there is a claim on roles that has this one (STS-WI-034); a claim that has it not is a refusal."""
    if roles is None:
        return False
    if type(roles) is str:
        roles = roles.split(";")
    if type(roles) is not list:
        _refuse(trail, "roles", "The roles claim is not in a supported format", expected="text, or a list of texts")
    valid = [named for each in roles if type(each) is str and _is_role(named := each.strip())]
    if not valid:
        _refuse(trail, "roles", "The roles claim contains no valid role ARNs", expected="ARNs of roles")
    if role_arn is None:
        _passed(trail, "roles", _listed(valid))
        return False
    if role_arn not in valid:
        message = "The target role ARN is not present in the roles claim of the identity token"
        _refuse(trail, "roles", message, expected=role_arn, found=_listed(valid))
    _passed(trail, "roles", role_arn)
    return True


def _is_role(text: str) -> bool:
    try:
        parsed = Arn.parse(text)
    except ValueError:
        return False
    named = parsed.kind == "role" and parsed.path_and_name[1] != ""
    ours = parsed.service == "iam" and not parsed.region and parsed.partition in PARTITIONS
    return named and ours and is_account_id(parsed.account)


def _condition_keys(claims: Claims, prefix: str, trail: Trail | None) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Condition keys in lower case with their values (STS-WI-T02…T05, STS-WI-036…042)."""
    members, lowered = claims.members, prefix.lower()
    yield f"{lowered}:sub", claims.subject
    yield f"{lowered}:aud", claims.audience
    yield f"{lowered}:oaud", claims.audiences[0] if len(claims.audiences) == 1 else claims.audiences
    methods = members.get("amr")
    if methods is not None:
        listed = (methods,) if type(methods) is str else tuple(methods) if type(methods) is list else (None,)
        if not all(type(each) is str for each in listed):
            _refuse(trail, "amr", "The claim amr is not in a supported format", expected="a list of texts")
        yield f"{lowered}:amr", listed
    known = next((each.claims for each in _WELL_KNOWN if each.url.fullmatch(prefix)), {})
    for name, path in (("email", ("email",)), *known.items()):
        value: Any = members
        for step in path:
            value = value.get(step) if type(value) is dict else None
        if value is None:
            continue
        text = value if type(value) is str else _JSON_BOOLEANS.get(value) if type(value) is bool else None
        if text is None and (text := _number_text(value)) is None:
            _refuse(trail, name, f"The claim {name} is not in a supported format", expected="text")
        yield f"{lowered}:{name}", text


_JSON_BOOLEANS: Final = {True: "true", False: "false"}


def _session_tags(members: Mapping[str, Any], trail: Trail | None) -> tuple[tuple[Tag, ...], tuple[str, ...]]:
    """The tags that the token asks for and the transitive keys among them, nested or flat (STS-TAG-021…023)."""
    pairs: list[tuple[str, Any]] = []
    transitive: Any = []
    if (nested := members.get(_TAGS)) is not None:
        if type(nested) is not dict:
            _refuse(trail, "tags", _WRONG_TAGS, expected="an object")
        listed = nested.get("principal_tags")
        if listed is not None and type(listed) is not dict:
            _refuse(trail, "tags", _WRONG_PRINCIPAL_TAGS, expected="an object")
        for key, values in (listed or {}).items():
            if type(values) is not list or len(values) != 1:
                _refuse(trail, "tags", _WRONG_PRINCIPAL_TAGS, expected=f"a list of one text for {key}")
            pairs.append((key, values[0]))
        transitive = [] if (keys := nested.get("transitive_tag_keys")) is None else keys
    flat = [(name.removeprefix(_PRINCIPAL_TAGS), members[name]) for name in members if name.startswith(_PRINCIPAL_TAGS)]
    pairs += flat
    flat_keys = [] if (keys := members.get(_TRANSITIVE_KEYS)) is None else keys
    if type(transitive) is not list or type(flat_keys) is not list:
        _refuse(trail, "tags", _WRONG_TAGS, expected="a list of transitive keys")
    if not all(type(value) is str for _, value in pairs):
        _refuse(trail, "tags", _WRONG_PRINCIPAL_TAGS, expected="values that are text")
    tags = tuple([Tag(key=key, value=value) for key, value in pairs])
    transitive = (*transitive, *flat_keys)
    if len(tags) > _MAXIMUM_TAGS or len(transitive) > _MAXIMUM_TAGS or any(violations(tag) for tag in tags):
        _refuse(
            trail, "tags", _WRONG_TAGS, expected=f"at most {_MAXIMUM_TAGS}, with keys and values that tags can have"
        )
    if not all(type(key) is str for key in transitive):
        _refuse(trail, "tags", _WRONG_TAGS, expected="transitive keys that are text")
    if tags or transitive:
        _passed(trail, "tags", _listed({tag.key for tag in tags}))
    return tags, transitive


def _source_identity(members: Mapping[str, Any], trail: Trail | None) -> str | None:
    value = members.get(_SOURCE_IDENTITY)
    if value is None:
        return None
    if type(value) is not str or _SOURCE_IDENTITY_FORM.fullmatch(value) is None:
        message = 'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"'
        _refuse(trail, "source identity", message, expected="2 to 64 characters of a-z A-Z 0-9 _ + = , . @ -")
    _passed(trail, "source identity", value)
    return value


# The trail


def _listed(names: Collection[str]) -> str:
    return str(names) if names is ANY_AUDIENCE else ", ".join(sorted(names)) or "none"


def _passed(trail: Trail | None, name: str, found: str) -> None:
    if trail is not None:
        trail.note(name, True, expected=found, found=found)


def _failed(
    trail: Trail | None, name: str, error: STSServiceException, *, expected: str, found: str = ""
) -> STSServiceException:
    """The error with its cause: as a note for the log, and as a check for whoever follows the trail."""
    if trail is not None:
        trail.note(name, False, expected=expected, found=found)
    error.add_note(f"{name}: expected {expected}" + (f", found {found}" if found else ""))
    return error


def _refuse(trail: Trail | None, name: str, message: str, *, expected: str, found: str = "") -> NoReturn:
    raise _failed(trail, name, InvalidIdentityTokenException(message), expected=expected, found=found)
