"""``locum simulate``: what would be decided, and why, by the function that decides in the server (R30)."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import click
import msgspec

from locum import arn
from locum.arn import Arn
from locum.cli.documents import compiled
from locum.cli.options import as_json, data_options, opened, settings_from
from locum.cli.report import instant, result
from locum.core.organization import UNDER_RESOURCE_CONTROL, OrgFacts
from locum.core.records import ManagedPolicy, Role, User
from locum.core.service_linked_roles import service_of
from locum.guard.context import owner_keys, place_keys, tag_keys
from locum.guard.directory import Directory, Holder
from locum.policy import (
    Ask,
    CompiledPolicy,
    Explanation,
    Layer,
    Policies,
    PolicyKind,
    Principal,
    PrincipalKind,
    context,
    explain,
    principal_context,
    render,
)
from locum.server.config import Problem, Refused
from locum.store.facts import Facts
from locum.store.records import Records

__all__ = ["MAX_QUESTIONS", "command"]

MAX_QUESTIONS: Final = 1_000
"""Actions times resources of one run."""

_DENIED: Final = 3
_WIDTH: Final = 110
_SOMEBODY: Final = "arn:aws:iam::111122223333:user/simulated"
_SESSION: Final = "simulated"
_UNIQUE_IDS: Final = {"user": "AIDASIMULATED00000000", "role": "AROASIMULATED00000000"}
_SERVICE: Final = re.compile(r"[a-z0-9.-]+\.(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws\.internal)\Z")
_WEB_PROVIDERS: Final = (
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "www.amazon.com",
)
_SESSIONS: Final = (PrincipalKind.ROLE_SESSION, PrincipalKind.FEDERATED_USER, PrincipalKind.ROOT_SESSION)
_ASSUMED: Final = re.compile(
    r"\Asts:(?:assumerole\w*|tagsession|setsourceidentity|setcontext) arn:[^:]*:iam:[^:]*:[^:]*:role/"
)
_ACTION: Final = re.compile(r"[A-Za-z0-9.-]+:[^:*?]+\Z")
_COMMA: Final = re.compile(r"(?<!\\),")
_RESOURCE_TAGS: Final = ("aws:resourcetag/", "iam:resourcetag/")


class _Usage(click.UsageError):
    def __init__(self, message: str, hint: str = "locum simulate --help shows what it takes") -> None:
        super().__init__(message)
        self.hint = hint


class _Who(NamedTuple):
    """The caller with the policies that are his own."""

    principal: Principal
    identity: tuple[CompiledPolicy, ...] = ()
    boundary: CompiledPolicy | None = None
    tags: Mapping[str, str] = {}
    place: OrgFacts | None = None


class _Resource(NamedTuple):
    """What is stored of a resource: its trust policy, where it is a role, and its tags."""

    trust: CompiledPolicy | None = None
    tags: Mapping[str, str] = {}


class _Files(NamedTuple):
    """The policies that were given as files."""

    identity: tuple[CompiledPolicy, ...]
    boundary: CompiledPolicy | None
    session: tuple[CompiledPolicy, ...] | None
    resource: CompiledPolicy | None
    trust: CompiledPolicy | None
    scps: tuple[tuple[CompiledPolicy, ...], ...] | None
    rcps: tuple[tuple[CompiledPolicy, ...], ...] | None


@data_options
@click.command("simulate")
@click.option(
    "--principal", metavar="ARN", help=f"Who asks: an ARN, a service's name or anonymous.  [default: {_SOMEBODY}]"
)
@click.option("--principal-id", metavar="ID", help="The unique id of the user or role, which policies may name.")
@click.option("--session-name", metavar="NAME", default=_SESSION, help="For a role's ARN.", show_default=True)
@click.option("--issuer", metavar="ARN", help="The user who called GetFederationToken, for a federated user's ARN.")
@click.option("--identity", metavar="FILE", multiple=True, help="A policy of the user or role.  [repeatable]")
@click.option("--boundary", metavar="FILE", help="The permissions boundary.")
@click.option("--session", metavar="FILE", multiple=True, help="A session policy.  [repeatable]")
@click.option("--resource-policy", metavar="FILE", help="The policy of the resource.")
@click.option("--trust", metavar="FILE", help="The trust policy of the role that is the resource.")
@click.option(
    "--scp-level", metavar="FILE[,FILE]", multiple=True, help="SCPs of one level, from the root down.  [repeatable]"
)
@click.option("--rcp-level", metavar="FILE[,FILE]", multiple=True, help="RCPs of one level.  [repeatable]")
@click.option("--action", metavar="ACTION", multiple=True, required=True, help="What is asked for.  [repeatable]")
@click.option("--resource", metavar="ARN", multiple=True, help="On what.  [default: *; repeatable]")
@click.option("--resource-account", metavar="ID", help="Whose resource.  [default: as its ARN says, else the caller's]")
@click.option(
    "--context",
    "entries",
    metavar="KEY=VALUE[,VALUE]",
    multiple=True,
    help=r"A condition key; \, is a comma.  [repeatable]",
)
@as_json
def command(
    principal: str | None,
    principal_id: str | None,
    session_name: str,
    issuer: str | None,
    action: tuple[str, ...],
    resource: tuple[str, ...],
    resource_account: str | None,
    entries: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> int:
    """Say what policies allow, and why: a tree for each action and resource.

    The policies come from files, or, with --data, those of PRINCIPAL and of organizations from a data directory that a
    server may be using; files are then added to them, or replace the organizations'. Nothing is changed.

    Exit status 0: everything is allowed; 3: something is denied.
    """
    questions = [(each, on) for each in action for on in resource or ("*",)]
    if len(questions) > MAX_QUESTIONS:
        raise _Usage(f"{len(questions)} questions are more than {MAX_QUESTIONS}")
    for each in action:
        if not _ACTION.match(each):
            raise _Usage(f"{each!r} is no action", "one is asked for by its whole name: s3:GetObject")
    given = _given(entries)
    files = _files(options)
    if files.trust is not None and not resource:
        raise _Usage("--trust is the policy of a role, which must be named", "name it: --resource ARN")
    now = int(time.time())
    with _world(options) as world:
        who = world.who(principal or _SOMEBODY, principal_id, session_name, issuer)
        answers = []
        for each, on in questions:
            stored = world.resource(on)
            owner = resource_account or _owner(on) or who.principal.account
            place = world.place(owner)
            known = _context(who, stored, owner, place, now) | given
            policies = _policies(files, who, stored, place, each, on)
            answers.append(explain(Ask(who.principal, each, on, owner, known), policies))
    if as_json:
        result(answers)
    else:
        click.echo("\n\n".join(map(_tree, answers)))
    return 0 if all(each.decision.allowed for each in answers) else _DENIED


def _given(entries: tuple[str, ...]) -> dict[str, str | tuple[str, ...]]:
    values: dict[str, list[str]] = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals or not key:
            raise _Usage(f"{entry!r} is not KEY=VALUE")
        values.setdefault(key.lower(), []).extend(each.replace("\\,", ",") for each in _COMMA.split(value))
    return context({key: each[0] if len(each) == 1 else each for key, each in values.items()})


def _files(options: dict[str, Any]) -> _Files:
    """Take the options that name policy files, and read the files."""
    boundary, resource, trust = (options.pop(name) for name in ("boundary", "resource_policy", "trust"))
    identity, session = options.pop("identity"), options.pop("session")
    if resource is not None and trust is not None:
        raise _Usage("--trust and --resource-policy are both the resource's policy", "give one of them")
    return _Files(
        tuple(compiled(each, PolicyKind.INLINE) for each in identity),
        None if boundary is None else compiled(boundary, PolicyKind.MANAGED),
        tuple(compiled(each, PolicyKind.SESSION) for each in session) or None,
        None if resource is None else compiled(resource, PolicyKind.RESOURCE),
        None if trust is None else compiled(trust, PolicyKind.TRUST),
        _levels(options.pop("scp_level"), PolicyKind.SERVICE_CONTROL),
        _levels(options.pop("rcp_level"), PolicyKind.RESOURCE_CONTROL),
    )


def _levels(levels: tuple[str, ...], kind: PolicyKind) -> tuple[tuple[CompiledPolicy, ...], ...] | None:
    return tuple(tuple(compiled(each, kind) for each in level.split(",")) for level in levels) or None


def _owner(resource: str) -> str:
    parts = resource.split(":", 5)
    return parts[4] if len(parts) == 6 and arn.is_account_id(parts[4]) else ""


def _context(
    who: _Who, stored: _Resource, owner: str, place: OrgFacts | None, now: int
) -> dict[str, str | tuple[str, ...]]:
    """What a server would know by itself."""
    known: dict[str, str | tuple[str, ...]] = {"aws:currenttime": instant(now), "aws:epochtime": str(now)}
    if who.principal.kind in _SESSIONS:
        known["aws:tokenissuetime"] = instant(now)
    if owner:
        owner_keys(known, owner, place)
    place_keys(known, "principal", who.place)
    tag_keys(known, who.tags, prefixes=("aws:principaltag/",))
    tag_keys(known, stored.tags, prefixes=_RESOURCE_TAGS)
    return known | principal_context(who.principal)


def _policies(
    files: _Files, who: _Who, stored: _Resource, place: OrgFacts | None, action: str, resource: str
) -> Policies:
    scps = None if who.place is None else who.place.scps
    guarding = place.rcps if place is not None and action.partition(":")[0].lower() in UNDER_RESOURCE_CONTROL else None
    trust = files.trust or stored.trust
    # A role that does not exist, or whose trust policy is not given, is asked for like one that trusts nobody.
    assumes = files.resource is None and _ASSUMED.search(f"{action.lower()} {resource}") is not None
    return Policies(
        identity=(*who.identity, *files.identity),
        boundary=files.boundary or who.boundary,
        session=files.session,
        resource=trust if assumes else files.resource,
        resource_layer=Layer.TRUST if assumes else Layer.RESOURCE,
        resource_policy_required=assumes,
        scps=files.scps or scps,
        rcps=files.rcps or guarding,
    )


def _tree(explanation: Explanation) -> str:
    on_terminal = sys.stdout.isatty()
    color = on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return render(explanation, color=color, width=shutil.get_terminal_size().columns if on_terminal else _WIDTH)


# Who asks, and what is there


class _Imagined:
    """A world in which nothing is but what the command line says."""

    def who(self, name: str, unique_id: str | None, session_name: str, issuer: str | None) -> _Who:
        return _Who(_principal(name, unique_id, session_name, issuer, ""))

    def resource(self, resource: str) -> _Resource:
        return _Resource()

    def place(self, account: str) -> OrgFacts | None:
        return None


class _Stored:
    """The world of a data directory, in one consistent read."""

    def __init__(self, records: Records, directory: Directory, partition: str) -> None:
        self._records = records
        self._directory = directory
        self._partition = partition

    def who(self, name: str, unique_id: str | None, session_name: str, issuer: str | None) -> _Who:
        holder = self._holder(issuer or name)
        if holder is None:
            made = _principal(name, unique_id, session_name, issuer, "")
            return _Who(made, place=self.place(made.account))
        role_arn = holder.arn if isinstance(holder.record, Role) else ""
        made = _principal(name, unique_id or holder.id, session_name, issuer, role_arn)
        if role_arn and service_of(holder.record.path) is not None:
            made = msgspec.structs.replace(made, service_linked=True)
        return _Who(made, holder.identity, holder.boundary, holder.tags, self.place(holder.account))

    def place(self, account: str) -> OrgFacts | None:
        """Where in an organization an account is."""
        return self._directory.organization_of(account) if account else None

    def _holder(self, name: str) -> Holder | None:
        """The user or role whose policies apply; None for callers without any."""
        try:
            parsed = Arn.parse(name)
        except ValueError:
            return None
        _, short = parsed.path_and_name
        kind: type[User] | type[Role]
        if parsed.service == "iam" and parsed.kind in ("user", "role"):
            kind = User if parsed.kind == "user" else Role
        elif parsed.service == "sts" and parsed.kind == "assumed-role":
            kind, short = Role, parsed.resource.split("/")[1]
        else:
            return None
        stored: Any = self._records.get(kind, parsed.account, short) if short else None
        holder: Holder | None = None if stored is None else self._directory.holder(stored.record.id)
        if holder is None or (parsed.service == "iam" and holder.arn != name):
            raise Refused(Problem(f"there is no {kind.kind} {name}", "path and case of an ARN count; is it this data?"))
        return holder

    def resource(self, resource: str) -> _Resource:
        try:
            parsed = Arn.parse(resource)
        except ValueError:
            return _Resource()
        if parsed.service != "iam" or parsed.partition != self._partition:
            return _Resource()
        _, name = parsed.path_and_name
        if parsed.kind == Role.kind and name:
            holder = self._directory.role(parsed)
            return _Resource() if holder is None else _Resource(holder.trust, holder.tags)
        stored: Any = None
        if parsed.kind == User.kind and name:
            stored = self._records.get(User, parsed.account, name)
        elif parsed.kind == ManagedPolicy.kind:
            stored = self._records.managed_policy(resource, parsed.account, self._partition)
        if stored is None or stored.record.arn(self._partition) != resource:
            return _Resource()
        return _Resource(tags=stored.record.tags)


@contextmanager
def _world(options: dict[str, Any]) -> Iterator[_Imagined | _Stored]:
    if options.get("data") is None:
        yield _Imagined()
        return
    partition = settings_from(dict(options)).partition
    with opened(options) as data, Facts(data.store).reading() as view:
        yield _Stored(Records(view.rows), Directory(view, data.vault, partition), partition)


def _principal(name: str, unique_id: str | None, session_name: str, issuer: str | None, role_arn: str) -> Principal:
    """The caller that a name stands for; ``role_arn`` is the role's ARN with its path, where it is known."""
    if name in ("anonymous", "*"):
        return Principal.anonymous()
    if name in _WEB_PROVIDERS:
        return Principal.web_identity(name)
    if _SERVICE.match(name):
        return Principal.service(name)
    try:
        parsed = Arn.parse(name)
    except ValueError:
        raise _Usage(f"{name!r} is neither an ARN, nor a service's name, nor anonymous") from None
    account, partition, kind = parsed.account, parsed.partition, parsed.kind
    parts = parsed.resource.split("/")
    if arn.is_account_id(account) and parsed.service == "iam":
        if parsed.resource == "root":
            return Principal.root(account, partition=partition)
        if kind == "user" and parts[-1]:
            return Principal.user(name, account, unique_id or _UNIQUE_IDS["user"], partition=partition)
        if kind == "role" and len(parts) > 1 and parts[-1]:
            own = arn.assumed_role(partition, account, parts[-1], session_name)
            return Principal.role_session(
                own, account, name, unique_id or _UNIQUE_IDS["role"], session_name, partition=partition
            )
        if kind == "oidc-provider":
            return Principal.web_identity(name, account)
        if kind == "saml-provider":
            return Principal.saml(name, account)
    if arn.is_account_id(account) and parsed.service == "sts":
        if kind == "assumed-role" and len(parts) == 3 and all(parts):
            role_arn = role_arn or arn.iam(partition, account, "role", "/", parts[1])
            return Principal.role_session(
                name, account, role_arn, unique_id or _UNIQUE_IDS["role"], parts[2], partition=partition
            )
        if kind == "federated-user" and len(parts) == 2 and parts[1]:
            if issuer is None:
                raise _Usage(
                    "a federated user has the rights of whoever issued the session", "name the issuer: --issuer ARN"
                )
            return Principal.federated_user(
                name, account, parts[1], issuer, unique_id or _UNIQUE_IDS["user"], partition=partition
            )
    raise _Usage(f"{name!r} is no principal", "it is a user, a role, a session, a provider, or an account's root")
