"""What a file says of organizations, compared with what is there, and carried out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from locum.api.iam import root_access
from locum.api.organizations import accounts as accounts_api
from locum.api.organizations import organization as organization_api
from locum.api.organizations import policies as policies_api
from locum.api.organizations import types, units
from locum.core.limits import limit
from locum.core.organization import FULL_ACCESS, RESOURCE_CONTROL, SERVICE_CONTROL, in_force, joined, kept_document
from locum.core.organization_records import Organization, OrgPolicy, OrgUnit, name_mark
from locum.core.records import Account
from locum.core.root_access import CREDENTIALS, FEATURES, SESSIONS
from locum.server.declared.form import OrganizationForm, OrgPolicyForm, PlaceForm, Text
from locum.server.declared.run import Run, document_details, read_stored
from locum.server.declared.source import Place
from locum.server.iam import root_access as _root_access  # noqa: F401 - registers handlers
from locum.server.organizations import accounts as _accounts  # noqa: F401
from locum.server.organizations import organization as _organization  # noqa: F401
from locum.server.organizations import policies as _policies  # noqa: F401
from locum.server.organizations import units as _units  # noqa: F401
from locum.server.organizations.members import find_organization, find_place
from locum.store.organizations import each_found
from locum.store.records import Stored

__all__ = ["Organizations"]

_UNWRITTEN: Final = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Resource": "*"}]}
)
_UNWRITTEN_OF: Final[Mapping[str, str]] = {
    SERVICE_CONTROL: _UNWRITTEN.replace('"Principal": "*", ', ""),
    RESOURCE_CONTROL: _UNWRITTEN,
}
"""Stands for a document whose mistakes were told already, so that nothing else is refused for its sake."""

_SWITCHES: Final[Mapping[str, tuple[Callable[[], Any], Callable[[], Any]]]] = {
    CREDENTIALS: (
        root_access.EnableOrganizationsRootCredentialsManagementCommand,
        root_access.DisableOrganizationsRootCredentialsManagementCommand,
    ),
    SESSIONS: (
        root_access.EnableOrganizationsRootSessionsCommand,
        root_access.DisableOrganizationsRootSessionsCommand,
    ),
}
"""Feature of centralized root access → the operations that switch it on and off."""


class Organizations:
    """One organization, by its management account."""

    def __init__(self, run: Run, form: OrganizationForm) -> None:
        self._run = run
        self._form = form
        self._account = form.name
        self._scope = f"organization of {form.name}"

    def carry_out(self) -> None:
        """Make the organization if it is not there, and all of what the file says of it."""
        run, form = self._run, self._form
        if run.records.get(Account, "", self._account) is None:
            run.refuse(form.place, f"there is no account {self._account} to manage an organization")
            return
        found = find_organization(run.records, self._account)
        details = run.line("~" if found is not None else "+", self._scope, "organization", self._account)
        if found is None:
            command = organization_api.CreateOrganizationCommand(feature_set=form.feature_set)
            if run.do(self._account, command, form.place, feature_set=form.at("feature_set")) is None:
                return
        else:
            organization = found.record
            if organization.management != self._account:
                managed = f"account {self._account} is in the organization that account {organization.management}"
                run.refuse(form.place, f"{managed} manages")
                return
            if form.feature_set != organization.feature_set:
                was = organization.feature_set
                run.refuse(
                    form.at("feature_set"), f"the feature_set of an organization cannot be changed (it is {was})"
                )
        self._types(details)
        self._make_policies(SERVICE_CONTROL, form.service_control_policies)
        self._make_policies(RESOURCE_CONTROL, form.resource_control_policies)
        if form.root is not None:
            root = self._organization().record.root
            self._members(form.root)
            self._under(root, form.root)
            self._place(root, form.root, "root", "Root")
        # Switching a feature takes trusted access of IAM, so it goes before that does and comes after it.
        self._features(details, on=False)
        self._services(details)
        self._features(details, on=True)
        if form.root is not None:
            self._prune_units(self._organization().record.root, form.root)
        self._prune_policies(SERVICE_CONTROL, form.service_control_policies, "service_control_policies")
        self._prune_policies(RESOURCE_CONTROL, form.resource_control_policies, "resource_control_policies")

    def _organization(self) -> Stored[Organization]:
        found = find_organization(self._run.records, self._account)
        if found is None:
            raise LookupError("the organization is gone from the transaction that has it")
        return found

    def _do(self, command: Any, place: Place, about: str = "", **places: Place) -> Any:
        return self._run.do(self._account, command, place, about, **places)

    # Settings of the whole

    def _types(self, details: list[str]) -> None:
        form = self._form
        if form.policy_types is None:
            return
        organization = self._organization().record
        wanted = {text.value: text.place for text in form.policy_types}
        for type in organization.policy_types:
            if type not in wanted:
                details.append(f"- policy type {type}")
                self._do(
                    policies_api.DisablePolicyTypeCommand(root_id=organization.root, policy_type=type),
                    form.at("policy_types"),
                )
        for type, place in wanted.items():
            if type not in organization.policy_types:
                details.append(f"+ policy type {type}")
                self._do(policies_api.EnablePolicyTypeCommand(root_id=organization.root, policy_type=type), place)

    def _services(self, details: list[str]) -> None:
        form = self._form
        if form.services is None:
            return
        organization = self._organization().record
        for service, administrators in sorted(organization.delegated.items()):
            listed = form.services.get(service)
            if listed is None and service not in organization.services:
                # Without trusted access they have no power; they are the next file's that names the service.
                continue
            wanted = set() if listed is None else {text.value for text in listed.values}
            for account in sorted(administrators.keys() - wanted):
                details.append(f"- administrator {account} of {service}")
                command = organization_api.DeregisterDelegatedAdministratorCommand(
                    account_id=account, service_principal=service
                )
                self._do(command, form.at("services"))
        for service in sorted(organization.services.keys() - form.services.keys()):
            details.append(f"- service {service}")
            gone = organization_api.DisableAWSServiceAccessCommand(service_principal=service)
            self._do(gone, form.at("services"))
        for service, each in form.services.items():
            if service not in organization.services:
                details.append(f"+ service {service}")
                more = organization_api.EnableAWSServiceAccessCommand(service_principal=service)
                self._do(more, each.place)
            for text in each.values:
                if text.value not in organization.delegated.get(service, {}):
                    details.append(f"+ administrator {text.value} of {service}")
                    register = organization_api.RegisterDelegatedAdministratorCommand(
                        account_id=text.value, service_principal=service
                    )
                    self._do(register, text.place)

    def _features(self, details: list[str], *, on: bool) -> None:
        form = self._form
        if form.root_features is None:
            return
        held = self._organization().record.root_features
        wanted = {text.value: text.place for text in form.root_features}
        for name, place in wanted.items() if on else ():
            if name not in FEATURES:
                self._run.refuse(place, f"a feature of root access is one of {', '.join(FEATURES)}")
            elif name not in held:
                details.append(f"+ root feature {name}")
                self._do(_SWITCHES[name][0](), place)
        for name in () if on else held:
            if name not in wanted:
                details.append(f"- root feature {name}")
                self._do(_SWITCHES[name][1](), form.at("root_features"))

    # Policies

    def _found_policy(self, type: str, name: str) -> Stored[OrgPolicy] | None:
        organization = self._organization().record
        mark = name_mark(f"{organization.id}/{type}", name)
        for key in self._run.records.found("org-policy-name", mark, limit=1):
            return self._run.records.get(OrgPolicy, "", key.name)
        return None

    def _make_policies(self, type: str, section: Mapping[str, OrgPolicyForm] | None) -> None:
        for form in (section or {}).values():
            self._policy(type, form)

    def _policy(self, type: str, form: OrgPolicyForm) -> None:
        run = self._run
        stored = self._found_policy(type, form.name)
        details = run.line("+" if stored is None else "~", self._scope, type.lower(), form.name)
        document = form.document
        if stored is None:
            text = document.text if document.sound else _UNWRITTEN_OF[type]
            made = policies_api.CreatePolicyCommand(
                name=form.name, type=type, content=text, description=form.description
            )
            self._do(made, form.place, content=document.place, description=form.at("description"))
            stored = self._found_policy(type, form.name)
            if stored is None:
                return
        policy = stored.record
        changes: dict[str, str] = {}
        if form.description != policy.description:
            details.append(f"~ description = {form.description} (was {policy.description})")
            if form.description:
                changes["description"] = form.description
            else:
                # No request can say this: UpdatePolicy takes an empty description for none.
                self._run.records.change(stored, description="")
        old = read_stored(policy.content)
        new = kept_document(type, document.values) if document.sound else old
        if new != old:
            details += document_details("document", old, new)
            changes["content"] = document.text
        if changes:
            self._do(policies_api.UpdatePolicyCommand(policy_id=policy.id, **changes), document.place)
        self._retag(policy.id, policy.tags, form, details)

    def _retag(self, id: str, old: Mapping[str, str], form: OrgPolicyForm | PlaceForm, details: list[str]) -> None:
        untag, tag = units.UntagResourceCommand, units.TagResourceCommand
        self._run.retag(self._account, form, old, form.tags, details, untag, tag, types.Tag, resource_id=id)

    def _prune_policies(self, type: str, section: Mapping[str, OrgPolicyForm] | None, member: str) -> None:
        if section is None:
            return
        run, id = self._run, self._organization().record.id
        for stored in [*each_found(run.records, OrgPolicy, "org-policies", f"{id}/{type}")]:
            name = stored.record.name
            if name in section:
                continue
            if not run.prune:
                run.kept.append(f"{type.lower()} {name} of the {self._scope}")
                continue
            run.line("-", self._scope, type.lower(), name)
            self._do(policies_api.DeletePolicyCommand(policy_id=stored.record.id), self._form.at(member), name)

    # Root, units and accounts

    def _members(self, root: PlaceForm) -> None:
        """Take accounts of the file into the organization that are in none; each stands in one place of it."""
        run, records = self._run, self._run.records
        places: dict[str, Place] = {}
        for form in _accounts_of(root):
            if form.name in places:
                other = places[form.name].line
                run.refuse(form.place, f"account {form.name} has a place in this organization already, at line {other}")
                continue
            places[form.name] = form.place
            stored = records.get(Account, "", form.name)
            organization = self._organization().record
            if stored is None:
                run.refuse(form.place, f"there is no account {form.name}: describe it under accounts")
            elif stored.record.organization is None:
                management = records.get(Account, "", self._account)
                allowed = limit(None if management is None else management.record, "AccountsPerOrganization")
                if len(records.found("org-account", organization.id, limit=allowed + 1)) >= allowed:
                    run.refuse(form.place, f"the organization may have {allowed} accounts (AccountsPerOrganization)")
                run.line("+", self._scope, "member", form.name)
                records.replace(stored, joined(stored.record, organization, run.now, invited=True))
            elif stored.record.organization != organization.id:
                run.refuse(form.place, f"account {form.name} is in another organization")

    def _under(self, parent: str, form: PlaceForm) -> None:
        """What stands under the root or a unit: units first, then accounts, each with what is attached to it."""
        run, records = self._run, self._run.records
        for unit in form.units.values():
            id = self._unit(parent, unit.name)
            sign = "+" if id is None else "~"
            details = run.line(sign, self._scope, "unit", unit.name)
            if id is None:
                command = units.CreateOrganizationalUnitCommand(parent_id=parent, name=unit.name)
                answer = self._do(command, unit.place)
                if answer is None:
                    continue
                id = answer.organizational_unit.id
            self._under(str(id), unit)
            self._place(str(id), unit, "unit", unit.name, details)
        for account in form.accounts.values():
            stored = records.get(Account, "", account.name)
            organization = self._organization().record
            if stored is None or stored.record.organization != organization.id:
                continue
            details = run.line("~", self._scope, "member", account.name)
            if stored.record.parent != parent:
                details.append(f"~ parent = {self._title(parent)} (was {self._title(stored.record.parent)})")
                move = accounts_api.MoveAccountCommand(
                    account_id=account.name, source_parent_id=stored.record.parent, destination_parent_id=parent
                )
                self._do(move, account.place)
            for member in ("units", "accounts"):
                if member in account.places:
                    run.refuse(account.at(member), f"an account has no {member} under it")
            self._place(account.name, account, "member", account.name, details)

    def _unit(self, parent: str, name: str) -> str | None:
        for key in self._run.records.found("unit-name", name_mark(parent, name), limit=1):
            return key.name
        return None

    def _title(self, id: str) -> str:
        stored = self._run.records.get(OrgUnit, "", id) if id.startswith("ou-") else None
        return "Root" if stored is None else stored.record.name

    def _place(self, id: str, form: PlaceForm, kind: str, name: str, details: list[str] | None = None) -> None:
        """Tags of the root, a unit or an account, and the policies attached to it."""
        run = self._run
        stored: Stored[Any] | None = find_place(run.records, self._organization(), id)
        if stored is None:
            return
        if details is None:
            details = run.line("~", self._scope, kind, name)
        self._retag(id, stored.record.tags, form, details)
        full = Text(FULL_ACCESS[SERVICE_CONTROL].name, form.place)
        scps = (full,) if form.scps is None else form.scps
        self._attach(id, SERVICE_CONTROL, scps, form.at("scps"), details, given=form.scps is not None)
        always = FULL_ACCESS[RESOURCE_CONTROL].name
        rcps = (Text(always, form.place), *(text for text in form.rcps if text.value != always))
        self._attach(id, RESOURCE_CONTROL, rcps, form.at("rcps"), details, given=bool(form.rcps))

    def _attach(
        self, id: str, type: str, wanted: tuple[Text, ...], place: Place, details: list[str], *, given: bool
    ) -> None:
        run = self._run
        organization = self._organization()
        if type not in organization.record.policy_types:
            if given:
                run.refuse(place, f"the policy type {type} is not enabled: name it under policy_types")
            return
        ids: dict[str, Text] = {}
        for text in wanted:
            found = FULL_ACCESS[type] if text.value == FULL_ACCESS[type].name else None
            stored = self._found_policy(type, text.value) if found is None else None
            policy = found if stored is None else stored.record
            if policy is None:
                run.refuse(text.place, f"the organization has no policy {text.value!r} of type {type}")
                return
            ids[policy.id] = text
        target = find_place(run.records, organization, id)
        if target is None:
            return
        held = [*in_force(target.record, type, organization.record.policy_types)]
        extra = [each for each in held if each not in ids]
        missing = [each for each in ids if each not in held]
        # One must always be attached and there is a most: so they come and go by turns.
        while extra or missing:
            if extra and (len(held) > 1 or not missing):
                gone = extra.pop()
                held.remove(gone)
                details.append(f"- attached {self._policy_name(type, gone)}")
                self._do(policies_api.DetachPolicyCommand(policy_id=gone, target_id=id), place)
            else:
                more = missing.pop(0)
                held.append(more)
                details.append(f"+ attached {ids[more].value}")
                self._do(policies_api.AttachPolicyCommand(policy_id=more, target_id=id), ids[more].place)

    def _policy_name(self, type: str, id: str) -> str:
        if id == FULL_ACCESS[type].id:
            return FULL_ACCESS[type].name
        stored = self._run.records.get(OrgPolicy, "", id)
        return id if stored is None else stored.record.name

    def _prune_units(self, parent: str, form: PlaceForm) -> None:
        """Delete the units that are not mentioned under a place whose units are; what holds accounts is refused."""
        run = self._run
        for stored in [*each_found(run.records, OrgUnit, "unit-parent", parent)]:
            unit = stored.record
            described = form.units.get(unit.name)
            if described is not None:
                self._prune_units(unit.id, described)
            elif "units" in form.places and not run.prune:
                run.kept.append(f"unit {unit.name} of the {self._scope}")
            elif "units" in form.places:
                self._delete_unit(unit, form.at("units"))

    def _delete_unit(self, unit: OrgUnit, place: Place) -> None:
        for stored in [*each_found(self._run.records, OrgUnit, "unit-parent", unit.id)]:
            self._delete_unit(stored.record, place)
        self._run.line("-", self._scope, "unit", unit.name)
        command = units.DeleteOrganizationalUnitCommand(organizational_unit_id=unit.id)
        self._do(command, place, f"unit {unit.name}")


def _accounts_of(form: PlaceForm) -> Iterator[PlaceForm]:
    yield from form.accounts.values()
    for unit in form.units.values():
        yield from _accounts_of(unit)
