"""Login profiles, passwords and the rules for them (iam_api.md §10 and §13)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import account, users
from locum.api.iam import login_profiles as api
from locum.api.shapes import Command
from locum.core import passwords
from locum.core.account_records import LoginProfile
from locum.secret import Secret
from locum.server.handlers import HANDLERS
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, START, World, document
from ..phones import phone_of

EVERYTHING = document(Effect="Allow", Action="*", Resource="*")
PASSWORD = "Correct-horse-7"
VIOLATION = "Password does not conform to the account password policy."


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less memory for each of the many hashes here; their real form has tests of its own."""
    monkeypatch.setattr(passwords, "_MEMORY", 64)


def create(name: str | None = "alice", password: str | None = PASSWORD, **more: Any) -> api.CreateLoginProfileCommand:
    secret = None if password is None else Secret(password)
    return api.CreateLoginProfileCommand(user_name=name, password=secret, **more)


def update(password: str | None = None, **more: Any) -> api.UpdateLoginProfileCommand:
    secret = None if password is None else Secret(password)
    return api.UpdateLoginProfileCommand(user_name="alice", password=secret, **more)


def change(old: str, new: str) -> api.ChangePasswordCommand:
    return api.ChangePasswordCommand(old_password=Secret(old), new_password=Secret(new))


def get(world: World, name: str | None = "alice", who: Credentials | None = None) -> api.LoginProfile:
    return world.call(who or world.root, api.GetLoginProfileCommand(user_name=name)).login_profile


def record(world: World, owner: str | None = None) -> LoginProfile:
    owner = owner or world.call(world.root, users.GetUserCommand(user_name="alice")).user.user_id
    with world.store.snapshot() as rows:
        stored = Records(rows).get(LoginProfile, ACCOUNT, owner)
    assert stored is not None
    return stored.record


def rules(world: World, **changes: Any) -> None:
    world.call(world.root, api.UpdateAccountPasswordPolicyCommand(**changes))


# Create, get, delete


@pytest.mark.facts("IAM-LGN-001", "IAM-CL-011")
def test_a_login_profile_is_made_shown_and_deleted(world: World) -> None:
    world.user("Alice")
    shown = world.call(world.root, create("alice", password_reset_required=True)).login_profile
    assert (shown.user_name, shown.create_date.timestamp(), shown.password_reset_required) == ("Alice", START, True)
    assert get(world) == shown
    refused = world.refusal(world.root, create("Alice"), errors.EntityAlreadyExistsException)
    assert refused == "Login Profile for user Alice already exists."
    world.call(world.root, api.DeleteLoginProfileCommand(user_name="Alice"))
    for command in (api.GetLoginProfileCommand(user_name="Alice"), api.DeleteLoginProfileCommand(user_name="Alice")):
        refused = world.refusal(world.root, command, errors.NoSuchEntityException)
        assert refused == "Login Profile for User Alice cannot be found."
    body = world.send(world.request(create("Alice"), world.root)).body
    assert b"<PasswordResetRequired>false</PasswordResetRequired>" in body


@pytest.mark.facts("IAM-LGN-001", "IAM-USR-002")
@pytest.mark.parametrize(
    "command",
    [
        create("nobody", "short"),
        api.GetLoginProfileCommand(user_name="nobody"),
        api.DeleteLoginProfileCommand(user_name="nobody"),
        api.UpdateLoginProfileCommand(user_name="nobody"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_an_unknown_user_comes_first(world: World, command: Any) -> None:
    refused = world.refusal(world.root, command, errors.NoSuchEntityException)
    assert refused == "The user with name nobody cannot be found."


@pytest.mark.facts("IAM-LGN-003")
def test_without_a_name_the_calling_user_is_meant(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    world.user("bob")
    assert world.call(alice, create(None)).login_profile.user_name == "alice"
    assert get(world, None, alice).user_name == "alice"
    world.refusal(world.root, api.GetLoginProfileCommand(user_name="bob"), errors.NoSuchEntityException)
    world.call(alice, api.DeleteLoginProfileCommand())
    world.refusal(alice, api.GetLoginProfileCommand(), errors.NoSuchEntityException)


@pytest.mark.facts("IAM-LGN-002", "IAM-LGN-003")
def test_root_and_roles_must_name_a_user(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    session = world.assume(alice, world.role("deploy", {"AWS": ACCOUNT}, EVERYTHING))
    for command in (create(None), api.GetLoginProfileCommand(), api.DeleteLoginProfileCommand()):
        assert "Must specify userName" in world.refusal(world.root, command, errors.ValidationError)
        assert "Must specify userName" in world.refusal(session, command, errors.ValidationError)


@pytest.mark.facts("IAM-LGN-002", "IAM-LGN-003", "IAM-ACC-002")
def test_a_root_task_lets_root_have_a_password_without_setting_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locum.server.iam.login_profiles._OWN_CREDENTIALS", ())  # as if in the session of such a task

    def present() -> int:
        shown = world.call(world.root, account.GetAccountSummaryCommand()).summary_map
        assert shown is not None
        return shown["AccountPasswordPresent"]

    world.refusal(world.root, create(None), errors.ValidationError)
    world.refusal(world.root, api.GetLoginProfileCommand(), errors.NoSuchEntityException)
    assert present() == 0
    world.call(world.root, create(None, None))
    assert record(world, ACCOUNT).hashes == ()
    assert present() == 1
    assert get(world, None).create_date.timestamp() == START
    world.refusal(world.root, create(None, None), errors.EntityAlreadyExistsException)
    world.call(world.root, api.DeleteLoginProfileCommand())
    assert present() == 0


@pytest.mark.facts("IAM-LGN-002")
def test_a_user_needs_a_password(world: World) -> None:
    world.user("alice")
    refused = world.refusal(world.root, create(password=None), errors.ValidationError)
    assert refused.endswith("Value at 'password' failed to satisfy constraint: Member must not be null")


@pytest.mark.facts("R44", "R38")
def test_a_password_is_kept_as_a_salted_hash_and_shown_nowhere(world: World) -> None:
    world.user("alice")
    world.user("bob")
    world.call(world.root, create())
    world.call(world.root, create("bob"))
    kept = record(world)
    other = record(world, world.call(world.root, users.GetUserCommand(user_name="bob")).user.user_id)
    assert kept.hashes == (passwords.hash_password(PASSWORD, kept.salt),)
    assert kept.salt != other.salt
    assert kept.hashes != other.hashes
    world.call(world.root, update("Correct-horse-8"))
    text = world.audit_file.read_text()
    assert "horse" not in text
    assert '"eventName":"UpdateLoginProfile"' in text
    assert "horse" not in repr(create())


@pytest.mark.facts("IAM-USR-003", "IAM-USR-004", "IAM-GEN-070")
def test_a_profile_stays_with_its_user_and_keeps_it_from_being_deleted(world: World) -> None:
    world.call(world.root, users.CreateUserCommand(user_name="alice"))
    world.call(world.root, create())
    world.call(world.root, users.UpdateUserCommand(user_name="alice", new_user_name="carol"))
    assert get(world, "carol").user_name == "carol"
    refused = world.refusal(world.root, users.DeleteUserCommand(user_name="carol"), errors.DeleteConflictException)
    assert refused == "Cannot delete entity, must delete login profile first."
    world.call(world.root, api.DeleteLoginProfileCommand(user_name="carol"))
    world.call(world.root, users.DeleteUserCommand(user_name="carol"))


def test_accounts_have_profiles_of_their_own(world: World) -> None:
    other = world.account(OTHER)
    for root in (world.root, other):
        world.call(root, users.CreateUserCommand(user_name="alice"))
    world.call(world.root, create())
    world.refusal(other, api.GetLoginProfileCommand(user_name="alice"), errors.NoSuchEntityException)


# Update


@pytest.mark.facts("IAM-CL-040", "IAM-OP-UpdateLoginProfile")
def test_an_update_changes_what_it_names(world: World) -> None:
    world.user("alice")
    refused = world.refusal(world.root, update("Correct-horse-8"), errors.NoSuchEntityException)
    assert refused == "Login Profile for User alice cannot be found."
    world.call(world.root, create(password_reset_required=True))
    before = record(world)
    world.now += 60
    world.call(world.root, update())
    assert record(world) == before
    world.call(world.root, update("Correct-horse-8"))
    after = record(world)
    assert after.hashes == (passwords.hash_password("Correct-horse-8", after.salt), *before.hashes)
    assert (after.created, after.changed, after.reset_required) == (START, START + 60, True)
    world.call(world.root, update(password_reset_required=False))
    assert record(world).hashes == after.hashes
    assert not get(world).password_reset_required
    assert get(world).create_date.timestamp() == START


@pytest.mark.facts("IAM-LGN-002", "IAM-SHD-001")
def test_a_password_must_keep_the_rules_wherever_it_is_set(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    weak = "weak-pa"
    assert world.refusal(world.root, create(password=weak), errors.PasswordPolicyViolationException) == VIOLATION
    world.refusal(world.root, create(password=f"account {ACCOUNT[-4:]}"), errors.PasswordPolicyViolationException)
    rules(world, minimum_password_length=7)
    world.call(world.root, create(password=weak))
    rules(world, minimum_password_length=7, require_numbers=True)
    for who, command in ((world.root, update("other-p")), (alice, change(weak, "other-p"))):
        assert world.refusal(who, command, errors.PasswordPolicyViolationException) == VIOLATION
    world.call(world.root, update("other-7"))


@pytest.mark.facts("IAM-SHD-001")
def test_the_last_passwords_cannot_be_used_again(world: World) -> None:
    world.user("alice")
    world.call(world.root, create(password="Password-0"))
    world.call(world.root, update("Password-0"))  # nothing forbids it yet
    rules(world, password_reuse_prevention=3)
    for number in (1, 2, 3):
        world.call(world.root, update(f"Password-{number}"))
    for number in (1, 2, 3):
        assert world.refusal(world.root, update(f"Password-{number}"), errors.PasswordPolicyViolationException)
    world.call(world.root, update("Password-0"))
    for number in range(30):
        world.call(world.root, update(f"Another-{number}"))
    assert len(record(world).hashes) == passwords.KEPT == 24


def test_a_change_in_between_is_not_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.user("alice")
    world.call(world.root, create())
    kind: type[Command[Any]] = api.UpdateLoginProfileCommand
    handler = HANDLERS[kind]
    prepare = handler.once
    assert prepare is not None

    def overtaken(call: Any) -> Any:
        prepared = prepare(call)
        with world.store.transaction() as rows:
            stored = Records(rows).get(LoginProfile, ACCOUNT, record(world).owner)
            assert stored is not None
            Records(rows).change(stored, reset_required=True)
        return prepared

    monkeypatch.setitem(HANDLERS, kind, handler._replace(once=overtaken))
    before = record(world)
    world.refusal(world.root, update("Correct-horse-8"), errors.EntityTemporarilyUnmodifiableException)
    assert record(world) == msgspec.structs.replace(before, reset_required=True)


# One's own


@pytest.mark.facts("IAM-CL-017", "IAM-OP-ChangePassword")
def test_a_user_changes_the_password_that_it_knows(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    refused = world.refusal(alice, change(PASSWORD, "Correct-horse-8"), errors.NoSuchEntityException)
    assert refused == "Login Profile for User alice cannot be found."
    world.call(world.root, create(password_reset_required=True))
    refused = world.refusal(alice, change("Wrong-horse-7", "Correct-horse-8"), errors.AccessDenied)
    assert refused == "The old password was incorrect."
    world.call(alice, change(PASSWORD, "Correct-horse-8"))
    assert not get(world).password_reset_required
    world.refusal(alice, change(PASSWORD, "Correct-horse-9"), errors.AccessDenied)
    world.call(alice, change("Correct-horse-8", "Correct-horse-9"))
    issued = world.call(alice, sts.GetSessionTokenCommand(**phone_of(world, "alice").proof(world))).credentials
    assert issued is not None
    temporary = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    world.call(temporary, change("Correct-horse-9", "Correct-horse-10"))


@pytest.mark.facts("IAM-CL-017", "IAM-OP-ChangePassword")
def test_only_users_have_a_password_to_change(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    session = world.assume(alice, world.role("deploy", {"AWS": ACCOUNT}, EVERYTHING))
    for who in (world.root, session):
        world.refusal(who, change(PASSWORD, "Correct-horse-8"), errors.InvalidUserTypeException)


@pytest.mark.facts("R10")
def test_guessing_a_password_is_bounded(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    world.call(world.root, create())
    for _ in range(60):
        world.refusal(alice, change("Wrong-horse-7", "Correct-horse-8"), errors.AccessDenied)
    world.refusal(alice, change(PASSWORD, "Correct-horse-8"), errors.Throttling)
    world.now += 60
    world.call(alice, change(PASSWORD, "Correct-horse-8"))


@pytest.mark.facts("IAM-CL-017", "IAM-OP-ChangePassword")
def test_permission_is_asked_on_the_user_itself(world: World) -> None:
    own = f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"
    alice = world.user("alice", document(Effect="Allow", Action="iam:ChangePassword", Resource=own))
    bob = world.user(
        "bob",
        document(Effect="Allow", Action="iam:ChangePassword", Resource=f"arn:aws:iam::{ACCOUNT}:user/alice"),
    )
    for name in ("alice", "bob"):
        world.call(world.root, create(name))
    world.call(alice, change(PASSWORD, "Correct-horse-8"))
    world.refusal(bob, change(PASSWORD, "Correct-horse-8"), errors.AccessDenied)


@pytest.mark.facts("IAM-SHD-001", "IAM-CL-017")
def test_an_account_can_let_its_users_change_their_passwords(world: World) -> None:
    alice = world.user("alice")
    denied = world.user("bob", document(Effect="Deny", Action="iam:ChangePassword", Resource="*"))
    trusted = document(Effect="Allow", Action="sts:AssumeRole", Resource="*")
    session = world.assume(world.user("carol", trusted), world.role("deploy", {"AWS": ACCOUNT}))
    for name in ("alice", "bob"):
        world.call(world.root, create(name))
    asked = change(PASSWORD, "Correct-horse-8")
    rules(world, minimum_password_length=9)
    world.refusal(alice, asked, errors.AccessDenied)
    rules(world, minimum_password_length=9, allow_users_to_change_password=True)
    for who in (denied, session):
        world.refusal(who, asked, errors.AccessDenied)
    world.refusal(session, api.GetAccountPasswordPolicyCommand(), errors.AccessDenied)
    assert world.call(denied, api.GetAccountPasswordPolicyCommand()).password_policy.minimum_password_length == 9
    world.call(alice, asked)
    world.refusal(alice, users.GetUserCommand(), errors.AccessDenied)
    rules(world)
    world.refusal(alice, change("Correct-horse-8", PASSWORD), errors.AccessDenied)


# Rules


@pytest.mark.facts("IAM-SHD-001", "IAM-CL-020", "IAM-CL-024", "IAM-CL-038")
def test_the_rules_are_replaced_as_a_whole(world: World) -> None:
    command = api.GetAccountPasswordPolicyCommand()
    missing = f"The Password Policy with domain name {ACCOUNT} cannot be found."
    assert world.refusal(world.root, command, errors.NoSuchEntityException) == missing
    plain = api.PasswordPolicy(
        minimum_password_length=6,
        require_symbols=False,
        require_numbers=False,
        require_uppercase_characters=False,
        require_lowercase_characters=False,
        allow_users_to_change_password=False,
        expire_passwords=False,
    )
    rules(world)
    assert world.call(world.root, command).password_policy == plain
    full: dict[str, Any] = {
        "minimum_password_length": 10,
        "require_symbols": True,
        "require_numbers": True,
        "require_uppercase_characters": True,
        "require_lowercase_characters": True,
        "allow_users_to_change_password": True,
        "max_password_age": 60,
        "password_reuse_prevention": 3,
        "hard_expiry": True,
    }
    rules(world, **full)
    assert world.call(world.root, command).password_policy == api.PasswordPolicy(expire_passwords=True, **full)
    rules(world, require_numbers=True)
    shown = world.call(world.root, command).password_policy
    assert (shown.require_numbers, shown.minimum_password_length, shown.max_password_age) == (True, 6, None)
    assert (shown.expire_passwords, shown.password_reuse_prevention, shown.hard_expiry) == (False, None, None)
    body = world.send(world.request(command, world.root)).body
    assert b"MaxPasswordAge" not in body
    assert b"HardExpiry" not in body
    world.call(world.root, api.DeleteAccountPasswordPolicyCommand())
    assert world.refusal(world.root, command, errors.NoSuchEntityException) == missing
    refused = world.refusal(world.root, api.DeleteAccountPasswordPolicyCommand(), errors.NoSuchEntityException)
    assert refused == "The account policy with name PasswordPolicy cannot be found."


@pytest.mark.facts("IAM-SHD-001")
@pytest.mark.parametrize(
    ("member", "values"),
    [("minimum_password_length", (5, 129)), ("max_password_age", (0, 1096)), ("password_reuse_prevention", (0, 25))],
)
def test_rules_have_bounds(world: World, member: str, values: tuple[int, int]) -> None:
    least, most = values
    for value in values:
        command = api.UpdateAccountPasswordPolicyCommand(**{member: value})  # type: ignore[arg-type]
        world.refusal(world.root, command, errors.ValidationError)
    for value in (least + 1, most - 1):
        rules(world, **{member: value})
