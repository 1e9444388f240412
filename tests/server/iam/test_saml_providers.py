"""SAML providers: metadata, private keys, encryption mode; making, changing, tagging, listing, deleting
(iam_api.md section 8)."""

from __future__ import annotations

import functools
import re
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from locum import errors
from locum.api.iam import saml_providers as saml
from locum.api.iam import types
from locum.api.shapes import Command
from locum.core.limits import with_limits
from locum.core.records import Account, SamlProvider
from locum.core.sealing import CannotOpen
from locum.guard.directory import Directory
from locum.secret import Secret
from locum.server.handlers import HANDLERS
from locum.server.saml_keys import open_keys
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER, World, document
from ..saml_documents import metadata

ARN = f"arn:aws:iam::{ACCOUNT}:saml-provider/Corp"
NEXT = metadata("https://next.example.com/saml")
FULL = "Cannot exceed quota for PrivateKeysPerSAMLProvider: 2"


@functools.cache
def key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """An RSA key, another one for each number."""
    assert number >= 0
    return rsa.generate_private_key(65537, bits)


def pem(of: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: PrivateFormat = PrivateFormat.PKCS8) -> Secret:
    return Secret(of.private_bytes(Encoding.PEM, form, NoEncryption()).decode())


def create(world: World, name: str = "Corp", *, root: Any = None, **more: Any) -> str:
    more.setdefault("saml_metadata_document", metadata())
    return world.call(root or world.root, saml.CreateSAMLProviderCommand(name=name, **more)).saml_provider_arn


def get(world: World, arn: str = ARN) -> saml.GetSAMLProviderResponse:
    return world.call(world.root, saml.GetSAMLProviderCommand(saml_provider_arn=arn))


def update(world: World, **changes: Any) -> None:
    answer = world.call(world.root, saml.UpdateSAMLProviderCommand(saml_provider_arn=ARN, **changes))
    assert answer.saml_provider_arn == ARN


def key_ids(world: World) -> list[str]:
    return [each.key_id for each in get(world).private_key_list or ()]


def tags(**given: str) -> tuple[types.Tag, ...]:
    return tuple(types.Tag(key=key, value=value) for key, value in given.items())


def about(arn: str) -> list[Command[Any]]:
    """Every command that names a provider by ARN, but that which deletes it."""
    return [
        saml.GetSAMLProviderCommand(saml_provider_arn=arn),
        saml.UpdateSAMLProviderCommand(saml_provider_arn=arn, saml_metadata_document=NEXT),
        saml.TagSAMLProviderCommand(saml_provider_arn=arn, tags=tags(a="b")),
        saml.UntagSAMLProviderCommand(saml_provider_arn=arn, tag_keys=("a",)),
        saml.ListSAMLProviderTagsCommand(saml_provider_arn=arn),
    ]


def readable(world: World, arn: str = ARN) -> SamlProvider | None:
    """What those who decide about an assertion read of a provider."""
    with world.pipeline.facts.reading() as view:
        return Directory(view, world.vault, "aws").saml_provider(arn)


def provider(world: World) -> SamlProvider:
    found = readable(world)
    assert found is not None
    return found


@pytest.mark.facts("IAM-CL-008")
def test_every_operation_is_answered() -> None:
    names = {"CreateSAMLProvider", "GetSAMLProvider", "UpdateSAMLProvider", "ListSAMLProviders", "DeleteSAMLProvider"}
    names |= {"TagSAMLProvider", "UntagSAMLProvider", "ListSAMLProviderTags"}
    assert {each.operation.name for each in HANDLERS if "SAMLProvider" in each.operation.name} == names


@pytest.mark.facts("IAM-SML-001", "IAM-SML-003")
def test_a_provider_shows_its_metadata_as_they_were_given(world: World) -> None:
    document = metadata(valid_until="2031-05-06T07:08:09Z").replace("\n", "\r\n")
    answer = world.call(
        world.root,
        saml.CreateSAMLProviderCommand(name="Corp", saml_metadata_document=document, tags=tags(team="blue")),
    )
    assert (answer.saml_provider_arn, answer.tags) == (ARN, tags(team="blue"))
    got = get(world)
    assert got.saml_metadata_document == document
    assert got.create_date is not None
    assert int(got.create_date.timestamp()) == int(world.now)
    assert (got.tags, got.assertion_encryption_mode, got.private_key_list) == (tags(team="blue"), "Allowed", ())
    assert got.saml_provider_uuid is not None
    assert re.fullmatch(r"[A-Z0-9]{22,64}", got.saml_provider_uuid)


@pytest.mark.facts("IAM-SML-003")
def test_lists_are_shown_though_they_are_empty(world: World) -> None:
    body = world.send(
        world.request(saml.CreateSAMLProviderCommand(name="Corp", saml_metadata_document=metadata()), world.root)
    ).body
    assert b"Tags" not in body
    body = world.send(world.request(saml.GetSAMLProviderCommand(saml_provider_arn=ARN), world.root)).body
    for name in (b"Tags", b"PrivateKeyList"):
        assert b"<" + name + b"/>" in body or b"<" + name + b"></" + name + b">" in body


@pytest.mark.facts("IAM-SML-008")
@pytest.mark.parametrize(
    ("stated", "shown"),
    [("2031-05-06T07:08:09Z", "2031-05-06T07:08:09+00:00"), (None, "2126-01-03T03:04:05+00:00")],
    ids=["stated", "not stated"],
)
def test_metadata_hold_as_long_as_they_say_or_for_a_century(world: World, stated: str | None, shown: str) -> None:
    create(world, saml_metadata_document=metadata(valid_until=stated))
    until = get(world).valid_until
    assert until is not None
    assert until.isoformat() == shown


@pytest.mark.facts("IAM-SML-008")
def test_new_metadata_bring_a_date_of_their_own(world: World) -> None:
    create(world, saml_metadata_document=metadata(valid_until="2031-05-06T07:08:09Z"))
    update(world, saml_metadata_document=metadata(valid_until="2032-01-01T00:00:00Z"))
    until = get(world).valid_until
    assert until is not None
    assert until.isoformat() == "2032-01-01T00:00:00+00:00"


@pytest.mark.facts("IAM-SML-001", "POL-LM-010")
@pytest.mark.parametrize("name", ["Corp", "cORP"])
def test_a_name_is_taken_whatever_its_case(world: World, name: str) -> None:
    create(world)
    command = saml.CreateSAMLProviderCommand(name=name, saml_metadata_document=NEXT)
    assert world.refusal(world.root, command, errors.EntityAlreadyExistsException) == (
        f"Provider with name {name} already exists."
    )
    assert get(world).saml_metadata_document == metadata()


@pytest.mark.facts("IAM-SML-002")
@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("", metadata()),
        ("a" * 129, metadata()),
        ("a/b", metadata()),
        ("a b", metadata()),
        ("a+b", metadata()),
        ("Corp", metadata()[:999]),
    ],
)
def test_names_and_documents_have_limits(world: World, name: str, document: str) -> None:
    command = saml.CreateSAMLProviderCommand(name=name, saml_metadata_document=document)
    assert "failed to satisfy constraint" in world.refusal(world.root, command, errors.ValidationError)


@pytest.mark.facts("IAM-SML-007")
@pytest.mark.parametrize(
    "document",
    [
        "x" * 1000,
        metadata().replace("</md:EntityDescriptor>", ""),
        metadata().replace("IDPSSODescriptor", "SPSSODescriptor"),
        metadata().replace("<md:EntityDescriptor", "<!DOCTYPE x><md:EntityDescriptor"),
        re.sub(r"<md:KeyDescriptor.*</md:KeyDescriptor>", "", metadata(), flags=re.S).ljust(1000),
        metadata(valid_until="soon"),
    ],
    ids=["no xml", "not closed", "no identity provider", "document type", "no certificate", "no date"],
)
def test_metadata_that_cannot_be_used_are_refused_with_the_reason(world: World, document: str) -> None:
    command = saml.CreateSAMLProviderCommand(name="Corp", saml_metadata_document=document)
    said = world.refusal(world.root, command, errors.InvalidInputException)
    assert said.startswith("Could not parse metadata: ")
    assert len(said) > len("Could not parse metadata: ")
    create(world)
    change = saml.UpdateSAMLProviderCommand(saml_provider_arn=ARN, saml_metadata_document=document)
    assert world.refusal(world.root, change, errors.InvalidInputException) == said
    assert get(world).saml_metadata_document == metadata()


@pytest.mark.facts("STS-SAML-033")
def test_metadata_begin_without_a_byte_order_mark(world: World) -> None:
    command = saml.CreateSAMLProviderCommand(name="Corp", saml_metadata_document="\ufeff" + metadata())
    world.refusal(world.root, command, errors.InvalidInputException)


def test_without_the_packages_the_error_says_what_to_install(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    create(world)
    for name in [each for each in sys.modules if each.startswith("locum.core.saml.")]:
        if not name.endswith(".shapes"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lxml", None)
    for command in (
        saml.CreateSAMLProviderCommand(name="Next", saml_metadata_document=NEXT),
        saml.UpdateSAMLProviderCommand(saml_provider_arn=ARN, saml_metadata_document=NEXT),
    ):
        assert "pip install 'locum[saml]'" in world.refusal(world.root, command, errors.ServiceFailureException)
    assert get(world).saml_metadata_document == metadata()


@pytest.mark.facts("IAM-SML-004")
def test_an_unknown_provider(world: World) -> None:
    other = world.account(OTHER)
    create(world, root=other)
    create(world)
    for unknown in (ARN.replace(ACCOUNT, OTHER), ARN.replace("Corp", "corp"), ARN + "x"):
        for command in (*about(unknown), saml.DeleteSAMLProviderCommand(saml_provider_arn=unknown)):
            assert world.refusal(world.root, command, errors.NoSuchEntityException) == (
                f"Manifest not found for arn {unknown}"
            )
        assert (readable(world, unknown) is None) == (OTHER not in unknown)
    assert get(world).saml_metadata_document == metadata()


@pytest.mark.facts("IAM-GEN-044")
@pytest.mark.parametrize(
    "arn",
    [
        "x" * 20,
        f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example.com",
        f"arn:aws:iam:eu-central-1:{ACCOUNT}:saml-provider/Corp",
    ],
)
def test_what_is_no_arn_of_a_provider(world: World, arn: str) -> None:
    for command in (*about(arn), saml.DeleteSAMLProviderCommand(saml_provider_arn=arn)):
        assert world.refusal(world.root, command, errors.ValidationError) == f"ARN {arn} is not valid."


@pytest.mark.facts("IAM-SML-005")
def test_an_update_changes_what_it_names_and_nothing_else(world: World) -> None:
    create(world, tags=tags(a="b"), add_private_key=pem(key()))
    before = provider(world)
    update(world)
    assert provider(world) == before
    update(world, saml_metadata_document=NEXT)
    changed = provider(world)
    assert changed.metadata == NEXT
    assert (changed.uuid, changed.created, changed.tags) == (before.uuid, before.created, before.tags)
    assert changed.private_keys == before.private_keys
    update(world, assertion_encryption_mode="Required")
    assert get(world).assertion_encryption_mode == "Required"
    assert get(world).saml_metadata_document == NEXT
    update(world, assertion_encryption_mode="Allowed")
    assert get(world).assertion_encryption_mode == "Allowed"


@pytest.mark.facts("IAM-SML-006", "IAM-GEN-052")
def test_all_providers_of_the_account_are_listed_at_once(world: World) -> None:
    def listed() -> tuple[saml.SAMLProviderListEntry, ...]:
        return world.call(world.root, saml.ListSAMLProvidersCommand()).saml_provider_list

    empty = world.send(world.request(saml.ListSAMLProvidersCommand(), world.root)).body
    assert b"<SAMLProviderList" in empty
    assert listed() == ()
    create(world, root=world.account(OTHER))
    for name in ("c", "A", "b"):
        create(world, name)
    shown = listed()
    assert [str(each.arn).rpartition("/")[2] for each in shown] == ["A", "b", "c"]
    got = get(world, str(shown[0].arn))
    assert (shown[0].create_date, shown[0].valid_until) == (got.create_date, got.valid_until)


@pytest.mark.facts("STS-SAML-033", "IAM-GEN-072")
def test_an_account_has_as_many_providers_as_its_quota_says(world: World) -> None:
    for number in range(100):
        create(world, f"p{number}")
    command = saml.CreateSAMLProviderCommand(name="more", saml_metadata_document=NEXT)
    assert world.refusal(world.root, command, errors.LimitExceededException) == (
        "Cannot exceed quota for SAMLProvidersPerAccount: 100"
    )
    with world.store.transaction() as rows:
        records = Records(rows)
        stored = records.get(Account, "", ACCOUNT)
        assert stored is not None
        records.replace(stored, with_limits(stored.record, {"SAMLProvidersPerAccount": 7}))
    assert world.refusal(world.root, command, errors.LimitExceededException).endswith(": 7")


def test_a_deleted_provider_is_gone_and_one_made_anew_is_another(world: World) -> None:
    create(world, add_private_key=pem(key()))
    first = provider(world)
    world.call(world.root, saml.DeleteSAMLProviderCommand(saml_provider_arn=ARN))
    assert readable(world) is None
    world.refusal(world.root, saml.GetSAMLProviderCommand(saml_provider_arn=ARN), errors.NoSuchEntityException)
    create(world)
    assert provider(world).uuid != first.uuid
    assert provider(world).private_keys == ()


@pytest.mark.facts("IAM-SML-003", "STS-SAML-018")
def test_a_provider_has_at_most_two_private_keys(world: World) -> None:
    create(world, add_private_key=pem(key()))
    (first,) = get(world).private_key_list or ()
    assert re.fullmatch(r"[A-Z0-9]{22,64}", first.key_id)
    assert int(first.timestamp.timestamp()) == int(world.now)
    world.now += 60
    update(world, add_private_key=pem(key(1), PrivateFormat.TraditionalOpenSSL))
    kept, second = get(world).private_key_list or ()
    assert kept == first
    assert int(second.timestamp.timestamp()) == int(world.now)
    assert second.key_id != first.key_id
    third = saml.UpdateSAMLProviderCommand(saml_provider_arn=ARN, add_private_key=pem(key(2)))
    assert world.refusal(world.root, third, errors.LimitExceededException) == FULL
    assert key_ids(world) == [first.key_id, second.key_id]
    update(world, remove_private_key=first.key_id)
    assert key_ids(world) == [second.key_id]


def test_one_request_puts_a_key_in_the_place_of_another(world: World) -> None:
    create(world, add_private_key=pem(key()), assertion_encryption_mode="Required")
    update(world, add_private_key=pem(key(1)))
    old, kept = key_ids(world)
    update(world, add_private_key=pem(key(2)), remove_private_key=old)
    assert key_ids(world)[0] == kept
    assert old not in key_ids(world)
    numbers = [each.private_numbers() for each in open_keys(world.vault, provider(world))]
    assert numbers == [key(1).private_numbers(), key(2).private_numbers()]


def test_a_key_that_is_not_there_cannot_be_removed(world: World) -> None:
    create(world, add_private_key=pem(key()))
    remove = saml.UpdateSAMLProviderCommand(
        saml_provider_arn=ARN, remove_private_key="A" * 32, saml_metadata_document=NEXT
    )
    assert "A" * 32 in world.refusal(world.root, remove, errors.NoSuchEntityException)
    assert get(world).saml_metadata_document == metadata()


def test_encryption_is_required_only_with_a_key(world: World) -> None:
    no_key = saml.CreateSAMLProviderCommand(
        name="Corp", saml_metadata_document=metadata(), assertion_encryption_mode="Required"
    )
    world.refusal(world.root, no_key, errors.InvalidInputException)
    create(world)
    require = saml.UpdateSAMLProviderCommand(saml_provider_arn=ARN, assertion_encryption_mode="Required")
    world.refusal(world.root, require, errors.InvalidInputException)
    assert get(world).assertion_encryption_mode == "Allowed"
    update(world, assertion_encryption_mode="Required", add_private_key=pem(key()))
    (only,) = key_ids(world)
    remove = saml.UpdateSAMLProviderCommand(saml_provider_arn=ARN, remove_private_key=only)
    world.refusal(world.root, remove, errors.InvalidInputException)
    assert key_ids(world) == [only]
    update(world, assertion_encryption_mode="Allowed", remove_private_key=only)
    assert key_ids(world) == []


@pytest.mark.facts("R44", "R38")
def test_a_private_key_is_kept_sealed_and_never_shown(world: World) -> None:
    create(world, add_private_key=pem(key()), assertion_encryption_mode="Required")
    text = pem(key()).reveal()
    der = key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    found = provider(world)
    (stored,) = found.private_keys
    assert der not in stored.secret
    assert found.account == ACCOUNT
    assert world.vault.unwrap(stored.secret, purpose="saml-key", name=f"{ACCOUNT}/Corp/{stored.id}") == der
    shown = world.send(world.request(saml.GetSAMLProviderCommand(saml_provider_arn=ARN), world.root)).body.decode()
    lines = [each for each in text.splitlines() if "-----" not in each]
    audited = world.audit_file.read_text()
    assert "privateKey" not in audited.replace("privateKeyList", "")
    assert [each for each in lines if each in shown or each in audited] == []
    assert text not in repr(saml.UpdateSAMLProviderCommand(saml_provider_arn=ARN, add_private_key=pem(key())))


@pytest.mark.facts("R44")
def test_a_sealed_key_opens_for_its_provider_only(world: World) -> None:
    create(world, add_private_key=pem(key()))
    create(world, "Other", add_private_key=pem(key(1)))
    found = provider(world)
    moved = readable(world, ARN.replace("Corp", "Other"))
    assert moved is not None
    (own,) = open_keys(world.vault, found)
    assert own.private_numbers() == key().private_numbers()
    (stolen,) = found.private_keys
    forged = SamlProvider(
        account=ACCOUNT,
        name="Other",
        uuid=moved.uuid,
        created=0,
        metadata=moved.metadata,
        valid_until=0,
        private_keys=(stolen,),
    )
    with pytest.raises(CannotOpen):
        open_keys(world.vault, forged)


def bad_keys() -> dict[str, str]:
    good = pem(key()).reveal()
    numbers = key().private_numbers()
    unrelated = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d ^ 2, numbers.dmp1, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    encrypted = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    return {
        "no pem": "x",
        "a certificate": good.replace("PRIVATE KEY", "CERTIFICATE"),
        "cut off": "\n".join([*good.splitlines()[:5], good.splitlines()[-1]]),
        "two keys": good + pem(key(1)).reveal(),
        "text before": f"hello\n{good}",
        "encrypted": encrypted,
        "elliptic curve": pem(ec.generate_private_key(ec.SECP256R1())).reveal(),
        "too short": pem(key(bits=1024)).reveal(),
        "numbers that do not belong together": pem(unrelated).reveal(),
    }


@pytest.mark.parametrize("case", [*bad_keys()])
def test_what_is_no_usable_rsa_key_is_refused(world: World, case: str) -> None:
    bad = Secret(bad_keys()[case])
    command = saml.CreateSAMLProviderCommand(name="Corp", saml_metadata_document=metadata(), add_private_key=bad)
    said = world.refusal(world.root, command, errors.InvalidInputException)
    assert "private key" in said
    assert bad.reveal()[40:80] not in said or len(bad) < 40
    assert readable(world) is None


def test_a_key_too_long_to_be_checked_is_refused_before_it_is(world: World) -> None:
    # Two primes of this size take minutes to find; numbers that are none are enough to be measured.
    long = rsa.RSAPrivateNumbers(
        p=2**2100 + 1,
        q=2**2099 + 1,
        d=3,
        dmp1=3,
        dmq1=3,
        iqmp=3,
        public_numbers=rsa.RSAPublicNumbers(65537, (2**2100 + 1) * (2**2099 + 1)),
    )
    text = pem(long.private_key(unsafe_skip_rsa_key_validation=True))
    command = saml.CreateSAMLProviderCommand(name="Corp", saml_metadata_document=metadata(), add_private_key=text)
    assert world.refusal(world.root, command, errors.InvalidInputException) == (
        "The private key must have 2048 to 4096 bits."
    )


@pytest.mark.facts("IAM-GEN-061", "IAM-GEN-062", "IAM-GEN-064")
def test_tags_of_a_provider(world: World) -> None:
    create(world, tags=tags(team="blue"))
    tag = saml.TagSAMLProviderCommand
    world.call(world.root, tag(saml_provider_arn=ARN, tags=tags(Team="red", empty="")))
    shown = saml.ListSAMLProviderTagsCommand(saml_provider_arn=ARN)
    expected = {"team": "blue", "Team": "red", "empty": ""}
    assert {each.key: each.value for each in world.call(world.root, shown).tags} == expected
    twice = tag(saml_provider_arn=ARN, tags=(*tags(a="1"), *tags(a="2")))
    assert world.refusal(world.root, twice, errors.InvalidInputException) == "Duplicate tag keys found."
    untag = saml.UntagSAMLProviderCommand
    world.call(world.root, untag(saml_provider_arn=ARN, tag_keys=("team", "unknown")))
    assert {each.key for each in world.call(world.root, shown).tags} == {"Team", "empty"}
    assert get(world).saml_metadata_document == metadata()


def test_permission_is_asked_for_the_provider_with_its_tags(world: World) -> None:
    create(world, tags=tags(team="blue"))
    create(world, "Other", tags=tags(team="red"))
    alice = world.user(
        "alice",
        document(
            {
                "Effect": "Allow",
                "Action": "iam:*SAMLProvider*",
                "Resource": f"arn:aws:iam::{ACCOUNT}:saml-provider/*",
                "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
            },
            {
                "Effect": "Allow",
                "Action": "iam:CreateSAMLProvider",
                "Resource": f"arn:aws:iam::{ACCOUNT}:saml-provider/New",
                "Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}},
            },
        ),
    )
    for command in about(ARN):
        world.call(alice, command)
    for arn in (ARN.replace("Corp", "Other"), ARN.replace("Corp", "missing")):
        for command in (*about(arn), saml.DeleteSAMLProviderCommand(saml_provider_arn=arn)):
            world.refusal(alice, command, errors.AccessDenied)
    new = saml.CreateSAMLProviderCommand
    world.refusal(alice, new(name="New", saml_metadata_document=NEXT), errors.AccessDenied)
    world.refusal(alice, new(name="Newer", saml_metadata_document=NEXT, tags=tags(team="blue")), errors.AccessDenied)
    world.call(alice, new(name="New", saml_metadata_document=NEXT, tags=tags(team="blue")))


def test_a_key_is_not_looked_at_before_the_caller_may_add_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    create(world)
    looked: list[Secret] = []
    monkeypatch.setattr("locum.server.saml_keys.check_key", looked.append)
    alice = world.user("alice")
    command = saml.UpdateSAMLProviderCommand(saml_provider_arn=ARN, add_private_key=pem(key()))
    world.refusal(alice, command, errors.AccessDenied)
    assert looked == []
    world.call(world.root, command)
    assert len(looked) == 1
