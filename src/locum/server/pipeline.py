"""The way of a request: bytes to answer, in one direction, with one place that turns errors into answers.

Authenticate, decode, resolve the target, admit, authorize, handle, record, answer.  The same function serves the event
loop, with facts that are cached already, and a thread, which may read and write the store: where the loop would have to
wait, :class:`~locum.store.facts.Miss` is raised before anything has happened, and the request runs again in a thread.
So does :class:`~locum.server.jwks.KeysNeeded`, for whom nobody but an issuer has the keys of a token.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from locum.api.registry import TARGETS, find_command, find_target, unknown_operation
from locum.api.shapes import Command, Service, Shape
from locum.api.sts import STS
from locum.core.admission import admit, admit_session
from locum.core.sealing import Vault
from locum.core.service_linked_roles import SERVICES, LinkedService
from locum.core.session import Caller
from locum.errors import (
    AccessDenied,
    ConcurrentModificationException,
    ExpiredTokenException,
    IDPRejectedClaimException,
    InternalFailure,
    InvalidIdentityTokenException,
    MalformedInput,
    ServiceException,
    ServiceUnavailable,
)
from locum.guard import Guard
from locum.guard.attempts import Attempts
from locum.guard.directory import Directory
from locum.http import Request, Response
from locum.organization_errors import SerializationException, UnknownOperationException
from locum.server import authorization, denials
from locum.server.audit import Event, asked_by_proof, asked_of, lines_of, parameters_of
from locum.server.auditfile import AuditLog
from locum.server.handlers import HANDLERS, Call, Handler, Proof
from locum.server.identifiers import new_uuid
from locum.server.jwks import KeysNeeded
from locum.server.providers import Providers
from locum.server.throttle import Receipt, Throttle
from locum.server.usage import Usage
from locum.store import Conflict, Locked, Store
from locum.store.facts import Facts, Miss, View
from locum.store.records import Records
from locum.wire import json as aws_json
from locum.wire.answer import JSON, XML, encode_error, encode_response, wants_json
from locum.wire.form import check_target, parse_form
from locum.wire.query import decode_command, gather

__all__ = ["Answered", "Pipeline"]

_log = logging.getLogger("locum.server")

_PRODUCT_PAGE: Final = "https://aws.amazon.com/iam"
_FORM: Final = "application/x-www-form-urlencoded"
_FORBIDDEN: Final = b"<html><body><h1>403 Forbidden</h1></body></html>\n"
_ATTEMPTS: Final = 3
_UNKNOWN: Final = "Unknown"
_UNRECORDED: Final = "The request cannot be recorded, so it is not answered."
_UNSHOWN: Final = frozenset(
    {"DecodeAuthorizationMessage", "DiagnoseSAMLAssertion", "DiagnoseWebIdentityToken", "ListRevocations"}
)
"""Operations of STS whose answers tell what was read, not what was issued or changed."""


class Answered(NamedTuple):
    """An answer with what metrics want to know: service, operation and outcome."""

    response: Response
    service: str
    operation: str
    outcome: str


class _Work:
    """A request and what is known of it so far; the audit line is made from it, however far it came."""

    __slots__ = (
        "answer",
        "caller",
        "command",
        "denial",
        "may_fetch",
        "may_wait",
        "name",
        "now",
        "owner",
        "paid",
        "parameters",
        "prepared",
        "proof",
        "query",
        "read_only",
        "region",
        "request",
        "request_id",
        "resources",
        "service",
        "type",
    )

    def __init__(
        self, request: Request, request_id: str, now: float, region: str, *, may_wait: bool, may_fetch: bool
    ) -> None:
        self.request = request
        self.request_id = request_id
        self.now = now
        self.may_wait = may_wait
        self.may_fetch = may_fetch
        self.query: Sequence[tuple[str, str]] = ()
        self.parameters: dict[str, str] = {}
        self.region = region
        self.service: Service = STS
        self.name = _UNKNOWN
        self.type: type[Command[Any]] | None = None
        self.caller: Caller | None = None
        self.proof: Proof | None = None
        self.command: Command[Any] | None = None
        self.prepared: Any = None
        self.answer: Shape | None = None
        self.read_only = True
        self.resources: tuple[dict[str, str], ...] = ()
        self.owner = ""
        self.denial: denials.Denial | None = None
        self.paid: Receipt | None = None


class _Refusal(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Pipeline:
    """Answers requests to the API; one for each process, shared by its threads."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        audit: AuditLog,
        *,
        partition: str,
        region: str,
        regions: Collection[str],
        random: Callable[[int], bytes],
        max_body: int,
        url: str = "",
        throttle: Throttle | None = None,
        providers: Providers | None = None,
        services: Mapping[str, LinkedService] = SERVICES,
    ) -> None:
        self.store: Final = store
        self.facts: Final = Facts(store)
        self.usage: Final = Usage()
        self._attempts: Final = Attempts()
        self.guard: Final = Guard(partition, regions, attempts=self._attempts)
        self._vault: Final = vault
        self._audit: Final = audit
        self._partition: Final = partition
        self._region: Final = region
        self._random: Final = random
        self._max_body: Final = max_body
        self._url: Final = url
        self._throttle: Final = throttle or Throttle()
        self.providers: Final = providers or Providers(url=url)
        self._services: Final = services

    def answer(self, request: Request, request_id: str, now: float, *, wait: bool, fetch: bool = True) -> Answered:
        """The answer to one request; :class:`~locum.store.facts.Miss` where it would have to wait but may not.

        KeysNeeded where it would have to ask an issuer, unless ``fetch`` says that this cannot be done.  Never raises
        anything else: what nobody foresaw becomes InternalFailure with the request's id and no more.
        """
        work = _Work(request, request_id, now, self._region, may_wait=wait, may_fetch=fetch)
        error: ServiceException | None = None
        response: Response | None = None
        json = wants_json(request.lines.get("accept"))
        recorded = self._audit.ready()
        try:
            if not recorded:
                raise ServiceUnavailable(_UNRECORDED)
            self._run(work)
        except (Miss, KeysNeeded):
            if work.paid:
                self._throttle.give_back(work.paid)
            raise
        except _Refusal as refusal:
            response, error = refusal.response, MalformedInput(f"HTTP {refusal.response.status}")
        except ServiceException as raised:
            error = raised
        except Exception:
            _log.exception("the request failed", extra={"operation": work.name})
            error = InternalFailure("The request processing has failed because of an unknown error.")
        try:
            if recorded:
                self._record(work, error)
        except Exception:
            _log.exception("the audit line cannot be written")
            error, response = ServiceUnavailable(_UNRECORDED), None
        outcome = "ok" if error is None else error.code
        if response is None:
            headers: tuple[tuple[str, str], ...]
            if work.service.target:
                json = True
                if error is not None:
                    status, content_type, body = aws_json.encode_error(error)
                else:
                    assert work.answer is not None
                    status, content_type, body = 200, aws_json.CONTENT_TYPE, aws_json.encode_response(work.answer)
            elif error is not None:
                status, content_type, body = encode_error(error, work.service, request_id, json=json)
            else:
                assert work.answer is not None
                assert work.type is not None
                status, content_type = 200, JSON if json else XML
                body = encode_response(work.answer, work.type, request_id, json=json)
            if json:
                # Lenient readers find XML in the middle of anything: an echo must not look like an answer (R21).
                body = body.replace(b"<", b"\\u003c")
            headers = (("x-amzn-requestid", request_id), ("content-type", content_type))
            if work.denial is not None and work.denial.message and isinstance(error, AccessDenied):
                headers = (*headers, (denials.HEADER, work.denial.message))
            response = Response(status, headers, body)
        return Answered(response, work.service.name, work.name if work.type is not None else "", outcome)

    def _run(self, work: _Work) -> None:
        command_type = self._route(work)
        operation = command_type.operation
        work.service, work.name, work.read_only = operation.service, operation.name, operation.read_only
        handler = HANDLERS.get(command_type)
        if handler is None:
            raise unknown_operation(operation.name, operation.service.version)
        work.type = command_type
        if not work.may_wait:
            if not handler.cached:
                raise Miss
            self._decide(work, command_type, handler, self.facts.cached_only(), None)
        elif operation.writes:
            self._write(work, command_type, handler)
        else:
            with self.facts.reading() as view:
                self._decide(work, command_type, handler, view, None if handler.cached else Records(view.rows))

    def _route(self, work: _Work) -> type[Command[Any]]:
        """The command that a request names: by ``X-Amz-Target``, else by ``Version`` and ``Action`` (R20)."""
        request = work.request
        target = request.lines.get("x-amz-target")
        contract = None if target is None else TARGETS.get(target.partition(".")[0])
        if target is not None and contract is not None:
            if not check_target(request.path):
                raise _Refusal(Response(400))
            work.service = contract.service
            content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
            if request.method != "POST" or content_type != aws_json.CONTENT_TYPE:
                raise UnknownOperationException(f"{work.service.name} is called by POST with {aws_json.CONTENT_TYPE}")
            if request.query:
                raise SerializationException("The request cannot be read: it has a query string")
            if len(request.body) > self._max_body:
                raise SerializationException("The request cannot be read: it is too large")
            return find_target(target, contract)
        work.query, parameters = self._parameters(request)
        work.parameters = parameters
        if target is not None:
            raise unknown_operation(target[:128], None)
        action = parameters.get("Action")
        if not action and request.method == "GET":
            raise _Refusal(Response(302, (("location", _PRODUCT_PAGE),)))
        return find_command(action, parameters.get("Version"))

    def _parameters(self, request: Request) -> tuple[Sequence[tuple[str, str]], dict[str, str]]:
        """The query's pairs and all parameters, after the checks of the HTTP layer (STS-SIG-T01…T04)."""
        if not check_target(request.path):
            raise _Refusal(Response(400))
        if request.method not in ("GET", "POST"):
            raise _Refusal(Response(302, (("location", _PRODUCT_PAGE),)))
        if request.method == "POST" and (request.body or request.header("content-type") is not None):
            content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
            if content_type != _FORM:
                raise _Refusal(Response(403, (("content-type", "text/html"),), _FORBIDDEN))
        query = parse_form(request.query) if request.query else []
        body = parse_form(request.body, max_bytes=self._max_body) if request.method == "POST" and request.body else []
        return query, gather([*query, *body] if query else body)

    def _write(self, work: _Work, kind: type[Command[Any]], handler: Handler) -> None:
        """Decide first without holding anybody up; then once more in the transaction, on what is about to change."""
        with self.facts.reading() as view:
            self._decide(work, kind, handler, view, Records(view.rows), run=False)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.store.transaction() as transaction, self.facts.reading() as view:
                    self._decide(work, kind, handler, view, Records(transaction))
                return
            except Conflict:
                if attempt == _ATTEMPTS:
                    raise ConcurrentModificationException(
                        "The entity was changed by another request at the same time. Try again."
                    ) from None
            except Locked:
                raise ServiceUnavailable("The store is busy with other changes. Try again.") from None

    def _decide(
        self,
        work: _Work,
        kind: type[Command[Any]],
        handler: Handler,
        view: View,
        records: Records | None,
        *,
        run: bool = True,
    ) -> None:
        """Authenticate, decode, admit and authorize; then run the handler, unless this is only the first look."""
        operation, request, now = kind.operation, work.request, work.now
        directory = Directory(view, self._vault, self._partition)
        if handler.proof is not None:
            self._decide_by_proof(work, kind, handler, handler.proof, directory)
            return
        caller, work.region = self.guard.authenticate(
            request, work.query, directory, service=operation.service.name, now=now
        )
        work.caller = caller
        if work.paid is None:
            work.paid = self._throttle.charge(caller, operation, now)
        admit_session(caller, operation.service.name)
        command = work.command
        if command is None:
            command = work.command = (
                aws_json.decode_command(kind, request.body)
                if operation.service.target
                else decode_command(kind, work.parameters)
            )
        call = self._call(command, caller, work, directory)
        call.records_ = records
        if handler.before is not None:
            handler.before(call)
        admit(caller, command)
        try:
            decided = authorization.authorize(call, request, work.region)
            work.resources, work.owner = decided.resources, decided.owner
            if run:
                self.usage.note_caller(caller, now, operation.service.name, operation.name, work.region)
                call.prepared = work.prepared
                work.answer = handler.run(call)
            elif handler.once is not None:
                work.prepared = handler.once(call)
        except AccessDenied as refused:
            if isinstance(refused.decision, denials.Denied):
                work.denial = self._explained(refused.decision, call, work)
            raise

    def _decide_by_proof(
        self,
        work: _Work,
        kind: type[Command[Any]],
        handler: Handler,
        prove: Callable[[Call[Any]], Proof],
        directory: Directory,
    ) -> None:
        """The way of a call that nobody signs: its proof stands in for a signature, whatever is sent along (R43).

        Constraints, proof, trust policy, and then the session (STS-WI-048).  A proof that is not good counts against
        the address that brought it (R10); nothing is charged to an account that was not proved (R24).
        """
        command = work.command = decode_command(kind, work.parameters)
        call = self._call(command, None, work, directory)
        if handler.before is not None:
            handler.before(call)
        peer, now, role_arn = work.request.peer, work.now, call.command.role_arn
        self._attempts.check(peer, role_arn, now)
        try:
            try:
                proof = call.proof = work.proof = prove(call)
            except KeysNeeded as need:
                if work.may_fetch:
                    raise
                raise need.refusal() from None
        except (InvalidIdentityTokenException, ExpiredTokenException, IDPRejectedClaimException) as refused:
            if not isinstance(refused, ExpiredTokenException):
                self._attempts.failed(peer, role_arn, now)
            # What is told to the bearer is one text for several causes (R6).
            _log.info(
                "a proof was refused",
                extra={"operation": work.name, "role": role_arn, "cause": "; ".join(getattr(refused, "__notes__", ()))},
            )
            raise
        work.paid = self._throttle.charge_account(proof.identity.principal.account, now)
        try:
            work.resources, _ = authorization.authorize_by_proof(call, work.request, work.region)
            work.answer = handler.run(call)
        except AccessDenied as refused:
            if isinstance(refused.decision, denials.Denied):
                work.denial = self._explained(refused.decision, call, work)
            raise

    def _call(self, command: Command[Any], caller: Caller | None, work: _Work, directory: Directory) -> Call[Any]:
        call: Call[Any] = Call(
            command,
            caller,
            work.now,
            partition=self._partition,
            random=self._random,
            directory=directory,
            vault=self._vault,
            usage=self.usage,
            attempts=self._attempts,
            peer=work.request.peer,
            request_id=work.request_id,
            providers=self.providers,
            url=self._url,
            region=work.region,
            may_fetch=work.may_fetch,
            services=self._services,
        )
        if work.may_wait:
            call.store_ = self.store
        return call

    def _explained(self, denied: denials.Denied, call: Call[Any], work: _Work) -> denials.Denial | None:
        """The messages of a refusal; None where they cannot be made: the refusal stands without them.

        With many policies that takes milliseconds, which the event loop has not got.
        """
        if not work.may_wait:
            raise Miss
        try:
            return denials.explained(denied, call.ring, request_id=work.request_id, now=call.now, random=call.random)
        except Exception:
            _log.exception("the refusal cannot be explained", extra={"operation": work.name})
            return None

    def _record(self, work: _Work, error: ServiceException | None) -> None:
        request, proof = work.request, work.proof
        denied = isinstance(error, AccessDenied)
        shown = work.command is not None and not denied and work.name != "GetCallerIdentity"
        self._audit.write(
            lines_of(
                Event(
                    now=work.now,
                    event_source=work.service.event_source,
                    name=work.name,
                    region=work.region,
                    request_id=work.request_id,
                    new_id=new_uuid,
                    peer=request.peer,
                    host=request.header("host") or "",
                    user_agent=request.header("user-agent") or "",
                    secure=request.secure,
                    read_only=work.read_only,
                    caller=work.caller,
                    error=error,
                    parameters=self._asked(work) if shown else None,
                    answer=parameters_of(work.answer)
                    if work.answer is not None and error is None and shown and self._shows_answer(work)
                    else None,
                    resources=work.resources,
                    owner=work.owner if error is None else "",
                    authorization=work.denial.record if denied and work.denial is not None else None,
                    bearer=None if proof is None else proof.identity,
                )
            )
        )

    @staticmethod
    def _asked(work: _Work) -> dict[str, Any] | None:
        command, proof = work.command, work.proof
        if command is None:
            return None
        if proof is None:
            return asked_of(command, work.caller)
        return asked_by_proof(command, proof.identity, proof.session_name, proof.assertion_id)

    @staticmethod
    def _shows_answer(work: _Work) -> bool:
        """Whether CloudTrail shows the answer: issued credentials and what was changed, not what was read."""
        if work.service is STS:
            return work.name not in _UNSHOWN
        return not work.read_only
