"""Service and resource control policies: types, documents, attachments, and what the engine reads of them."""

from __future__ import annotations

import json

import msgspec
import pytest

from locum.api.organizations import organization, policies
from locum.core.limits import with_limits
from locum.core.organization import OrgFacts
from locum.core.organization_records import OrgPolicy
from locum.core.records import Account
from locum.organization_errors import (
    ConstraintViolationException,
    DuplicatePolicyAttachmentException,
    DuplicatePolicyException,
    InvalidInputException,
    MalformedPolicyDocumentException,
    PolicyInUseException,
    PolicyNotAttachedException,
    PolicyNotFoundException,
    PolicyTypeAlreadyEnabledException,
    PolicyTypeNotAvailableForOrganizationException,
    PolicyTypeNotEnabledException,
    RootNotFoundException,
    TargetNotFoundException,
)
from locum.policy import Ask, Effect, Layer, Policies, PolicyKind, Principal, context, decide, load
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER, World
from .conftest import DENY, FULL, NO_ROLES, RCP, SCP, Org

EVERYTHING = load('{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', PolicyKind.INLINE, "all")
S3 = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'


def decided(facts: OrgFacts | None, action: str = "s3:GetObject") -> tuple[Effect, Layer | None]:
    """What happens to a user of the account who may do everything."""
    assert facts is not None
    user = Principal.user(f"arn:aws:iam::{facts.account}:user/u", facts.account, "AIDAALICEALICEALICE00")
    ask = Ask(user, action, "*", facts.account, context({}))
    decision = decide(ask, Policies(identity=(EVERYTHING,), scps=facts.scps))
    return decision.effect, decision.layer


def names(levels: object) -> list[list[str]]:
    assert isinstance(levels, tuple)
    return [[each.name for each in level] for level in levels]


@pytest.mark.facts("ORG-010", "POL-OR-005")
def test_a_type_is_enabled_in_the_root_once(org: Org) -> None:
    account = org.account()
    facts = org.facts(account)
    assert facts is not None
    assert (facts.scps, facts.rcps, facts.policy_types) == (None, None, frozenset())
    root = org.enable(SCP)
    assert [(each.type, each.status) for each in root.policy_types] == [(SCP, "ENABLED")]
    assert org.call(organization.ListRootsCommand()).roots == (root,)
    again = policies.EnablePolicyTypeCommand(root_id=org.top, policy_type=SCP)
    org.refused(again, PolicyTypeAlreadyEnabledException)
    org.refused(policies.EnablePolicyTypeCommand(root_id="r-zzzz", policy_type=RCP), RootNotFoundException)
    org.refused(policies.DisablePolicyTypeCommand(root_id="r-zzzz", policy_type=SCP), RootNotFoundException)
    off = policies.DisablePolicyTypeCommand(root_id=org.top, policy_type=RCP)
    org.refused(off, PolicyTypeNotEnabledException)
    org.enable(RCP)
    shown = org.call(organization.ListRootsCommand()).roots[0]
    assert [each.type for each in shown.policy_types] == [RCP, SCP]


@pytest.mark.facts("ORG-010")
def test_other_types_and_other_feature_sets_have_no_policies(org: Org, world: World) -> None:
    other = policies.EnablePolicyTypeCommand(root_id=org.top, policy_type="TAG_POLICY")
    org.refused(other, PolicyTypeNotAvailableForOrganizationException)
    made = policies.CreatePolicyCommand(content="{}", description="", name="n", type="BACKUP_POLICY")
    org.refused(made, PolicyTypeNotAvailableForOrganizationException)
    assert org.call(policies.ListPoliciesCommand(filter="TAG_POLICY")).policies == ()
    listed = policies.ListPoliciesForTargetCommand(target_id=org.top, filter="TAG_POLICY")
    assert org.call(listed).policies == ()
    org.call(organization.DeleteOrganizationCommand())
    billing = Org(world, feature_set="CONSOLIDATED_BILLING")
    command = policies.EnablePolicyTypeCommand(root_id=billing.top, policy_type=SCP)
    billing.refused(command, PolicyTypeNotAvailableForOrganizationException)


@pytest.mark.facts("ORG-011", "POL-OR-003", "POL-OR-021", "ORG-015")
@pytest.mark.parametrize("type", [SCP, RCP])
def test_enabling_attaches_awss_own_everywhere(org: Org, type: str) -> None:
    account, unit = org.account(), org.unit()
    assert org.targets(FULL[type]) == []
    org.enable(type)
    everything = [*sorted((ACCOUNT, account)), unit, org.top]
    assert org.targets(FULL[type]) == everything
    later, inside = org.account("later"), org.unit("inside", unit)
    assert org.targets(FULL[type]) == [*sorted((ACCOUNT, account, later)), *sorted((unit, inside)), org.top]
    for target in (later, inside, org.top, ACCOUNT):
        assert org.attached(target, type) == [FULL[type]]
    assert decided(org.facts(later)) == (Effect.ALLOW, Layer.IDENTITY)
    with org.world.store.snapshot() as rows:
        assert rows.find("org-attached", f"{org.id}/{type}") == []


@pytest.mark.facts("ORG-011", "POL-OR-005")
@pytest.mark.parametrize("type", [SCP, RCP])
def test_disabling_detaches_everything_for_good(org: Org, type: str) -> None:
    account, unit = org.account(), org.unit()
    for each in (SCP, RCP):
        org.enable(each)
    kept = org.policy("kept", NO_ROLES if type == SCP else DENY, RCP if type == SCP else SCP)
    policy = org.policy(content=DENY if type == SCP else NO_ROLES, type=type)
    for target in (org.top, unit, account, ACCOUNT):
        org.attach(policy, target)
        org.attach(kept, target)
    root = org.call(policies.DisablePolicyTypeCommand(root_id=org.top, policy_type=type)).root
    assert [each.type for each in root.policy_types] == [RCP if type == SCP else SCP]
    facts = org.facts(account)
    assert facts is not None
    assert (facts.scps if type == SCP else facts.rcps) is None
    assert org.attached(org.top, type) == []
    assert org.targets(policy) == []
    org.call(policies.DeletePolicyCommand(policy_id=policy))
    org.enable(type)
    assert org.attached(account, type) == org.attached(org.top, type) == [FULL[type]]
    assert len(org.targets(kept)) == 4


@pytest.mark.facts("ORG-012", "ORG-023", "ORG-GEN-003", "POL-RS-020")
def test_a_policy_is_kept_as_it_was_written(org: Org) -> None:
    text = ' {"Version": "2012-10-17",\n "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}\n'
    command = policies.CreatePolicyCommand(content=text, description="", name="No S3", type=SCP)
    made = org.call(command).policy
    summary = made.policy_summary
    assert made.content == text
    assert summary.id.startswith("p-")
    assert summary.id == summary.id.lower()
    arn = f"arn:aws:organizations::{ACCOUNT}:policy/{org.id}/service_control_policy/{summary.id}"
    assert (summary.arn, summary.name, summary.description, summary.aws_managed) == (arn, "No S3", "", False)
    assert org.call(policies.DescribePolicyCommand(policy_id=summary.id)).policy == made
    listed = org.call(policies.ListPoliciesCommand(filter=SCP)).policies
    assert [each.id for each in listed] == [FULL[SCP], summary.id]
    assert [each.id for each in org.call(policies.ListPoliciesCommand(filter=RCP)).policies] == [FULL[RCP]]


@pytest.mark.facts("ORG-015", "POL-OR-003", "POL-OR-021", "POL-RS-020")
@pytest.mark.parametrize("type", [SCP, RCP])
def test_awss_own_policy_can_be_read_by_everybody_and_changed_by_nobody(org: Org, type: str) -> None:
    shown = org.call(policies.DescribePolicyCommand(policy_id=FULL[type])).policy
    summary = shown.policy_summary
    assert summary.aws_managed
    assert summary.arn == f"arn:aws:organizations::aws:policy/{type.lower()}/{FULL[type]}"
    if type == SCP:
        assert shown.content == json.dumps(json.loads(shown.content), indent=2)
    (statement,) = json.loads(shown.content)["Statement"]
    principal = {"Principal": "*"} if type == RCP else {}
    assert statement == {"Effect": "Allow", "Action": "*", "Resource": "*", **principal}


@pytest.mark.facts("ORG-014")
def test_awss_own_policy_is_immutable(org: Org) -> None:
    for command in (
        policies.UpdatePolicyCommand(policy_id=FULL[SCP], name="x"),
        policies.DeletePolicyCommand(policy_id=FULL[RCP]),
    ):
        assert org.refused(command, InvalidInputException) == "IMMUTABLE_POLICY"


@pytest.mark.facts("ORG-012")
def test_names_are_unique_within_a_type(org: Org) -> None:
    org.policy("a")
    second = org.policy("b")
    org.policy("a", NO_ROLES, RCP)
    for name in ("a", "FullAWSAccess"):
        again = policies.CreatePolicyCommand(content=DENY, description="", name=name, type=SCP)
        org.refused(again, DuplicatePolicyException)
        org.refused(policies.UpdatePolicyCommand(policy_id=second, name=name), DuplicatePolicyException)
    org.call(policies.UpdatePolicyCommand(policy_id=second, name="b"))


def test_a_policy_changes_in_what_is_given(org: Org) -> None:
    org.enable()
    account = org.account()
    policy = org.policy(description="old")
    org.attach(policy, account)
    assert decided(org.facts(account)) == (Effect.EXPLICIT_DENY, Layer.SERVICE_CONTROL)
    changed = org.call(policies.UpdatePolicyCommand(policy_id=policy, content=DENY.replace("s3", "ec2"))).policy
    assert (changed.policy_summary.name, changed.policy_summary.description) == (None, None)
    assert decided(org.facts(account)) == (Effect.ALLOW, Layer.IDENTITY)
    changed = org.call(policies.UpdatePolicyCommand(policy_id=policy, name="new", description="")).policy
    assert (changed.policy_summary.name, changed.policy_summary.description) == ("new", "")
    kept = org.call(policies.DescribePolicyCommand(policy_id=policy)).policy
    assert (kept.policy_summary.name, kept.policy_summary.description) == ("new", "old")
    assert kept.content == changed.content == DENY.replace("s3", "ec2")
    changed = org.call(policies.UpdatePolicyCommand(policy_id=policy, name=" ", description="next")).policy
    assert (changed.policy_summary.name, changed.policy_summary.description) == (" ", "next")
    for command in (
        policies.UpdatePolicyCommand(policy_id="p-zzzzzzzz", name="x"),
        policies.DeletePolicyCommand(policy_id="p-zzzzzzzz"),
        policies.DescribePolicyCommand(policy_id="p-zzzzzzzz"),
        policies.ListTargetsForPolicyCommand(policy_id="p-zzzzzzzz"),
        policies.AttachPolicyCommand(policy_id="p-zzzzzzzz", target_id=account),
        policies.DetachPolicyCommand(policy_id="p-zzzzzzzz", target_id=account),
    ):
        org.refused(command, PolicyNotFoundException)


@pytest.mark.facts("ORG-023", "POL-LM-008")
@pytest.mark.parametrize(("type", "most", "document"), [(SCP, 10_240, DENY), (RCP, 5_120, NO_ROLES)])
def test_a_document_has_so_many_characters_and_white_space_counts(
    org: Org, type: str, most: int, document: str
) -> None:
    policy = org.policy(content=document.ljust(most), type=type)
    longer = document.ljust(most + 1)
    for command in (
        policies.CreatePolicyCommand(content=longer, description="", name="x", type=type),
        policies.UpdatePolicyCommand(policy_id=policy, content=longer),
    ):
        assert org.refused(command, ConstraintViolationException) == "POLICY_CONTENT_LIMIT_EXCEEDED"


@pytest.mark.facts("R28")
@pytest.mark.parametrize(
    ("type", "content"),
    [
        (SCP, "{"),
        (SCP, "{}"),
        (SCP, NO_ROLES),
        (SCP, DENY.replace("s3:*", "s3")),
        (RCP, DENY),
        (RCP, NO_ROLES.replace("Deny", "Allow")),
    ],
)
def test_a_document_that_cannot_be_enforced_is_refused(org: Org, type: str, content: str) -> None:
    made = policies.CreatePolicyCommand(content=content, description="", name="x", type=type)
    org.refused(made, MalformedPolicyDocumentException)
    policy = org.policy(content=DENY if type == SCP else NO_ROLES, type=type)
    org.refused(policies.UpdatePolicyCommand(policy_id=policy, content=content), MalformedPolicyDocumentException)


@pytest.mark.facts("ORG-013", "POL-LM-008")
@pytest.mark.parametrize(("type", "most", "document"), [(SCP, 10, DENY), (RCP, 5, NO_ROLES)])
def test_policies_are_attached_up_to_a_number(org: Org, type: str, most: int, document: str) -> None:
    made = [org.policy(f"p{number}", document, type) for number in range(most)]
    attach = policies.AttachPolicyCommand(policy_id=made[0], target_id=org.top)
    org.refused(attach, PolicyTypeNotEnabledException)
    org.enable(type)
    for policy in made[:-1]:
        org.attach(policy, org.top)
    org.refused(attach, DuplicatePolicyAttachmentException)
    last = policies.AttachPolicyCommand(policy_id=made[-1], target_id=org.top)
    assert org.refused(last, ConstraintViolationException) == "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    assert org.attached(org.top, type) == sorted([FULL[type], *made[:-1]])
    for target in (OTHER, "r-zzzz", "ou-zzzz-zzzzzzzz"):
        for command in (policies.AttachPolicyCommand, policies.DetachPolicyCommand):
            org.refused(command(policy_id=made[0], target_id=target), TargetNotFoundException)
        org.refused(policies.ListPoliciesForTargetCommand(target_id=target, filter=type), TargetNotFoundException)


@pytest.mark.facts("ORG-013", "POL-OR-003")
def test_one_service_control_policy_stays(org: Org) -> None:
    org.enable()
    account = org.account()
    last = policies.DetachPolicyCommand(policy_id=FULL[SCP], target_id=account)
    assert org.refused(last, ConstraintViolationException) == "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    policy = org.policy("only s3", S3)
    org.refused(policies.DetachPolicyCommand(policy_id=policy, target_id=account), PolicyNotAttachedException)
    org.attach(policy, account)
    org.call(last)
    assert org.attached(account) == [policy]
    assert account not in org.targets(FULL[SCP])
    assert decided(org.facts(account)) == (Effect.ALLOW, Layer.IDENTITY)
    assert decided(org.facts(account), "ec2:RunInstances") == (Effect.IMPLICIT_DENY, Layer.SERVICE_CONTROL)
    org.attach(FULL[SCP], account)
    org.detach(policy, account)
    assert org.record(account).scps is None
    assert org.attached(account) == [FULL[SCP]]


@pytest.mark.facts("ORG-013", "POL-OR-021")
def test_awss_resource_control_policy_cannot_be_detached(org: Org) -> None:
    org.enable(RCP)
    policy = org.policy(content=NO_ROLES, type=RCP)
    org.attach(policy, org.top)
    command = policies.DetachPolicyCommand(policy_id=FULL[RCP], target_id=org.top)
    assert org.refused(command, InvalidInputException) == "NON_DETACHABLE_POLICY"
    again = policies.AttachPolicyCommand(policy_id=FULL[RCP], target_id=org.top)
    org.refused(again, DuplicatePolicyAttachmentException)
    org.detach(policy, org.top)
    assert org.attached(org.top, RCP) == [FULL[RCP]]


@pytest.mark.facts("ORG-014")
def test_a_policy_in_use_is_not_deleted(org: Org) -> None:
    org.enable()
    unit, policy = org.unit(), org.policy()
    org.attach(policy, unit)
    org.refused(policies.DeletePolicyCommand(policy_id=policy), PolicyInUseException)
    org.detach(policy, unit)
    org.call(policies.DeletePolicyCommand(policy_id=policy))
    org.refused(policies.DescribePolicyCommand(policy_id=policy), PolicyNotFoundException)


@pytest.mark.facts("ORG-015")
def test_targets_are_told_with_name_and_type(org: Org) -> None:
    org.enable()
    account, unit, policy = org.account("shop"), org.unit("works"), org.policy()
    for target in (org.top, unit, account):
        org.attach(policy, target)
    listed = org.call(policies.ListTargetsForPolicyCommand(policy_id=policy)).targets
    begin = f"arn:aws:organizations::{ACCOUNT}"
    assert [(each.target_id, each.arn, each.name, each.type) for each in listed] == [
        (account, f"{begin}:account/{org.id}/{account}", "shop", "ACCOUNT"),
        (unit, f"{begin}:ou/{org.id}/{unit}", "works", "ORGANIZATIONAL_UNIT"),
        (org.top, f"{begin}:root/{org.id}/{org.top}", "Root", "ROOT"),
    ]
    inside = org.unit("inside", unit)
    assert org.attached(inside) == [FULL[SCP]]


@pytest.mark.facts("ORG-GEN-002", "ORG-015")
def test_listings_of_policies_go_on_where_their_page_ended(org: Org) -> None:
    org.enable()
    made = sorted(org.policy(f"p{number}") for number in range(24))
    places = [org.unit(f"u{number}") for number in range(3)]

    def every(command: type, member: str, **given: object) -> list[str]:
        found: list[str] = []
        token, pages = None, 0
        while pages == 0 or token is not None:
            answer = org.call(command(next_token=token, max_results=2, **given))
            found += [getattr(each, "target_id", None) or each.id for each in getattr(answer, member)]
            token = answer.next_token
            pages += 1
        assert pages == (len(found) + 1) // 2 or len(found) % 2 == 0
        return found

    assert every(policies.ListPoliciesCommand, "policies", filter=SCP) == [FULL[SCP], *made]
    everywhere = every(policies.ListTargetsForPolicyCommand, "targets", policy_id=FULL[SCP])
    assert everywhere == [ACCOUNT, *sorted(places), org.top]
    for policy in made[:3]:
        org.attach(policy, org.top)
    attached = every(policies.ListPoliciesForTargetCommand, "policies", target_id=org.top, filter=SCP)
    assert attached == sorted([FULL[SCP], *made[:3]])


@pytest.mark.facts("ORG-017", "POL-OR-001", "POL-OR-020")
def test_the_management_account_is_exempt(org: Org) -> None:
    org.enable(SCP)
    org.enable(RCP)
    account = org.account()
    for target in (ACCOUNT, org.top):
        org.attach(org.policy(f"scp {target}"), target)
        org.attach(org.policy(f"rcp {target}", NO_ROLES, RCP), target)
    management, member = org.facts(), org.facts(account)
    assert management is not None
    assert member is not None
    assert (management.scps, management.rcps) == (None, None)
    assert management.path == f"{org.id}/{org.top}/"
    assert decided(management) == (Effect.ALLOW, Layer.IDENTITY)
    assert decided(member) == (Effect.EXPLICIT_DENY, Layer.SERVICE_CONTROL)
    assert len(names(member.rcps)[0]) == 1


@pytest.mark.facts("POL-OR-002", "POL-OR-008", "ORG-016", "ORG-024")
def test_every_level_must_allow(org: Org) -> None:
    org.enable()
    account, unit = org.account(), org.unit()
    org.move(account, org.top, unit)
    allowing, other = org.policy("s3", S3), org.policy("ec2", S3.replace("s3", "ec2"))
    org.attach(allowing, org.top)
    org.detach(FULL[SCP], org.top)
    facts = org.facts(account)
    assert facts is not None
    assert names(facts.scps) == [[allowing], [FULL[SCP]], [FULL[SCP]]]
    assert decided(facts) == (Effect.ALLOW, Layer.IDENTITY)
    assert decided(facts, "ec2:RunInstances") == (Effect.IMPLICIT_DENY, Layer.SERVICE_CONTROL)
    org.attach(other, unit)
    org.detach(FULL[SCP], unit)
    assert decided(org.facts(account)) == (Effect.IMPLICIT_DENY, Layer.SERVICE_CONTROL)
    assert decided(org.facts(account), "ec2:RunInstances") == (Effect.IMPLICIT_DENY, Layer.SERVICE_CONTROL)


@pytest.mark.facts("POL-OR-021", "POL-OR-023")
def test_resource_control_policies_leave_awss_own_out(org: Org) -> None:
    org.enable(RCP)
    account, policy = org.account(), org.policy(content=NO_ROLES, type=RCP)
    org.attach(policy, org.top)
    facts = org.facts(account)
    assert facts is not None
    assert names(facts.rcps) == [[policy], []]
    assert facts.scps is None


@pytest.mark.facts("R28")
def test_a_policy_that_is_gone_or_unreadable_denies(org: Org) -> None:
    org.enable()
    account, policy = org.account(), org.policy("s3", S3)
    org.attach(policy, account)
    for damage in ("{", None):
        with org.world.store.transaction() as rows:
            records = Records(rows)
            stored = records.get(OrgPolicy, "", policy)
            assert stored is not None
            if damage is None:
                records.delete(stored)
            else:
                records.replace(stored, msgspec.structs.replace(stored.record, content=damage))
        assert decided(org.facts(account))[0] is Effect.EXPLICIT_DENY


@pytest.mark.facts("POL-LM-008")
@pytest.mark.parametrize(("type", "document"), [(SCP, DENY), (RCP, NO_ROLES)])
def test_an_organization_has_so_many_policies(org: Org, type: str, document: str) -> None:
    quota = {SCP: "ServiceControlPoliciesPerOrganization", RCP: "ResourceControlPoliciesPerOrganization"}[type]
    with org.world.store.transaction() as rows:
        stored = Records(rows).get(Account, "", ACCOUNT)
        assert stored is not None
        Records(rows).replace(stored, with_limits(stored.record, {quota: 1}))
    org.policy(content=document, type=type)
    more = policies.CreatePolicyCommand(content=document, description="", name="more", type=type)
    assert org.refused(more, ConstraintViolationException) == "POLICY_NUMBER_LIMIT_EXCEEDED"


@pytest.mark.facts("POL-VA-072")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}}',
            '{"Version":"2008-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}]}',
        ),
        (
            '{"Statement": [{"Action": "sqs:*", "Effect": "Deny", "NotResource": "x:\\u00e9",'
            ' "Principal": {"AWS": "*"}}], "Version": "2012-10-17"}',
            '{"Version":"2012-10-17","Statement":[{"Action":"sqs:*","Effect":"Deny","NotResource":"x:\u00e9",'
            '"Principal":{"AWS":"*"}}]}',
        ),
    ],
)
def test_a_resource_control_policy_is_shown_as_aws_keeps_it(org: Org, text: str, shown: str) -> None:
    command = policies.CreatePolicyCommand(
        content=text.replace("x:", "arn:aws:sqs:::"), description="", name="x", type=RCP
    )
    made = org.call(command).policy
    assert made is not None
    assert made.content == shown.replace("x:", "arn:aws:sqs:::")
