"""Who calls in a test: sessions, a role that is open to all, and the error that a caller gets."""

from __future__ import annotations

from typing import Any

import pytest

from locum import errors
from locum.api import sts
from locum.http import Request
from locum.wire.sigv4 import Credentials

from .conftest import World, document

WHO = sts.GetCallerIdentityCommand()
ADMIN = document(Effect="Allow", Action="*", Resource="*")


def error(world: World, request: Request) -> errors.ServiceException:
    with pytest.raises(errors.ServiceException) as raised:
        world.read(world.send(request), WHO)
    return raised.value


def role_for(world: World, name: str = "open", policy: Any = None) -> str:
    """A role that everybody may assume."""
    return world.role(name, {"AWS": "*"}, policy)


def token_session(world: World, of: Credentials) -> Credentials:
    issued = world.call(of, sts.GetSessionTokenCommand()).credentials
    assert issued is not None
    return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
