"""A signed GetCallerIdentity as a proof of identity: whoever holds it can ask STS who signed it, and nothing else.

Kubernetes and Vault know callers this way (STS-SIG-009, STS-SIG-011, STS-SIG-012).  The caller signs without sending::

    proof = prove(client, headers={"x-k8s-aws-id": "production"}, form=Form.TOKEN)

and the service that is to be convinced sends it to its own STS::

    identity = verify(client, proof, headers={"x-k8s-aws-id": "production"})

What comes from a caller is read strictly and taken apart; a request is then made of the parts that belong in one, for
the endpoint that the client is set up with and no other (R21).  The headers say for whom a proof is: without any,
whoever got one can hand it on.  A proof is good for 15 minutes however often it is used (STS-SIG-010, STS-SIG-013); a
service that wants each only once remembers :attr:`Identity.proof_id` that long.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import quote, unquote_to_bytes, urlsplit

import msgspec

from locum.api.sts import STS, GetCallerIdentityCommand, GetCallerIdentityResponse
from locum.arn import Arn, is_account_id
from locum.client.effects import Flow, Now, Send
from locum.client.failures import ClientFailure, ConfigurationFailure, UnreadableResponse
from locum.client.options import Settings
from locum.http import Headers, Request, Response
from locum.secret import Secret
from locum.wire.answer import XML, UnreadableAnswer, decode_error, decode_response
from locum.wire.query import CONTENT_TYPE, encode_command, encode_form
from locum.wire.sigv4 import ALGORITHM, NEVER_SIGNED, Credentials, presign, sign

if TYPE_CHECKING:
    from locum.client import AsyncSTSClient, STSClient
    from locum.client.call import Calls

__all__ = [
    "CLUSTER_HEADER",
    "MAX_ANSWER",
    "MAX_PROOF",
    "SERVER_HEADER",
    "WINDOW",
    "Form",
    "Identity",
    "IdentityRefused",
    "async_prove",
    "async_verify",
    "prove",
    "verify",
]

MAX_PROOF: Final = 1 << 14
"""Characters of a proof; Kubernetes' own verifier reads 4096 of them."""

MAX_ANSWER: Final = 1 << 16
"""Bytes of the answer that is read."""

WINDOW: Final = 900.0
"""Seconds for which STS takes a signature (STS-SIG-018)."""

CLUSTER_HEADER: Final = "x-k8s-aws-id"
"""The header that names a Kubernetes cluster."""

SERVER_HEADER: Final = "x-vault-aws-iam-server-id"
"""The header that names a Vault."""

_EXPIRES: Final = 60
_MOST_HEADERS: Final = 8
_PREFIX: Final = "k8s-aws-v1."
_QUERY: Final = "Action=GetCallerIdentity&Version=2011-06-15"
_ASK: Final = {"Action": "GetCallerIdentity", "Version": STS.version, "X-Amz-Algorithm": ALGORITHM}
_PARAMETERS: Final = frozenset({
    *_ASK,
    *("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"),
})  # fmt: skip
_SESSION: Final = "X-Amz-Security-Token"
_OWN: Final = ("content-length", "content-type", "host", "x-amz-date", "x-amz-security-token")
_IGNORED: Final = ("accept-encoding", "user-agent")
_TAKEN: Final = ("accept", "content-", "host", "x-amz-")

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,99}\Z", re.ASCII)
_VALUE: Final = re.compile(r"[!-~]+(?: [!-~]+)*\Z", re.ASCII)
_URL: Final = re.compile(
    r"(https?)://([A-Za-z0-9.:\[\]-]{1,255})(/[A-Za-z0-9._~/-]*)(?:\?([A-Za-z0-9._~%/=&-]*))?\Z", re.ASCII
)
_ESCAPED: Final = re.compile(r"(?:[A-Za-z0-9._~/-]|%[0-9A-Fa-f]{2})+\Z", re.ASCII)
_CREDENTIAL: Final = re.compile(r"(\w{16,128})/(\d{8})/([a-z0-9-]{1,63})/sts/aws4_request\Z", re.ASCII)
_AUTHORIZATION: Final = re.compile(
    rf"{ALGORITHM} Credential=([!-~]{{1,300}}), ?SignedHeaders=([a-z0-9;-]{{1,1000}}), ?Signature=([0-9a-f]{{64}})\Z",
    re.ASCII,
)
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_DATE: Final = re.compile(r"\d{8}T\d{6}Z\Z", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]+\Z", re.ASCII)
_FORM_TYPE: Final = re.compile(r"application/x-www-form-urlencoded(?:; ?charset=utf-8)?\Z", re.ASCII | re.IGNORECASE)
_USER_ID: Final = re.compile(r"[\w+=,.@:-]{2,193}\Z", re.ASCII)


class IdentityRefused(ClientFailure):
    """The proof proves nothing: it is malformed, for somebody else, out of time, or STS does not accept it."""


class Form(Enum):
    """What a proof looks like."""

    URL = "url"
    """A presigned URL."""
    TOKEN = "token"  # noqa: S105 - a form of proof
    """The same as a bearer token of Kubernetes (STS-SIG-011)."""
    LOGIN = "login"
    """The parts of a signed POST in JSON, as Vault takes them (STS-SIG-012)."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed a proof, as STS says; ``signed_at`` is the proof's own time, to the second.

    ``proof_id`` is the same for every use of one proof, and tells nothing about it.
    """

    arn: str
    user_id: str
    account: str
    access_key_id: str
    signed_at: datetime
    proof_id: str

    @property
    def principal_arn(self) -> str:
        """The ARN to look callers up by: the role's, without its path, for the session of a role; else ``arn``."""
        parsed = Arn.parse(self.arn)
        if parsed.service != "sts" or parsed.kind != "assumed-role":
            return self.arn
        return str(Arn(parsed.partition, "iam", "", parsed.account, f"role/{parsed.resource.split('/')[1]}"))


# The caller's end


def prove(client: STSClient, *, headers: Mapping[str, str], form: Form = Form.URL) -> Secret:
    """A proof that its holder was made by whoever the client's credentials belong to; nothing is sent.

    ``headers`` say for whom it is.  Raises ConfigurationFailure for headers that cannot be signed, and what getting
    credentials raises.
    """
    return client._driver.run(_proving(client._calls, headers, form))


async def async_prove(client: AsyncSTSClient, *, headers: Mapping[str, str], form: Form = Form.URL) -> Secret:
    """The same as :func:`prove`, for asyncio."""
    return await client._driver.run(_proving(client._calls, headers, form))


def _proving(calls: Calls, headers: Mapping[str, str], form: Form) -> Flow[Secret]:
    named = _checked(headers)
    found: Any = calls.credentials
    if hasattr(found, "resolve"):
        found = yield from found.resolve()
    keys = Credentials(found.access_key_id, found.secret_access_key, found.session_token)
    now = (yield from Now()) + calls.skew
    endpoint, place = calls.settings.endpoint(), _Place.of(calls.settings)
    signing: Any = {"service": endpoint.signing_name, "region": endpoint.signing_region, "now": now}
    host: Headers = (("host", place.host), *named.items())
    if form is Form.LOGIN:
        body = encode_form(encode_command(GetCallerIdentityCommand()))
        request = sign(Request("POST", place.path, "", (*host, ("content-type", CONTENT_TYPE)), body), keys, **signing)
        return Secret(json.dumps(_login(place, request)))
    request = presign(Request("GET", place.path, _QUERY, host), keys, expires=_EXPIRES, **signing)
    url = f"{place.origin}{place.path}?{request.query}"
    if form is Form.URL:
        return Secret(url)
    return Secret(_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("="))


def _login(place: _Place, request: Request) -> dict[str, str]:
    headers = {name: [value] for name, value in request.headers}
    parts = (f"{place.origin}{place.path}".encode(), request.body, json.dumps(headers).encode())
    url, body, said = (base64.b64encode(part).decode() for part in parts)
    return {
        "iam_http_request_method": request.method,
        "iam_request_url": url,
        "iam_request_body": body,
        "iam_request_headers": said,
    }


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that a proof is bound by, under lower-case names.

    Raises ConfigurationFailure for what cannot be one: the request's own, and those that proxies change.
    """
    found: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        taken = name in found or name in NEVER_SIGNED or name.startswith(_TAKEN)
        if _NAME.match(name) is None or taken:
            raise ConfigurationFailure(f"headers: {given!r} is no header that a proof can be bound by")
        if _VALUE.match(value) is None or len(value) > 1000:
            raise ConfigurationFailure(f"headers: the value of {given} is not 1 to 1000 printable ASCII characters")
        found[name] = value
    if len(found) > _MOST_HEADERS:
        raise ConfigurationFailure(f"headers: there are more than {_MOST_HEADERS}")
    return found


class _Place(NamedTuple):
    """The endpoint that a client is set up with, in the parts of a request."""

    origin: str
    host: str
    path: str
    region: str

    @classmethod
    def of(cls, settings: Settings) -> _Place:
        endpoint = settings.endpoint()
        parts = urlsplit(endpoint.url)
        host = _host(parts.scheme, parts.netloc)
        return cls(f"{parts.scheme}://{host}", host, f"{parts.path.rstrip('/')}/", endpoint.signing_region)


def _host(scheme: str, authority: str) -> str:
    return authority.lower().removesuffix(":443" if scheme == "https" else ":80")


# The service's end


class _Claim(NamedTuple):
    """What a proof says before STS was asked, and the request that asks."""

    request: Request
    access_key_id: str
    signed_at: datetime
    signature: str


def verify(client: STSClient, proof: str | Secret, *, headers: Mapping[str, str], max_age: float = WINDOW) -> Identity:
    """Who made a proof in any :class:`Form`, asked of the client's own endpoint; the client's credentials are not used.

    ``headers`` are those that the signature has to cover, with their values; no others may be.  ``max_age`` is how many
    seconds ago it may have been signed, at most 900.

    Raises IdentityRefused where it proves nothing, ConfigurationFailure for headers that nobody can sign, another
    ClientFailure or a ServiceException where STS could not say.
    """
    return client._driver.run(_verifying(client.settings, proof, headers, max_age))


async def async_verify(
    client: AsyncSTSClient, proof: str | Secret, *, headers: Mapping[str, str], max_age: float = WINDOW
) -> Identity:
    """The same as :func:`verify`, for asyncio."""
    return await client._driver.run(_verifying(client.settings, proof, headers, max_age))


def _verifying(settings: Settings, proof: str | Secret, headers: Mapping[str, str], max_age: float) -> Flow[Identity]:
    named, place = _checked(headers), _Place.of(settings)
    if not 0 < max_age <= WINDOW:
        raise ConfigurationFailure(f"max_age: {max_age!r} is not a number of seconds up to {WINDOW:g}")
    claim = _read(proof.reveal() if isinstance(proof, Secret) else proof, place, named)
    age = (yield from Now()) - claim.signed_at.timestamp()
    if age > max_age:
        raise IdentityRefused(f"the proof was signed {age:.0f} s ago, and counts for {max_age:g} s")
    if age < -WINDOW:
        raise IdentityRefused("the proof was signed in the future")
    answer = yield from Send(
        origin=place.origin,
        request=claim.request,
        connect=settings.connect_timeout,
        read=settings.read_timeout,
        total=settings.timeout,
        most=MAX_ANSWER,
    )
    said = _answered(answer)
    return Identity(
        arn=said.arn,
        user_id=said.user_id,
        account=said.account,
        access_key_id=claim.access_key_id,
        signed_at=claim.signed_at,
        proof_id=hashlib.sha256(claim.signature.encode()).hexdigest(),
    )


def _answered(answer: Response) -> GetCallerIdentityResponse:
    """The answer of STS, and of nobody who answers in another way."""
    content_type = next((value for name, value in answer.headers if name == "content-type"), "")
    if answer.status != 200:
        if 300 <= answer.status < 400:
            raise UnreadableResponse("STS answered with a redirect, which is not followed", status=answer.status)
        error = decode_error(answer.status, answer.body, content_type, answer.headers)
        if error.fault == "client" and not error.retryable:
            raise IdentityRefused(f"STS does not accept the proof: {error.code}") from error
        raise error
    try:
        if content_type.partition(";")[0].strip().lower() != XML:
            raise UnreadableAnswer(f"its content type is not {XML}")
        said = decode_response(answer.body, GetCallerIdentityCommand, XML)
        arn = Arn.parse(said.arn or "")
        sound = arn.service in ("iam", "sts") and is_account_id(arn.account) and arn.account == said.account
        if not sound or _USER_ID.match(said.user_id or "") is None or not arn.resource.isprintable():
            raise UnreadableAnswer("its parts do not fit together")
    except ValueError as error:
        raise UnreadableResponse(f"what came back is no answer of STS: {error}", status=answer.status) from None
    return said


def _read(proof: str, place: _Place, headers: Mapping[str, str]) -> _Claim:
    """What a proof says; IdentityRefused, which never quotes it, for whatever is not exactly of one of the forms."""
    if len(proof) > MAX_PROOF:
        raise IdentityRefused(f"a proof has at most {MAX_PROOF} characters")
    if proof.startswith(_PREFIX):
        proof = _decoded(proof.removeprefix(_PREFIX), urlsafe=True)
    return _read_login(proof, place, headers) if proof.startswith("{") else _read_url(proof, place, headers)


def _decoded(text: Any, *, urlsafe: bool = False) -> str:
    """Base64 in its one spelling: URL-safe ones have no padding, the others have it."""
    if not isinstance(text, str):
        raise IdentityRefused("a part of the proof is missing")
    try:
        if urlsafe:
            data = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True)
            same = base64.urlsafe_b64encode(data).rstrip(b"=")
        else:
            data = base64.b64decode(text.encode(), validate=True)
            same = base64.b64encode(data)
        if same != text.encode():
            raise ValueError("another spelling")
        return data.decode("ascii")
    except (ValueError, binascii.Error):
        raise IdentityRefused("the proof is not in base64") from None


def _at(url: str, place: _Place) -> str | None:
    """The query of a URL that leads to the endpoint."""
    found = _URL.match(url)
    if found is None:
        raise IdentityRefused("the proof is no URL of an STS")
    scheme, authority, path, query = found.groups()
    if (f"{scheme}://{_host(scheme, authority)}", path) != (place.origin, place.path):
        raise IdentityRefused("the proof is for another STS than the one that is asked here")
    return cast("str | None", query)


def _read_url(url: str, place: _Place, headers: Mapping[str, str]) -> _Claim:
    given = _parameters(_at(url, place) or "")
    session = given.get(_SESSION)
    if given.keys() - {_SESSION} != _PARAMETERS or any(given[name] != value for name, value in _ASK.items()):
        raise IdentityRefused("the proof is not a presigned GetCallerIdentity and nothing else")
    expires = given["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= 3 and int(expires) <= WINDOW):
        raise IdentityRefused(f"X-Amz-Expires is not a number up to {WINDOW:g}")
    if session is not None and _TOKEN.match(session) is None:
        raise IdentityRefused(f"{_SESSION} is malformed")
    _check_covered(given["X-Amz-SignedHeaders"], {"host", *headers}, {"host", *headers})
    key_id, signed_at = _signed(given["X-Amz-Credential"], given["X-Amz-Date"], place)
    if _SIGNATURE.match(given["X-Amz-Signature"]) is None:
        raise IdentityRefused("X-Amz-Signature is malformed")
    # Built anew from what was read: how a proof was spelled cannot make STS read something else.
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in given.items())
    request = Request("GET", place.path, query, (("host", place.host), *headers.items()))
    return _Claim(request, key_id, signed_at, given["X-Amz-Signature"])


def _parameters(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for piece in query.split("&"):
        name, equals, value = piece.partition("=")
        if name not in _PARAMETERS and name != _SESSION:
            raise IdentityRefused("the proof has a parameter that no presigned GetCallerIdentity has")
        if not equals or name in given or _ESCAPED.match(value) is None:
            raise IdentityRefused(f"{name} is malformed, or there twice")
        try:
            given[name] = unquote_to_bytes(value).decode("ascii")
        except UnicodeDecodeError:
            raise IdentityRefused(f"{name} is malformed, or there twice") from None
    return given


def _read_login(text: str, place: _Place, headers: Mapping[str, str]) -> _Claim:
    document = _object(text)
    names = ("iam_http_request_method", "iam_request_url", "iam_request_body", "iam_request_headers")
    if not set(names) <= document.keys() or document["iam_http_request_method"] != "POST":
        raise IdentityRefused("the proof is not a signed POST of GetCallerIdentity")
    if _at(_with_path(_decoded(document["iam_request_url"])), place) is not None:
        raise IdentityRefused("the proof has a query beside its body")
    body = _decoded(document["iam_request_body"])
    if sorted(body.split("&")) != sorted(_QUERY.split("&")):
        raise IdentityRefused("the proof is not GetCallerIdentity and nothing else")
    sent = document["iam_request_headers"]
    given = _lines(sent if isinstance(sent, dict) else _object(_decoded(sent)))
    if given.keys() - {*_OWN, *_IGNORED, "authorization", *headers}:
        raise IdentityRefused("the proof has a header that no signed GetCallerIdentity needs")
    own = (
        given.get("host", place.host).lower() == place.host
        and given.get("content-length", str(len(body))) == str(len(body))
        and _FORM_TYPE.match(given.get("content-type", "")) is not None
        and all(_TOKEN.match(given[name]) for name in ("x-amz-security-token",) if name in given)
    )
    authorization = _AUTHORIZATION.match(given.get("authorization", ""))
    if not own or authorization is None:
        raise IdentityRefused("a header of the proof is malformed, or for another STS")
    if any(given.get(name) != value for name, value in headers.items()):
        raise IdentityRefused("the proof is for somebody else: a header has another value")
    credential, covered, signature = authorization.groups()
    dated = {"host", "x-amz-date", *({"x-amz-security-token"} & given.keys()), *headers}
    _check_covered(covered, dated, {*_OWN, *headers})
    key_id, signed_at = _signed(credential, given.get("x-amz-date", ""), place)
    said = tuple((name, given[name]) for name in ("content-type", *_OWN[3:], "authorization") if name in given)
    request = Request("POST", place.path, "", (("host", place.host), *headers.items(), *said), body.encode())
    return _Claim(request, key_id, signed_at, signature)


def _with_path(url: str) -> str:
    return f"{url}/" if url.count("/") == 2 else url


def _object(text: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a name is there twice")
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise IdentityRefused("the proof is not in JSON")
    return found


def _lines(sent: dict[str, Any]) -> dict[str, str]:
    """Header values by lower-case name; one value each, as a text or as a list of one."""

    def lines() -> Iterator[tuple[str, str]]:
        for name, value in sent.items():
            only = value[0] if isinstance(value, list) and len(value) == 1 else value
            if _NAME.match(name.lower()) is None or not isinstance(only, str) or _VALUE.match(only) is None:
                raise IdentityRefused("a header of the proof is malformed")
            yield name.lower(), only

    found = list(lines())
    if len(dict(found)) != len(found):
        raise IdentityRefused("a header of the proof is there twice")
    return dict(found)


def _check_covered(names: str, needed: set[str], allowed: set[str]) -> None:
    covered = names.split(";")
    if covered != sorted(set(covered)) or not needed <= set(covered) <= allowed:
        raise IdentityRefused(f"the signature has to cover the headers {', '.join(sorted(needed))}, and no strange one")


def _signed(credential: str, date: str, place: _Place) -> tuple[str, datetime]:
    """The access key id, and when the proof was signed."""
    scope = _CREDENTIAL.match(credential)
    if scope is None or scope[3] != place.region or _DATE.match(date) is None or not date.startswith(scope[2]):
        raise IdentityRefused("the proof is not signed for this STS, its region and one day")
    try:
        return scope[1], datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise IdentityRefused("the proof's date is none") from None
