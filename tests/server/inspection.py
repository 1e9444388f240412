"""Behind the answers, for tests of the security requirements: an account's rows, sealed sessions, the source itself."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, settings

from locum.api import sts
from locum.api.iam import policies
from locum.core.records import KINDS, ManagedPolicy, RingKey, Role, User, decode
from locum.core.session import Session
from locum.core.token import KeyRing, Purpose, SealingKey
from locum.secret import Secret
from locum.store import Key
from locum.store.records import Records

from .conftest import World

SOURCE: Final = Path(__file__).parents[2] / "src" / "locum"
WHO: Final = sts.GetCallerIdentityCommand()

# hypothesis may use one world for all its examples: what they change, they change back or set anew
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
few = settings(shared, max_examples=30)


def managed(world: World, name: str, policy: Any) -> str:
    command = policies.CreatePolicyCommand(policy_name=name, policy_document=json.dumps(policy))
    made = world.call(world.root, command).policy
    assert made is not None
    assert made.arn is not None
    return made.arn


def everything_of(world: World, account: str) -> list[tuple[Key, bytes, int]]:
    """All rows that belong to an account."""
    kinds = (User, Role, ManagedPolicy)
    with world.store.snapshot() as snapshot:
        rows = [row for each in kinds for row in snapshot.list(account, each.kind, limit=100)]
        owners = [decode(row.data, KINDS[row.key.kind]) for row in rows]
        keys = [key for owner in owners for key in snapshot.find("key-owner", getattr(owner, "id", ""))]
        rows += [row for key in keys if (row := snapshot.get(key)) is not None]
    return [(row.key, row.data, row.version) for row in rows]


def seal(world: World, claims: list[Any]) -> Secret:
    """A token that the server's own key seals, whatever is in it."""
    with world.store.snapshot() as snapshot:
        keys = [stored.record for stored in Records(snapshot).each(RingKey, "")]
    secrets = [world.vault.unwrap(key.secret, purpose=RingKey.kind, name=key.id) for key in keys]
    ring = KeyRing(SealingKey(key.id, key.created, secret) for key, secret in zip(keys, secrets, strict=True))
    return Secret(ring.seal(Purpose.SESSION_TOKEN, msgspec.msgpack.encode(claims), world.random(12)))


def claims_of(session: Session) -> list[Any]:
    values = [getattr(session, name) for name in session.__struct_fields__]
    return [value.reveal() if isinstance(value, Secret) else value for value in values]


def modules() -> dict[str, ast.Module]:
    return {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")}
