"""What may stand in a file, and the typed values that come out of its tree.

A mapping's unknown and missing members, wrong kinds of values and documents that could not be stored are all told, each
at its place; what can be read in spite of them is.  Rules of meaning are the API's and are applied when the file is
carried out (:mod:`locum.server.declared.run`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from locum.arn import is_account_id
from locum.errors import MalformedPolicyDocumentException
from locum.policy import MAX_DEPTH, PolicyKind, validate
from locum.policy.analyze import Severity, analyze
from locum.server.declared.source import Fault, Node, Number, Place, SourceError, plain, values_of

__all__ = [
    "VERSION",
    "AccountForm",
    "Amount",
    "Document",
    "Entry",
    "File",
    "GroupForm",
    "OidcForm",
    "OrgPolicyForm",
    "OrganizationForm",
    "PlaceForm",
    "PolicyForm",
    "ProfileForm",
    "RoleForm",
    "SamlForm",
    "Text",
    "Texts",
    "UserForm",
    "read_form",
    "written",
]

VERSION: Final = "1"
"""The form that this release reads and writes."""

_STEP: Final = re.compile(r'\.?([A-Za-z0-9]+)|\[([0-9]+)\]|\[("(?:[^"\\]|\\.)*")\]')
_BEYOND: Final = re.compile("[^\\x00-\\xff]")
_LIMIT: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class Text(NamedTuple):
    """A text and where it stands."""

    value: str
    place: Place


class Texts(NamedTuple):
    """Texts under a name, and where that stands."""

    values: tuple[Text, ...]
    place: Place


class Amount(NamedTuple):
    """A number and where it stands."""

    value: int
    place: Place


class Document(msgspec.Struct, frozen=True):
    """A policy document: ``text`` as it is stored where it is new, ``values`` what tells whether two are the same.

    ``sound`` is false for one of whose mistakes the file's reader has told already.
    """

    place: Place
    text: str
    values: Any
    sound: bool = True


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something with a name: where it stands, and where its members do."""

    name: str
    place: Place
    places: Mapping[str, Place] = {}

    def at(self, member: str) -> Place:
        """Where a member stands, or the thing itself where it is not mentioned."""
        return self.places.get(member, self.place)


class _Holder(Entry, frozen=True, kw_only=True):
    path: str = "/"
    policies: Mapping[str, Document] = {}
    attached: tuple[Text, ...] = ()


class UserForm(_Holder, frozen=True, kw_only=True):
    """A user; ``groups`` are names in the same account."""

    tags: Mapping[str, Text] = {}
    groups: tuple[Text, ...] = ()
    boundary: str | None = None


class GroupForm(_Holder, frozen=True, kw_only=True):
    """A group."""


class RoleForm(_Holder, frozen=True, kw_only=True):
    """A role; ``max_session_duration`` is in seconds."""

    trust: Document
    description: str | None = None
    max_session_duration: int = 3_600
    tags: Mapping[str, Text] = {}
    boundary: str | None = None


class PolicyForm(Entry, frozen=True, kw_only=True):
    """A managed policy with the document that is in force."""

    document: Document
    path: str = "/"
    description: str | None = None
    tags: Mapping[str, Text] = {}


class ProfileForm(Entry, frozen=True, kw_only=True):
    """An instance profile and the name of its role."""

    path: str = "/"
    role: str | None = None
    tags: Mapping[str, Text] = {}


class OidcForm(Entry, frozen=True, kw_only=True):
    """An OIDC provider; its name is its URL."""

    client_ids: tuple[Text, ...] = ()
    thumbprints: tuple[Text, ...] = ()
    tags: Mapping[str, Text] = {}


class SamlForm(Entry, frozen=True, kw_only=True):
    """A SAML provider; ``metadata`` is the XML document, ``encryption`` is Allowed or Required."""

    metadata: str
    encryption: str = "Allowed"
    tags: Mapping[str, Text] = {}


EntryType = TypeVar("EntryType", bound=Entry)


class AccountForm(Entry, frozen=True, kw_only=True):
    """An account; its name here is its id.  A section that is None is not in the file and is left alone."""

    title: str | None = None
    alias: str | None = None
    limits: Mapping[str, Amount] | None = None
    oidc_providers: Mapping[str, OidcForm] | None = None
    saml_providers: Mapping[str, SamlForm] | None = None
    policies: Mapping[str, PolicyForm] | None = None
    groups: Mapping[str, GroupForm] | None = None
    users: Mapping[str, UserForm] | None = None
    roles: Mapping[str, RoleForm] | None = None
    instance_profiles: Mapping[str, ProfileForm] | None = None


class OrgPolicyForm(Entry, frozen=True, kw_only=True):
    """A service control policy or resource control policy of an organization."""

    document: Document
    description: str = ""
    tags: Mapping[str, Text] = {}


class _ServiceControl(OrgPolicyForm, frozen=True, kw_only=True):
    pass


class _ResourceControl(OrgPolicyForm, frozen=True, kw_only=True):
    pass


class PlaceForm(Entry, frozen=True, kw_only=True):
    """The root, a unit or an account of an organization, with the names of the policies attached to it.

    ``scps`` is None where it has AWS's own and no other.
    """

    scps: tuple[Text, ...] | None = None
    rcps: tuple[Text, ...] = ()
    tags: Mapping[str, Text] = {}
    accounts: Mapping[str, PlaceForm] = {}
    units: Mapping[str, PlaceForm] = {}


class OrganizationForm(Entry, frozen=True, kw_only=True):
    """An organization; its name here is the id of its management account.

    ``services`` maps those with trusted access to the ids of their delegated administrators.  A section that is None is
    not in the file and is left alone.
    """

    feature_set: str = "ALL"
    policy_types: tuple[Text, ...] | None = None
    service_control_policies: Mapping[str, OrgPolicyForm] | None = None
    resource_control_policies: Mapping[str, OrgPolicyForm] | None = None
    services: Mapping[str, Texts] | None = None
    root_features: tuple[Text, ...] | None = None
    root: PlaceForm | None = None


class File(msgspec.Struct, frozen=True):
    """All of a file."""

    accounts: Mapping[str, AccountForm] = {}
    organizations: Mapping[str, OrganizationForm] = {}


class _Wrong(Exception):
    """A value cannot be read; what is wrong with it has been told."""


def written(values: Any) -> str:
    """A document's values as the JSON text that is stored.

    What is beyond Latin-1, which no document holds as it is, is escaped (POL-GR-017).  There is no white space, which
    counts in an organization's policies (POL-LM-008): what was stored once fits again.
    """
    if isinstance(values, dict):
        return "{" + ",".join(f"{written(name)}:{written(each)}" for name, each in values.items()) + "}"
    if isinstance(values, list):
        return "[" + ",".join(written(each) for each in values) + "]"
    if isinstance(values, Number):
        return str(values)
    return _BEYOND.sub(lambda found: json.dumps(found[0])[1:-1], json.dumps(values, ensure_ascii=False))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@cache
def _needed(kind: type[Entry]) -> tuple[str, ...]:
    fields = msgspec.structs.fields(kind)
    return tuple(each.name for each in fields if each.required and each.name not in ("name", "place"))


class _Reader:
    """Reads values out of nodes and gathers what is wrong."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def wrong(self, place: Place, text: str) -> _Wrong:
        self.faults.append(Fault(place, text))
        return _Wrong()

    # Scalars and collections

    def text(self, node: Node) -> str:
        if not isinstance(node.value, str) or (node.value and _is_null(node)):
            raise self.wrong(node.place, "expected a text")
        return node.value

    def optional(self, node: Node) -> str | None:
        return None if _is_null(node) else self.text(node)

    def number(self, node: Node) -> int:
        if not isinstance(node.value, str) or not _LIMIT.fullmatch(node.value):
            raise self.wrong(node.place, "expected a whole number")
        return int(node.value)

    def texts(self, node: Node) -> tuple[Text, ...]:
        if _is_null(node):
            return ()
        if not isinstance(node.value, list):
            raise self.wrong(node.place, "expected a list")
        read: dict[str, Text] = {}
        for each in node.value:
            if not isinstance(each.value, str):
                self.wrong(each.place, "expected a text")
            elif each.value in read:
                self.wrong(each.place, f"{_quoted(each.value[:64])} stands in this list a second time")
            else:
                read[each.value] = Text(each.value, each.place)
        return tuple(read.values())

    def optional_texts(self, node: Node) -> tuple[Text, ...] | None:
        return None if _is_null(node) else self.texts(node)

    def mapping(self, node: Node) -> dict[str, Node]:
        if _is_null(node):
            return {}
        if not isinstance(node.value, dict):
            raise self.wrong(node.place, "expected a mapping of names to values")
        return node.value

    def tags(self, node: Node) -> dict[str, Text]:
        return self._each(node, lambda each: Text(self.text(each), each.place))

    def folded_tags(self, node: Node) -> dict[str, Text]:
        """Tags whose keys are compared without regard to case (IAM-GEN-061)."""
        tags = self.tags(node)
        first: dict[str, str] = {}
        for key in tags:
            other = first.setdefault(key.lower(), key)
            if other != key:
                self.wrong(
                    node.names[key], f"{_quoted(key)} and {_quoted(other)} are one tag here: case does not count"
                )
        return tags

    def limits(self, node: Node) -> dict[str, Amount]:
        return self._each(node, lambda each: Amount(self.number(each), each.place))

    def lists(self, node: Node) -> dict[str, Texts]:
        return self._each(node, lambda each: Texts(self.texts(each), each.place))

    def _each(self, node: Node, read: Callable[[Node], Any]) -> dict[str, Any]:
        values = {}
        for name, each in self.mapping(node).items():
            try:
                values[name] = read(each)
            except _Wrong:
                continue
        return values

    # Entries

    def entry(self, kind: type[EntryType], name: str, place: Place, node: Node) -> EntryType:
        """One thing of a kind, by its table of members; _Wrong where a member that it needs is missing or wrong."""
        readers = _MEMBERS[kind]
        values: dict[str, Any] = {}
        places: dict[str, Place] = {}
        for member, each in self.mapping(node).items():
            at = node.names.get(member, node.place)
            reader = readers.get(member)
            if reader is None:
                near = get_close_matches(member, readers, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(readers)}"
                self.wrong(at, f"there is no member {_quoted(member[:64])} here: {hint}")
                continue
            attribute = _ATTRIBUTES.get((kind, member), member)
            places[attribute] = each.place
            with suppress(_Wrong):
                values[attribute] = reader(self, each)
        lacking = [each for each in _needed(kind) if each not in values]
        for attribute in lacking:
            if attribute not in places:
                self.wrong(place, f"{attribute} is missing")
        if lacking:
            # It is left out; its mistakes stop the file anyhow.
            raise _Wrong
        return kind(name=name, place=place, places=places, **values)

    def entries(self, kind: type[EntryType], node: Node) -> dict[str, EntryType]:
        read = {}
        for name, each in self.mapping(node).items():
            try:
                read[name] = self.entry(kind, name, node.names[name], each)
            except _Wrong:
                continue
        return read

    def section(self, kind: type[EntryType], node: Node) -> dict[str, EntryType]:
        """A section of entities, whose names differ in more than case (POL-LM-010)."""
        read = {}
        folded: dict[str, str] = {}
        for name, each in self.entries(kind, node).items():
            other = folded.setdefault(_folded(kind, name), name)
            if other == name:
                read[name] = each
            else:
                self.wrong(each.place, f"{_quoted(name)} and {_quoted(other)} are one name: case does not count")
        return read

    # Documents

    def document(self, node: Node, kind: PolicyKind) -> Document:
        """A policy document, as a mapping or as its JSON text."""
        if isinstance(node.value, str) and not _is_null(node):
            text = node.value
            try:
                values = values_of(text)
            except SourceError as error:
                line = error.fault.place.line
                raise self.wrong(node.place, f"line {line} of the document: {error.fault.text}") from None
        elif isinstance(node.value, dict):
            if _is_deep(node, MAX_DEPTH + 1):
                raise self.wrong(node.place, "a policy document is not nested as deep as this")
            values = plain(node)
            text = written(values)
        else:
            raise self.wrong(node.place, "expected a policy document")
        return Document(node.place, text, values, self._is_sound(node, text, kind))

    def _is_sound(self, node: Node, text: str, kind: PolicyKind) -> bool:
        """Whether the document could be stored; all that speaks against it is told."""
        try:
            validate(text, kind)
        except MalformedPolicyDocumentException as refused:
            found = [each for each in analyze(text, kind, sizes={}).findings if each.severity is Severity.ERROR]
            for each in found:
                why = f"{each.path}: {each.why}" if each.why else each.path
                self.wrong(_inside(node, each.path), f"{each.message} ({why})")
            if not found:
                self.wrong(node.place, refused.message)
            return False
        return True

    def documents(self, node: Node) -> dict[str, Document]:
        return self._each(node, lambda each: self.document(each, PolicyKind.INLINE))

    def accounts_by_id(self, kind: type[EntryType], node: Node) -> dict[str, EntryType]:
        """Entries whose names are account ids."""
        for name in self.mapping(node):
            if not is_account_id(name):
                self.wrong(node.names[name], f"{_quoted(name[:64])} is no account id: an account id has 12 digits")
        return {name: each for name, each in self.entries(kind, node).items() if is_account_id(name)}


def _folded(kind: type[Entry], name: str) -> str:
    if kind is OidcForm:
        host, slash, path = name.removeprefix("https://").partition("/")
        return f"{host.lower()}{slash}{path}"
    return name.lower()


def _is_null(node: Node) -> bool:
    return node.bare and plain(node) is None


def _is_deep(node: Node, levels: int) -> bool:
    if isinstance(node.value, str):
        return False
    inner = node.value.values() if isinstance(node.value, dict) else node.value
    return levels == 0 or any(_is_deep(each, levels - 1) for each in inner)


def _inside(node: Node, path: str) -> Place:
    """The place of a finding's path in a document, or of the longest part of it that is there."""
    at = node
    place = node.place
    for word, index, quoted in _STEP.findall(path):
        if index:
            if isinstance(at.value, list):
                if int(index) >= len(at.value):
                    break
                at = at.value[int(index)]
        else:
            name = json.loads(quoted) if quoted else word
            if not isinstance(at.value, dict) or name not in at.value:
                break
            at = at.value[name]
        place = at.place
    return place


_Read = Callable[[_Reader, Node], Any]

_TEXT: Final[_Read] = _Reader.text
_OPTIONAL: Final[_Read] = _Reader.optional
_TEXTS: Final[_Read] = _Reader.texts
_TAGS: Final[_Read] = _Reader.tags
_HELD: Final[Mapping[str, _Read]] = {"path": _TEXT, "policies": _Reader.documents, "attached": _TEXTS}


def _document(kind: PolicyKind) -> _Read:
    return lambda reader, node: reader.document(node, kind)


def _section(kind: type[Entry]) -> _Read:
    return lambda reader, node: reader.section(kind, node)


def _entries(kind: type[Entry]) -> _Read:
    return lambda reader, node: reader.entries(kind, node)


_MEMBERS: Final[Mapping[type[Entry], Mapping[str, _Read]]] = {
    UserForm: {**_HELD, "groups": _TEXTS, "boundary": _OPTIONAL, "tags": _Reader.folded_tags},
    GroupForm: _HELD,
    RoleForm: {
        **_HELD,
        "trust": _document(PolicyKind.TRUST),
        "description": _OPTIONAL,
        "max_session_duration": _Reader.number,
        "boundary": _OPTIONAL,
        "tags": _Reader.folded_tags,
    },
    PolicyForm: {
        "path": _TEXT,
        "description": _OPTIONAL,
        "document": _document(PolicyKind.MANAGED),
        "tags": _TAGS,
    },
    ProfileForm: {"path": _TEXT, "role": _OPTIONAL, "tags": _TAGS},
    OidcForm: {"client_ids": _TEXTS, "thumbprints": _TEXTS, "tags": _TAGS},
    SamlForm: {"metadata": _TEXT, "encryption": _TEXT, "tags": _TAGS},
    AccountForm: {
        "name": _TEXT,
        "alias": _OPTIONAL,
        "limits": _Reader.limits,
        "oidc_providers": _section(OidcForm),
        "saml_providers": _section(SamlForm),
        "policies": _section(PolicyForm),
        "groups": _section(GroupForm),
        "users": _section(UserForm),
        "roles": _section(RoleForm),
        "instance_profiles": _section(ProfileForm),
    },
    _ServiceControl: {"description": _TEXT, "document": _document(PolicyKind.SERVICE_CONTROL), "tags": _TAGS},
    _ResourceControl: {"description": _TEXT, "document": _document(PolicyKind.RESOURCE_CONTROL), "tags": _TAGS},
    PlaceForm: {
        "scps": _Reader.optional_texts,
        "rcps": _TEXTS,
        "tags": _TAGS,
        "accounts": lambda reader, node: reader.accounts_by_id(PlaceForm, node),
        "units": _entries(PlaceForm),
    },
    OrganizationForm: {
        "feature_set": _TEXT,
        "policy_types": _TEXTS,
        "service_control_policies": _entries(_ServiceControl),
        "resource_control_policies": _entries(_ResourceControl),
        "services": _Reader.lists,
        "root_features": _TEXTS,
        "root": lambda reader, node: reader.entry(PlaceForm, "Root", node.place, node),
    },
}
"""Kind of thing → its members in the file and what reads them."""

_ATTRIBUTES: Final[Mapping[tuple[type[Entry], str], str]] = {(AccountForm, "name"): "title"}
"""Members whose name in the file is another one than here."""

_TOP: Final = ("locum", "accounts", "organizations")


def read_form(node: Node) -> tuple[File, list[Fault]]:
    """The values of a file's tree, and everything that is wrong with it by itself, in the order of the file."""
    reader = _Reader()
    accounts: dict[str, AccountForm] = {}
    organizations: dict[str, OrganizationForm] = {}
    try:
        members = reader.mapping(node)
        for name in members.keys() - set(_TOP):
            reader.wrong(node.names[name], f"there is no section {_quoted(name[:64])}: there are {', '.join(_TOP)}")
        version = members.get("locum")
        if version is None:
            reader.wrong(node.place, f'locum is missing: a file of this form says "locum: {VERSION}"')
        elif version.value != VERSION:
            reader.wrong(version.place, f"this release reads form {VERSION} of the file only")
        if "accounts" in members:
            accounts = reader.accounts_by_id(AccountForm, members["accounts"])
        if "organizations" in members:
            organizations = reader.accounts_by_id(OrganizationForm, members["organizations"])
    except _Wrong:
        pass
    return File(accounts, organizations), reader.faults
