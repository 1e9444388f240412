"""What a file says of accounts, their identity providers and their managed policies, compared and carried out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec

from locum.api.iam import account as account_api
from locum.api.iam import oidc_providers, policies, saml_providers, types
from locum.core.account_records import AccountAlias
from locum.core.limits import LIMITS, LimitError, limit, with_limits
from locum.core.records import Account, ManagedPolicy, OidcProvider, Record, Role, SamlProvider
from locum.errors import ServiceException
from locum.server.accounts import MAXIMUM_NAME
from locum.server.declared.form import AccountForm, Entry, OidcForm, PolicyForm, SamlForm, Text
from locum.server.declared.run import Run, document_details, read_stored
from locum.server.iam import account as _account  # noqa: F401 - registers handlers
from locum.server.iam import documents
from locum.server.iam import oidc_providers as _oidc_providers  # noqa: F401
from locum.server.iam import policies as _policies  # noqa: F401
from locum.server.iam import saml_providers as _saml_providers  # noqa: F401
from locum.store.records import Stored

__all__ = [
    "carry_out_account",
    "carry_out_policies",
    "carry_out_providers",
    "fixed",
    "given_tags",
    "is_reserved",
    "prune_policies",
    "prune_providers",
    "same_name",
    "undescribed",
]

RecordType = TypeVar("RecordType", bound=Record)

_UNWRITTEN: Final = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
)
"""Stands for a document whose mistakes were told already, so that nothing else is refused for its sake."""
_RESERVED: Final = ("/aws-service-role/", "/aws-reserved/")


def is_reserved(record: Record) -> bool:
    """Whether it is a role of a service, which no file describes: other operations make and delete them."""
    return isinstance(record, Role) and record.path.startswith(_RESERVED)


def given_tags(tags: Mapping[str, Text]) -> tuple[types.Tag, ...]:
    """The tags of a file as commands have them."""
    return tuple(types.Tag(key=key, value=text.value) for key, text in tags.items())


def same_name(run: Run, entry: Entry, noun: str, given: str, stored: str) -> bool:
    """Whether a name is written as it is kept; noted where not, since no operation would find the one by the other."""
    if given != stored:
        run.refuse(entry.place, f"there is a {noun} {stored!r} already, which differs in case only: write it so")
    return given == stored


def fixed(run: Run, entry: Entry, member: str, given: object, stored: object, noun: str) -> None:
    """Note a change of what nothing can change."""
    if given != stored:
        was = "none" if stored is None else repr(stored)
        run.refuse(entry.at(member), f"the {member} of a {noun} cannot be changed (it is {was}): make another one")


def undescribed(
    run: Run, kind: type[RecordType], account: str, section: Mapping[str, Entry], noun: str, name: Callable[[Any], str]
) -> Iterator[Stored[RecordType]]:
    """What a section that is in the file does not mention: each of it where the run prunes, none where it does not."""
    mentioned = {kind.folded(each.removeprefix("https://")) for each in section}
    for stored in [*run.records.each(kind, account)]:
        if stored.record.key[2] in mentioned or is_reserved(stored.record):
            continue
        if run.prune:
            yield stored
        else:
            run.kept.append(f"{noun} {name(stored.record)} of account {account}")


# The account itself


def carry_out_account(run: Run, form: AccountForm) -> bool:
    """Make the account if it is not there; its name, limits and alias.  False where there is no account."""
    if form.title is not None and (not 0 < len(form.title) <= MAXIMUM_NAME or not form.title.isprintable()):
        run.refuse(form.at("title"), f"an account's name has 1 to {MAXIMUM_NAME} printable characters")
    stored = run.records.get(Account, "", form.name)
    details = run.line("~" if stored is not None else "+", form.name, "account", form.name)
    if stored is None:
        run.records.create(Account(id=form.name, name=form.title or "account", created=run.now))
        stored = run.records.get(Account, "", form.name)
    if stored is None:
        return False
    account = stored.record
    if form.title is not None and form.title != account.name:
        details.append(f"~ name = {form.title} (was {account.name})")
        account = msgspec.structs.replace(account, name=form.title)
    if form.limits is not None:
        account = _limited(run, form, account, details)
    run.records.replace(stored, account)
    if "alias" in form.places:
        _alias(run, form, details)
    return True


def _limited(run: Run, form: AccountForm, account: Account, details: list[str]) -> Account:
    limits = form.limits or {}
    changed = account
    for name in sorted({*account.limits, *limits}):
        amount = limits.get(name)
        try:
            changed = with_limits(changed, {name: None if amount is None else amount.value})
        except LimitError as error:
            run.refuse(form.at("limits") if amount is None else amount.place, str(error))
            continue
        if name in LIMITS and limit(changed, name) != limit(account, name):
            details.append(f"~ limit {name} = {limit(changed, name)} (was {limit(account, name)})")
    return changed


def _alias(run: Run, form: AccountForm, details: list[str]) -> None:
    old = next((key.name for key in run.records.found("alias-account", form.name, limit=1)), None)
    if form.alias == old:
        return
    if form.alias is None:
        details.append(f"- alias {old}")
        run.do(form.name, account_api.DeleteAccountAliasCommand(account_alias=old or ""), form.at("alias"))
        return
    details.append(f"+ alias {form.alias}")
    other = run.records.get(AccountAlias, "", form.alias)
    if other is not None and other.record.account != form.name:
        run.refuse(form.at("alias"), f"account {other.record.account} has the alias {form.alias}")
        return
    run.do(form.name, account_api.CreateAccountAliasCommand(account_alias=form.alias), form.at("alias"))


# Identity providers


def carry_out_providers(run: Run, form: AccountForm) -> None:
    """Make and change OIDC and SAML providers."""
    for oidc in (form.oidc_providers or {}).values():
        _oidc(run, form.name, oidc)
    for saml in (form.saml_providers or {}).values():
        _saml(run, form.name, saml)


def _oidc(run: Run, account: str, form: OidcForm) -> None:
    stored = run.records.get(OidcProvider, account, form.name.removeprefix("https://"))
    details = run.line("+" if stored is None else "~", account, "oidc-provider", form.name)
    client_ids = tuple(each.value for each in form.client_ids)
    thumbprints = tuple(each.value.lower() for each in form.thumbprints)
    if stored is None:
        command = oidc_providers.CreateOpenIDConnectProviderCommand(
            url=form.name, client_id_list=client_ids, thumbprint_list=thumbprints, tags=given_tags(form.tags)
        )
        run.do(
            account,
            command,
            form.place,
            client_id_list=form.at("client_ids"),
            thumbprint_list=form.at("thumbprints"),
            tags=form.at("tags"),
        )
        details += [f"+ client id {each}" for each in client_ids]
        return
    provider = stored.record
    if not same_name(run, form, "provider", form.name, f"https://{provider.url}"):
        return
    name = provider.arn(run.partition)
    for each in sorted(set(provider.client_ids) - set(client_ids)):
        details.append(f"- client id {each}")
        gone = oidc_providers.RemoveClientIDFromOpenIDConnectProviderCommand(
            open_id_connect_provider_arn=name, client_id=each
        )
        run.do(account, gone, form.at("client_ids"))
    for text in form.client_ids:
        if text.value not in provider.client_ids:
            details.append(f"+ client id {text.value}")
            more = oidc_providers.AddClientIDToOpenIDConnectProviderCommand(
                open_id_connect_provider_arn=name, client_id=text.value
            )
            run.do(account, more, text.place)
    if set(thumbprints) != set(provider.thumbprints):
        details.append(f"~ thumbprints = {', '.join(thumbprints) or 'none'}")
        if thumbprints:
            other = oidc_providers.UpdateOpenIDConnectProviderThumbprintCommand(
                open_id_connect_provider_arn=name, thumbprint_list=thumbprints
            )
            run.do(account, other, form.at("thumbprints"))
        else:
            now = run.records.get(OidcProvider, account, provider.url)
            if now is not None:
                # The operation takes no empty list, which a provider may have from the start.
                run.records.change(now, thumbprints=())
    untag, tag = oidc_providers.UntagOpenIDConnectProviderCommand, oidc_providers.TagOpenIDConnectProviderCommand
    run.retag(account, form, provider.tags, form.tags, details, untag, tag, open_id_connect_provider_arn=name)


def _saml(run: Run, account: str, form: SamlForm) -> None:
    stored = run.records.get(SamlProvider, account, form.name)
    details = run.line("+" if stored is None else "~", account, "saml-provider", form.name)
    if stored is None:
        command = saml_providers.CreateSAMLProviderCommand(
            name=form.name,
            saml_metadata_document=form.metadata,
            tags=given_tags(form.tags),
            assertion_encryption_mode=form.encryption,
        )
        run.do(
            account,
            command,
            form.place,
            saml_metadata_document=form.at("metadata"),
            assertion_encryption_mode=form.at("encryption"),
            tags=form.at("tags"),
        )
        return
    provider = stored.record
    if not same_name(run, form, "provider", form.name, provider.name):
        return
    name = provider.arn(run.partition)
    new_metadata = form.metadata != provider.metadata
    new_mode = form.encryption != provider.encryption_mode
    if new_metadata:
        details.append("~ metadata")
    if new_mode:
        details.append(f"~ encryption = {form.encryption} (was {provider.encryption_mode})")
    if new_metadata or new_mode:
        update = saml_providers.UpdateSAMLProviderCommand(
            saml_provider_arn=name,
            saml_metadata_document=form.metadata if new_metadata else None,
            assertion_encryption_mode=form.encryption if new_mode else None,
        )
        place = form.at("metadata" if new_metadata else "encryption")
        run.do(account, update, place, assertion_encryption_mode=form.at("encryption"))
    untag, tag = saml_providers.UntagSAMLProviderCommand, saml_providers.TagSAMLProviderCommand
    run.retag(account, form, provider.tags, form.tags, details, untag, tag, saml_provider_arn=name)


def prune_providers(run: Run, form: AccountForm) -> None:
    """Delete the providers that are not mentioned."""
    account = form.name
    if form.oidc_providers is not None:
        for oidc in undescribed(run, OidcProvider, account, form.oidc_providers, "oidc-provider", _by_name):
            run.line("-", account, "oidc-provider", f"https://{oidc.record.url}")
            name = oidc.record.arn(run.partition)
            command = oidc_providers.DeleteOpenIDConnectProviderCommand(open_id_connect_provider_arn=name)
            run.do(account, command, form.at("oidc_providers"), f"https://{oidc.record.url}")
    if form.saml_providers is not None:
        for saml in undescribed(run, SamlProvider, account, form.saml_providers, "saml-provider", _by_name):
            run.line("-", account, "saml-provider", saml.record.name)
            gone = saml_providers.DeleteSAMLProviderCommand(saml_provider_arn=saml.record.arn(run.partition))
            run.do(account, gone, form.at("saml_providers"), saml.record.name)


def _by_name(record: OidcProvider | SamlProvider | ManagedPolicy) -> str:
    return f"https://{record.url}" if isinstance(record, OidcProvider) else record.name


# Managed policies


def carry_out_policies(run: Run, form: AccountForm) -> None:
    """Make managed policies, and give those whose document changed a new version."""
    for each in (form.policies or {}).values():
        _policy(run, form.name, each)


def _policy(run: Run, account: str, form: PolicyForm) -> None:
    stored = run.records.get(ManagedPolicy, account, form.name)
    details = run.line("+" if stored is None else "~", account, "policy", form.name)
    sound = form.document.sound and _fits(run, account, form)
    if stored is None:
        made = policies.CreatePolicyCommand(
            policy_name=form.name,
            path=form.path,
            policy_document=form.document.text if sound else _UNWRITTEN,
            description=form.description,
        )
        run.do(
            account,
            made,
            form.place,
            path=form.at("path"),
            policy_document=form.document.place,
            description=form.at("description"),
        )
        stored = run.records.get(ManagedPolicy, account, form.name)
        if stored is None:
            return
    policy = stored.record
    if not same_name(run, form, "policy", form.name, policy.name):
        return
    fixed(run, form, "path", form.path, policy.path, "policy")
    fixed(run, form, "description", form.description or None, policy.description, "policy")
    name = policy.arn(run.partition)
    old = read_stored(policy.document)
    if sound and old != form.document.values:
        _new_version(run, account, form, policy, details)
        details += document_details(f"document (as version v{policy.last_number + 1})", old, form.document.values)
    untag, tag = policies.UntagPolicyCommand, policies.TagPolicyCommand
    run.retag(account, form, policy.tags, form.tags, details, untag, tag, policy_arn=name)


def _fits(run: Run, account: str, form: PolicyForm) -> bool:
    """Whether the account allows a document of this size; told at its place where not."""
    call = run.call(account, policies.GetPolicyCommand(policy_arn=""))
    try:
        documents.check_identity(call, form.document.text, managed=True)
    except ServiceException as refused:
        run.refuse(form.document.place, refused.message)
        return False
    return True


def _new_version(run: Run, account: str, form: PolicyForm, policy: ManagedPolicy, details: list[str]) -> None:
    """Put the document in force; the oldest version goes where there is no room for one more."""
    name = policy.arn(run.partition)
    allowed = limit(_account_record(run, account), "VersionsPerPolicy")
    others = [each for each in policy.versions if each.number != policy.default]
    while others and len(others) + 1 >= allowed:
        oldest = others.pop(0)
        details.append(f"- version {oldest.id}")
        run.do(account, policies.DeletePolicyVersionCommand(policy_arn=name, version_id=oldest.id), form.place)
    command = policies.CreatePolicyVersionCommand(
        policy_arn=name, policy_document=form.document.text, set_as_default=True
    )
    run.do(account, command, form.document.place)


def _account_record(run: Run, account: str) -> Account | None:
    stored = run.records.get(Account, "", account)
    return None if stored is None else stored.record


def prune_policies(run: Run, form: AccountForm) -> None:
    """Delete the managed policies that are not mentioned, with all of their versions."""
    if form.policies is None:
        return
    account = form.name
    for stored in undescribed(run, ManagedPolicy, account, form.policies, "policy", _by_name):
        policy = stored.record
        run.line("-", account, "policy", policy.name)
        name, place, about = policy.arn(run.partition), form.at("policies"), f"policy {policy.name}"
        for version in policy.versions:
            if version.number != policy.default:
                gone = policies.DeletePolicyVersionCommand(policy_arn=name, version_id=version.id)
                run.do(account, gone, place, about)
        run.do(account, policies.DeletePolicyCommand(policy_arn=name), place, about)
