"""What audit files tell: records that answer a question, and the chain of sessions behind them.

Everything is read backwards, the newest first, in memory that depends on what is found and not on the files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from locum.cli.moments import read_moment
from locum.server.auditfile import LONGEST_LINE, audit_files, lines_backwards, recovered

__all__ = ["Chain", "Question", "Record", "chains_of", "follow", "newest", "read_record", "search"]

_TEMPORARY: Final = "ASIA"
_SLACK: Final = 600
"""Seconds by which a line may stand before one of an earlier request: what requests take, and clocks differ."""
_PAUSE: Final = 0.25
_LATE: Final = 2.0
"""Seconds in which workers see that a file was turned over, and until then write to it."""


class Issuer(msgspec.Struct, rename="camel", gc=False):
    """The role, or the federating principal, of a session."""

    arn: str = ""
    user_name: str = ""


class Context(msgspec.Struct, rename="camel", gc=False):
    """What a record says of the caller's session."""

    session_issuer: Issuer = msgspec.field(default_factory=Issuer)
    source_identity: str = ""


class Identity(msgspec.Struct, rename="camel", gc=False):
    """The verified caller; everything is empty for nobody."""

    type: str = ""
    principal_id: str = ""
    arn: str = ""
    account_id: str = ""
    access_key_id: str = ""
    user_name: str = ""
    identity_provider: str = ""
    session_context: Context = msgspec.field(default_factory=Context)


_NAMES: Final = {
    "time": "eventTime",
    "source": "eventSource",
    "name": "eventName",
    "caller": "userIdentity",
    "peer": "sourceIPAddress",
    "error": "errorCode",
    "asked": "requestParameters",
    "answer": "responseElements",
    "id": "requestID",
    "recipient": "recipientAccountId",
}


class Record(msgspec.Struct, rename=_NAMES, gc=False):
    """One line of an audit file, as far as commands look at it."""

    time: str
    source: str
    name: str
    caller: Identity
    peer: str = ""
    error: str = ""
    asked: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    id: str = ""
    recipient: str | None = None

    @property
    def action(self) -> str:
        """The action as policies name it, such as ``sts:AssumeRole``."""
        return f"{self.source.partition('.')[0]}:{self.name}"

    @property
    def who(self) -> str:
        """The caller's ARN; for whom an identity provider vouched, and where none was verified ``nobody``."""
        identity = self.caller
        if identity.identity_provider:
            return f"{identity.user_name} of {identity.identity_provider}"
        return identity.arn or (f"account {identity.account_id}" if identity.account_id else "nobody")

    @property
    def credential(self) -> str:
        """What the caller came with: an access key id, or, of somebody whom a provider vouched for, who that is."""
        return self.caller.access_key_id or self.caller.principal_id

    @property
    def issued(self) -> str:
        """The access key id of the temporary credentials that the answer held; empty where it held none."""
        found = _inside(self.answer, "credentials", "accessKeyId")
        return found if found.startswith(_TEMPORARY) else ""

    @property
    def about(self) -> str:
        """What it was done to, as far as one text can say."""
        session = _inside(self.answer, "assumedRoleUser", "arn") or _inside(self.answer, "federatedUser", "arn")
        if session:
            return session
        return next((found for name in _TOLD if (found := _inside(self.asked, name))), "")


_TOLD: Final = ("roleArn", "userName", "roleName", "policyArn", "serialNumber", "principalArn", "accessKeyId")


def _inside(document: Any, *names: str) -> str:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, str) else ""


_decoder: Final = msgspec.json.Decoder(Record)


def read_record(line: bytes) -> Record | None:
    """The record in a line; None for what is none."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        whole = recovered(line)
        if len(whole) == len(line):
            return None
        try:
            return _decoder.decode(whole)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class Question(NamedTuple):
    """Which records are wanted; patterns know ``*`` and ``?``, moments are epoch seconds."""

    principal: str | None = None
    role: str | None = None
    action: str | None = None
    account: str | None = None
    source_identity: str | None = None
    request: str | None = None
    failed: bool = False
    since: float | None = None
    until: float | None = None

    def fits(self, record: Record) -> bool:
        """Whether a record is one of those."""
        identity = record.caller
        if self.account is None:
            # The other account's copy of a record tells nothing that the caller's does not.
            if identity.type == "AWSAccount":
                return False
        elif self.account not in (record.recipient, identity.account_id):
            return False
        if self.failed and not record.error:
            return False
        if self.request is not None and record.id != self.request:
            return False
        if self.action is not None and not _matches(self.action.lower(), record.action.lower(), record.name.lower()):
            return False
        if self.principal is not None and not _matches(
            self.principal,
            identity.arn,
            identity.principal_id,
            identity.access_key_id,
            identity.user_name,
            identity.arn.rpartition("/")[2],
        ):
            return False
        if self.role is not None and not _matches(self.role, *_roles_of(record)):
            return False
        if self.source_identity is not None and not _matches(
            self.source_identity, identity.session_context.source_identity, _inside(record.asked, "sourceIdentity")
        ):
            return False
        return self._in_time(record.time)

    def _in_time(self, text: str) -> bool:
        if self.since is None and self.until is None:
            return True
        try:
            moment = read_moment(text, 0)
        except ValueError:
            return False
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)


def _matches(pattern: str, *texts: str) -> bool:
    return any(text and fnmatchcase(text, pattern) for text in texts)


def _roles_of(record: Record) -> Iterator[str]:
    """The role that the caller is, and the one that the request would have it be."""
    if record.caller.type == "AssumedRole":
        issuer = record.caller.session_context.session_issuer
        yield issuer.arn
        yield issuer.user_name
    asked = _inside(record.asked, "roleArn")
    yield asked
    yield asked.rpartition("/")[2]


def _backwards(path: Path) -> Iterator[bytes]:
    """The lines of all files, the newest first."""
    for each in reversed(audit_files(path)):
        try:
            file = each.open("rb")
        except FileNotFoundError:
            continue  # turned over or removed meanwhile
        with file:
            yield from filter(None, lines_backwards(file))


def search(path: Path, question: Question, limit: int) -> tuple[list[tuple[bytes, Record]], bool]:
    """The newest records that fit, oldest first, and whether there are more than ``limit``; OSError without files."""
    found: list[tuple[bytes, Record]] = []
    until = None if question.since is None else question.since - _SLACK
    for line in _backwards(path):
        record = read_record(line)
        if record is None:
            continue
        if question.fits(record):
            if len(found) == limit:
                return found[::-1], True
            found.append((line, record))
        if until is not None and _earlier(record.time, until):
            break
    return found[::-1], False


def _earlier(text: str, moment: float) -> bool:
    try:
        return read_moment(text, 0) < moment
    except ValueError:
        return False


def newest(path: Path, count: int) -> list[bytes]:
    """The last lines, oldest first."""
    found: list[bytes] = []
    for line in _backwards(path):
        if len(found) >= count:
            break
        found.append(line)
    return found[::-1]


def follow(path: Path, pause: Callable[[float], None]) -> Iterator[bytes]:
    """The lines that are written from now on, for ever; ``pause`` waits for so many seconds.

    When the file is turned over, the rest of the old one comes first.
    """
    file = _opened(path)
    try:
        if file is not None:
            file.seek(0, os.SEEK_END)
        rest = b""
        while True:
            while file is not None and (piece := file.read(LONGEST_LINE)):
                *lines, rest = (rest + piece).split(b"\n")
                yield from filter(None, lines)
            after = _opened(path) if file is None or _moved(file, path) else None
            if after is None:
                pause(_PAUSE)
                continue
            if file is not None:
                pause(_LATE)
                left = rest + file.read()
                file.close()
                yield from filter(None, left.split(b"\n"))
            file, rest = after, b""
    finally:
        if file is not None:
            file.close()


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _moved(file: BinaryIO, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(file.fileno())
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)


class Chain(msgspec.Struct):
    """A credential in a chain: the record that issued it, what was found of it, and what it led to.

    ``issued_by`` is None for a long-term key, and for a session whose issue no file tells of any more.
    """

    key_id: str
    issued_by: Record | None
    done: list[Record] = msgspec.field(default_factory=list)
    led_to: list[Chain] = msgspec.field(default_factory=list)


def chains_of(path: Path, found: Sequence[Record]) -> list[Chain]:
    """The trees of sessions at whose ends the given records are, each from the first person on."""
    issues = _issues(path, {record.credential for record in found} | {record.issued for record in found})
    chains: dict[str, Chain] = {}
    roots: list[Chain] = []

    def chain(key_id: str) -> Chain:
        if key_id in chains:
            return chains[key_id]
        made = chains[key_id] = Chain(key_id, issues.get(key_id))
        if made.issued_by is None:
            roots.append(made)
        else:
            chain(made.issued_by.credential).led_to.append(made)
        return made

    for record in found:
        node = chain(record.credential)
        if record.issued in issues:
            chain(record.issued)
        else:
            node.done.append(record)
    return roots


def _issues(path: Path, wanted: set[str]) -> dict[str, Record]:
    """Access key id → the record that issued it, for the wanted ones and all that they came from.

    An issue stands before every use, so one pass finds a whole chain, but where a file was turned over between them.
    """
    issues: dict[str, Record] = {}
    missing = {each for each in wanted if each.startswith(_TEMPORARY)}
    while missing:
        before = len(issues)
        for line in _backwards(path):
            if not missing:
                break
            if b'"credentials"' not in line:
                continue
            record = read_record(line)
            if record is None or record.issued not in missing or record.caller.type == "AWSAccount":
                continue
            missing.discard(record.issued)
            issues[record.issued] = record
            parent = record.credential
            if parent.startswith(_TEMPORARY) and parent not in issues:
                missing.add(parent)
        if len(issues) == before:
            break
    return issues
