"""Accounts and everything in them as the file that describes them: the same form that is applied.

No secret is in it: access keys, passwords, MFA devices and private keys are not described.  Nor are service-linked
roles, which other operations make, and versions of managed policies that are not in force.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from locum.core.account_records import AccountAlias
from locum.core.limits import LIMITS, limit
from locum.core.organization import FULL_ACCESS, RESOURCE_CONTROL, SERVICE_CONTROL
from locum.core.organization_records import Organization, OrgPolicy, OrgUnit
from locum.core.records import Account, Group, InstanceProfile, ManagedPolicy, OidcProvider, Role, SamlProvider, User
from locum.server.declared.accounts import is_reserved
from locum.server.declared.form import VERSION, written
from locum.server.declared.run import read_stored
from locum.server.declared.source import NUMBER, Number
from locum.server.iam.documents import rendered_trust
from locum.server.problems import Problem, Refused
from locum.store import Snapshot
from locum.store.organizations import each_found
from locum.store.records import Records

__all__ = ["exported", "json_text", "yaml_text"]

_PATH: Final = "/"
_LINE_ENDS: Final = re.compile("[\r\x85\u2028\u2029]")


def exported(rows: Snapshot, partition: str, accounts: Collection[str] | None = None) -> dict[str, Any]:
    """The values of a file that describes some accounts, or all, and the organizations that they manage.

    Everything stands in the order of its name.  :class:`Refused` for an account that there is not.
    """
    records = Records(rows)
    found = {stored.record.id: stored.record for stored in records.each(Account, "")}
    for id in accounts or ():
        if id not in found:
            raise Refused(Problem(f"there is no account {id!r}", "`locum account list` shows them"))
    chosen = [each for id, each in sorted(found.items()) if accounts is None or id in accounts]
    values: dict[str, Any] = {"locum": Number(VERSION)}
    values["accounts"] = {each.id: _account(records, partition, each) for each in chosen}
    organizations = {}
    for account in chosen:
        stored = records.get(Organization, "", account.organization) if account.organization else None
        if stored is not None and stored.record.management == account.id:
            organizations[account.id] = _organization(records, stored.record)
    if organizations:
        values["organizations"] = organizations
    return values


def _without_defaults(**values: Any) -> dict[str, Any]:
    return {name: each for name, each in values.items() if each not in (None, "", {}, [], ()) and each is not False}


def _path(path: str) -> str | None:
    return None if path == _PATH else path


def _account(records: Records, partition: str, account: Account) -> dict[str, Any]:
    id = account.id
    alias = next((key.name for key in records.found("alias-account", id, limit=1)), None)
    stored_alias = None if alias is None else records.get(AccountAlias, "", alias)

    def section(kind: type[Any], shown: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        every = [stored.record for stored in records.each(kind, id) if not is_reserved(stored.record)]
        return {_name(each): shown(each) for each in every}

    return {
        "name": account.name,
        "alias": None if stored_alias is None else stored_alias.record.alias,
        "limits": {name: limit(account, name) for name in sorted(account.limits) if name in LIMITS},
        "oidc_providers": section(OidcProvider, _oidc),
        "saml_providers": section(SamlProvider, _saml),
        "policies": section(ManagedPolicy, _policy),
        "groups": section(Group, _held),
        "users": section(User, lambda user: _user(records, user)),
        "roles": section(Role, lambda role: _role(records, partition, role)),
        "instance_profiles": section(InstanceProfile, lambda profile: _profile(records, profile)),
    }


def _name(record: Any) -> str:
    return f"https://{record.url}" if isinstance(record, OidcProvider) else str(record.name)


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(tags.items()))


def _oidc(provider: OidcProvider) -> dict[str, Any]:
    return _without_defaults(
        client_ids=sorted(provider.client_ids), thumbprints=sorted(provider.thumbprints), tags=_tags(provider.tags)
    )


def _saml(provider: SamlProvider) -> dict[str, Any]:
    mode = None if provider.encryption_mode == "Allowed" else provider.encryption_mode
    return _without_defaults(encryption=mode, tags=_tags(provider.tags), metadata=provider.metadata)


def _policy(policy: ManagedPolicy) -> dict[str, Any]:
    return _without_defaults(
        path=_path(policy.path),
        description=policy.description,
        tags=_tags(policy.tags),
        document=read_stored(policy.document),
    )


def _held(holder: User | Group | Role) -> dict[str, Any]:
    return _without_defaults(
        path=_path(holder.path),
        attached=sorted(holder.attached),
        policies={name: read_stored(text) for name, text in sorted(holder.inline.items())},
    )


def _user(records: Records, user: User) -> dict[str, Any]:
    groups = [stored.record.name for stored in map(records.group, user.groups) if stored is not None]
    return _held(user) | _without_defaults(
        groups=sorted(groups, key=str.lower), boundary=user.boundary, tags=_tags(user.tags)
    )


def _role(records: Records, partition: str, role: Role) -> dict[str, Any]:
    duration = None if role.max_session_duration == 3_600 else Number(role.max_session_duration)
    return _held(role) | _without_defaults(
        description=role.description,
        max_session_duration=duration,
        boundary=role.boundary,
        tags=_tags(role.tags),
        trust=read_stored(rendered_trust(records, partition, role.trust)),
    )


def _profile(records: Records, profile: InstanceProfile) -> dict[str, Any]:
    stored = None if profile.role is None else records.by_id(profile.role)
    return _without_defaults(
        path=_path(profile.path), role=None if stored is None else stored.record.name, tags=_tags(profile.tags)
    )


# Organizations


def _organization(records: Records, organization: Organization) -> dict[str, Any]:
    names = {each.id: each.name for each in FULL_ACCESS.values()}
    sections: dict[str, dict[str, Any]] = {}
    for type in (SERVICE_CONTROL, RESOURCE_CONTROL):
        found = each_found(records, OrgPolicy, "org-policies", f"{organization.id}/{type}")
        every = sorted((stored.record for stored in found), key=lambda each: each.name)
        names |= {each.id: each.name for each in every}
        sections[type] = {
            each.name: _without_defaults(
                description=each.description, tags=_tags(each.tags), document=read_stored(each.content)
            )
            for each in every
        }
    return {
        "feature_set": organization.feature_set,
        "policy_types": sorted(organization.policy_types),
        "service_control_policies": sections[SERVICE_CONTROL],
        "resource_control_policies": sections[RESOURCE_CONTROL],
        "services": {
            service: sorted(organization.delegated.get(service, ())) for service in sorted(organization.services)
        },
        "root_features": sorted(organization.root_features),
        "root": _place(organization, names) | _under(records, organization.root, names),
    }


def _place(place: Account | Organization | OrgUnit, names: Mapping[str, str]) -> dict[str, Any]:
    scps = None if place.scps is None else _attached(place.scps, names)
    return _without_defaults(scps=scps, rcps=_attached(place.rcps, names), tags=_tags(place.tags))


def _attached(policies: Iterable[str], names: Mapping[str, str]) -> list[str]:
    return sorted(names.get(each, each) for each in policies)


def _under(records: Records, parent: str, names: Mapping[str, str]) -> dict[str, Any]:
    accounts = [stored.record for stored in each_found(records, Account, "account-parent", parent)]
    units = sorted(
        (stored.record for stored in each_found(records, OrgUnit, "unit-parent", parent)), key=lambda each: each.name
    )
    values: dict[str, Any] = {}
    if accounts:
        values["accounts"] = {each.id: _place(each, names) for each in accounts}
    # An empty section says that there are none, so that others can be pruned.
    values["units"] = {each.name: _place(each, names) | _under(records, each.id, names) for each in units}
    return values


# Writing


def json_text(values: Any) -> str:
    """The file as JSON."""
    return _json(values, "") + "\n"


def _json(values: Any, indent: str) -> str:
    inner = f"{indent}  "
    if isinstance(values, dict) and values:
        members = (f"{inner}{json.dumps(name, ensure_ascii=False)}: {_json(values[name], inner)}" for name in values)
        return "{\n" + ",\n".join(members) + f"\n{indent}}}"
    if isinstance(values, list) and values:
        return "[\n" + ",\n".join(inner + _json(each, inner) for each in values) + f"\n{indent}]"
    return str(values) if isinstance(values, Number) else json.dumps(values, ensure_ascii=False)


def yaml_text(values: Any) -> str:
    """The file as YAML; :class:`Refused` where the package that writes it is not installed."""
    try:
        import yaml
    except ImportError:
        raise Refused(
            Problem("YAML needs a package that is not installed", "pip install 'locum[yaml]', or --format json")
        ) from None
    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        # In a block every kind of line end would come back as the one that Unix has.
        style = '"' if _LINE_ENDS.search(value) else "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    def number(dumper: Any, value: Number) -> Any:
        kind = "int" if value.lstrip("-").isdigit() else "float"
        return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", str(value))

    Dumper.add_representer(str, text)
    Dumper.add_representer(Number, number)
    dumped: str = yaml.dump(_writable(values), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1_000)
    return dumped


def _writable(values: Any) -> Any:
    """The values with numbers that only JSON has as the JSON text of the document that they stand in."""
    if isinstance(values, dict):
        if "Statement" in values and not _is_writable(values):
            return written(values)
        return {name: _writable(each) for name, each in values.items()}
    if isinstance(values, list):
        return [_writable(each) for each in values]
    return values


def _is_writable(values: Any) -> bool:
    if isinstance(values, dict | list):
        return all(map(_is_writable, values.values() if isinstance(values, dict) else values))
    return not isinstance(values, Number) or NUMBER.fullmatch(values) is not None
