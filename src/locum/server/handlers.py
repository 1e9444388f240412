"""What an operation's handler gets, and the table of handlers.

The pipeline has authenticated, validated and authorized before a handler runs: a handler never sees an HTTP request and
cannot forget any of it.  Of the two operations that nobody signs (R43) a handler also says how their proof is verified,
which takes the place of authentication.  It reads the call and returns the answer, or raises an error of
:mod:`locum.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

from locum.api.shapes import Command, Shape
from locum.core.proof import FederatedIdentity
from locum.core.records import Account, Record, SpentAssertion
from locum.core.sealing import Vault
from locum.core.service_linked_roles import SERVICES, LinkedService
from locum.core.session import Caller
from locum.core.token import KeyRing
from locum.guard.attempts import Attempts
from locum.guard.directory import Directory
from locum.server.providers import Providers
from locum.server.usage import Usage
from locum.store import Store
from locum.store.facts import Miss
from locum.store.records import Records, Stored

__all__ = ["HANDLERS", "Call", "Found", "Handler", "Proof", "handles"]

CommandType = TypeVar("CommandType", bound=Command[Any])


class Found(NamedTuple):
    """The target of an operation: its ARN as the policies see it, and its record where there is one."""

    arn: str
    stored: Stored[Any] | None = None


class Proof(NamedTuple):
    """What the proof of an unsigned call showed: who, and the name of the session that it is for.

    ``assertion_id`` is what audit lines show of a SAML assertion (STS-CT-008); ``spent`` is kept where it opens one
    session only.
    """

    identity: FederatedIdentity
    session_name: str
    assertion_id: str = ""
    spent: SpentAssertion | None = None


class Call(Generic[CommandType]):
    """One authorized call.

    ``now`` is epoch seconds, read once per request.  ``target`` is what the command's declaration names; ``records`` is
    the snapshot or, for operations that write, the transaction in which the target was read.  ``random`` gives bytes.
    ``url`` is the server's public URL and ``region`` the one that the caller signed for.
    ``peer`` is the client's address and ``attempts`` counts what was guessed wrong from there (R10).  A call that
    nobody signed has a ``proof``, once it was verified, and no ``caller``; all others have no ``proof``.  ``may_fetch``
    tells that KeysNeeded will be heard: the keys are fetched, and the call runs again.  ``prepared`` is what the
    handler's ``once`` came to, ``services`` those that have service-linked roles.
    """

    caller: Caller
    proof: Proof

    __slots__ = (
        "attempts",
        "caller",
        "command",
        "directory",
        "may_fetch",
        "now",
        "partition",
        "peer",
        "prepared",
        "proof",
        "providers",
        "random",
        "records_",
        "region",
        "request_id",
        "services",
        "store_",
        "target",
        "url",
        "usage",
        "vault",
    )

    def __init__(
        self,
        command: CommandType,
        caller: Caller | None,
        now: float,
        *,
        partition: str,
        random: Callable[[int], bytes],
        directory: Directory,
        vault: Vault,
        usage: Usage,
        attempts: Attempts,
        peer: str,
        request_id: str,
        providers: Providers,
        url: str = "",
        region: str = "",
        may_fetch: bool = True,
        services: Mapping[str, LinkedService] = SERVICES,
    ) -> None:
        self.command = command
        if caller is not None:
            self.caller = caller
        self.now = now
        self.partition = partition
        self.random = random
        self.directory = directory
        self.vault = vault
        self.usage = usage
        self.attempts = attempts
        self.peer = peer
        self.request_id = request_id
        self.providers = providers
        self.url = url
        self.region = region
        self.may_fetch = may_fetch
        self.services = services
        self.prepared: Any = None
        self.target = Found("*")
        self.records_: Records | None = None
        self.store_: Store | None = None

    @property
    def records(self) -> Records:
        """The records that this call may read, and write where its operation is declared so."""
        if self.records_ is None:
            raise TypeError("this operation is answered from the directory alone")
        return self.records_

    @property
    def store(self) -> Store:
        """The store itself, for the few writes that must stand though the call is refused; Miss on the event loop."""
        if self.store_ is None:
            raise Miss
        return self.store_

    def off_the_loop(self) -> None:
        """Go on in a thread, where what takes long may be done; Miss on the event loop."""
        if self.store_ is None:
            raise Miss

    @property
    def ring(self) -> KeyRing:
        """The keys that seal what the call issues."""
        return self.directory.ring()

    @property
    def account(self) -> str:
        """The account that the call acts in: the verified caller's, never a parameter's (R12)."""
        return self.caller.account

    @property
    def account_record(self) -> Account:
        """The record of that account."""
        found = self.directory.account(self.account)
        if found is None:
            raise LookupError("a caller was authenticated for an account that is not there")
        return found

    def found(self, kind: type[RecordType]) -> Stored[RecordType] | None:
        """The target's record, where the declared target exists."""
        stored = self.target.stored
        if stored is not None and not isinstance(stored.record, kind):
            raise TypeError(f"the declared target is not a {kind.__name__}")
        return stored


RecordType = TypeVar("RecordType", bound=Record)


class Handler(NamedTuple):
    """A handler and how it is run.

    ``cached``: answered on the event loop from cached facts.  ``before``: checks of the input's meaning that precede
    the admission of callers and authorization (STS-AR-038).  ``once``: for operations that write, what is done once
    for each authorized call, outside of the transaction, so that it stands even where the call is refused; what it
    returns the handler finds as the call's ``prepared``.  ``proof``:
    for operations that nobody signs, verifies what came in place of a signature, or raises a declared error.
    """

    run: Callable[[Any], Shape]
    cached: bool
    before: Callable[[Any], None] | None
    once: Callable[[Any], Any] | None
    proof: Callable[[Any], Proof] | None = None


HANDLERS: Final[dict[type[Command[Any]], Handler]] = {}
"""Command → handler; a declared command without one answers InvalidAction."""

AnswerType = TypeVar("AnswerType", bound=Shape)


def handles(
    command: type[Command[AnswerType]],
    *,
    cached: bool = False,
    before: Callable[[Any], None] | None = None,
    once: Callable[[Any], Any] | None = None,
    proof: Callable[[Any], Proof] | None = None,
) -> Callable[[Callable[[Call[Any]], AnswerType]], Callable[[Call[Any]], AnswerType]]:
    """Register the decorated function as the handler of a command."""

    def register(run: Callable[[Call[Any]], AnswerType]) -> Callable[[Call[Any]], AnswerType]:
        if command in HANDLERS:
            raise TypeError(f"{command.__name__} has a handler already")
        if command.operation.signed is (proof is not None):
            raise TypeError(f"{command.__name__} is either signed or brings a proof")
        HANDLERS[command] = Handler(run, cached, before, once, proof)
        return run

    return register
