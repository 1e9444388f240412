"""Middleware: code around the four steps of a call, in the order of a list.

A middleware is an object of a class derived from :class:`Middleware` that overrides the steps it is about.  Each step
gets the call and ``proceed``, which goes on with what stands further in; the first of the list stands outermost.  A
step is a flow, written once for both clients::

    class Tracing(Middleware):
        def build(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
            return proceed(call.with_header("x-trace-id", "42"))

    class Timing(Middleware):
        def deserialize(self, call: Call, proceed: Proceed[Response]) -> Flow[Response]:
            began = yield from Monotonic()
            response = yield from proceed(call)
            print(call.command.operation.name, response.status, (yield from Monotonic()) - began)
            return response
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from locum.api.shapes import Command, Shape
from locum.client.effects import Flow
from locum.http import Request, Response

__all__ = ["Call", "Middleware", "Proceed", "chain"]

Result = TypeVar("Result")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call on its way.

    ``command`` is what was asked; ``request`` is empty at *initialize*, unsigned at *build* and *finalize*, and as it
    is sent at *deserialize*.  ``attempt`` counts from 1 and is 0 before the first.
    """

    command: Command[Any]
    origin: str
    region: str
    request: Request
    attempt: int = 0

    def with_command(self, command: Command[Any]) -> Call:
        """The same call about something else; only *initialize* comes before the command is read."""
        return msgspec.structs.replace(self, command=command)

    def with_header(self, name: str, value: str) -> Call:
        """The call with one more header, in place of others of that name; it is signed if it is there by *finalize*."""
        name = name.lower()
        kept = tuple([line for line in self.request.headers if line[0] != name])
        request = msgspec.structs.replace(self.request, headers=(*kept, (name, value)))
        return msgspec.structs.replace(self, request=request)


Proceed = Callable[[Call], Flow[Result]]
"""The rest of a step: called once, more than once, or not at all."""


class Middleware:
    """What stands around the steps of a call; as it is, every step lets the call pass."""

    def initialize(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
        """Around everything, once a call: the command may be changed before it is validated; gives the answer."""
        return proceed(call)

    def build(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
        """Around all attempts, once a call: the request is there and is the same in every attempt."""
        return proceed(call)

    def finalize(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
        """Around one attempt, before it is signed; what an attempt raises passes here before it is tried again."""
        return proceed(call)

    def deserialize(self, call: Call, proceed: Proceed[Response]) -> Flow[Response]:
        """Around sending: the signed request, and the answer before it is read."""
        return proceed(call)


Step = Callable[[Call, Proceed[Result]], Flow[Result]]


def chain(steps: Iterable[Step[Result]], innermost: Proceed[Result]) -> Proceed[Result]:
    """The steps around ``innermost``, the first one outermost."""
    proceed = innermost
    for step in reversed(list(steps)):
        proceed = _around(step, proceed)
    return proceed


def _around(step: Step[Result], inner: Proceed[Result]) -> Proceed[Result]:
    return lambda call: step(call, inner)
