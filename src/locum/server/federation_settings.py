"""What identity providers need that IAM has no parameter for: the tables ``[[oidc]]`` and ``[[saml]]`` of the file.

Each table says with ``provider`` for whom it is; the first one of a kind that fits a provider counts, alone.  Every key
is one field of :class:`OidcTable` or :class:`SamlTable`; reading, checks and documentation derive from the fields.
Files are read once, at start, so that all workers see the same and a later change of theirs goes unnoticed until then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar, get_type_hints

import msgspec

from locum.server import readers
from locum.server.problems import Problem

if TYPE_CHECKING:
    from locum.policy.patterns import Matcher

__all__ = [
    "TABLES",
    "Entry",
    "FederationSettings",
    "OidcTable",
    "SamlTable",
    "read_tables",
    "reference",
    "saml_is_installed",
]

_MAXIMUM_TABLES: Final = 256
"""Tables of a kind."""
_MAXIMUM_VALUES: Final = 256
"""Values of a list."""
_MAXIMUM_FILE: Final = 262_144
"""Bytes of a file with keys or certificates."""
_LONGEST_TEXT: Final = 2_048
_ALGORITHMS: Final = ("PS256", "PS384", "PS512", "EdDSA")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The declaration of one key of a table.

    ``read`` turns one text into the value, or raises ValueError with the reason.  ``file``: the text names a file,
    whose content is the value.  ``many``: a list of texts.
    """

    help: str
    read: Callable[[str], Any]
    many: bool = False
    file: bool = False


def _text(text: str) -> str:
    if not text or len(text) > _LONGEST_TEXT or not text.isprintable():
        raise ValueError(f"must be 1 to {_LONGEST_TEXT} printable characters")
    return text


def _network(text: str) -> readers.Network:
    try:
        return readers.network(text)
    except ValueError as error:
        raise ValueError(str(error).partition(",")[0]) from None


def _key_set(text: str) -> str:
    from locum.core.key_set import read_keys

    try:
        read_keys(text.encode())
    except ValueError as error:
        raise ValueError(f"is no JSON web key set that can be used: {error}") from None
    return text


def _certificates(text: str) -> str:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise ValueError("holds no certificates in PEM form") from None
    return text


class OidcTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table ``[[oidc]]``: one issuer, or all that a pattern names."""

    provider: Annotated[
        str,
        Entry(help="ARN of the provider, or the name of a built-in one; `*` and `?` are wildcards.", read=_text),
    ]
    jwks: Annotated[
        str | None, Entry(help="File with the issuer's keys (a JWKS): nothing is fetched.", read=_key_set, file=True)
    ] = None
    ca: Annotated[
        str | None,
        Entry(
            help="PEM file of the authorities that the issuer's TLS certificates come from.",
            read=_certificates,
            file=True,
        ),
    ] = None
    networks: Annotated[
        tuple[readers.Network, ...],
        Entry(
            help="Private addresses or networks that the issuer's host may have; without, only public ones.",
            read=_network,
            many=True,
        ),
    ] = ()
    extra_algorithms: Annotated[
        tuple[str, ...],
        Entry(
            help=f"Signature algorithms beside AWS's: {', '.join(_ALGORITHMS)}.",
            read=readers.one_of(*_ALGORITHMS),
            many=True,
        ),
    ] = ()
    loopback_http: Annotated[
        bool,
        Entry(
            help="Whether an issuer on this machine is asked by HTTP instead of HTTPS: for trials.", read=readers.switch
        ),
    ] = False


class SamlTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table ``[[saml]]``: one provider, or all that a pattern names."""

    provider: Annotated[str, Entry(help="ARN of the provider; `*` and `?` are wildcards.", read=_text)]
    audiences: Annotated[
        tuple[str, ...],
        Entry(
            help="Audiences that an assertion may be for, beside AWS's and this server's entity id.",
            read=_text,
            many=True,
        ),
    ] = ()
    recipients: Annotated[
        tuple[str, ...],
        Entry(
            help="Recipients that an assertion may name, beside AWS's and this server's ACS URL.", read=_text, many=True
        ),
    ] = ()
    allow_cbc: Annotated[
        bool, Entry(help="Whether assertions may be encrypted with AES-CBC, which proves nothing.", read=readers.switch)
    ] = False
    allow_sha1: Annotated[
        bool, Entry(help="Whether signatures may use SHA-1, which can be forged at a cost.", read=readers.switch)
    ] = False
    single_use: Annotated[bool, Entry(help="Whether an assertion opens one session only.", read=readers.switch)] = False
    lax: Annotated[
        bool,
        Entry(
            help="Whether NotBefore, audience and recipient are as unimportant as to AWS; the server says so at start.",
            read=readers.switch,
        ),
    ] = False


Table = TypeVar("Table", OidcTable, SamlTable)

TABLES: Final[Mapping[str, type[OidcTable] | type[SamlTable]]] = {"oidc": OidcTable, "saml": SamlTable}
"""Key in the configuration file → type of its tables."""


class _Chosen(Generic[Table]):
    """The tables of a kind, ready for look-ups."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._rules: Final[list[tuple[Matcher | None, Table]]] = []
        if tables:
            from locum.policy.patterns import any_of, text_template

            self._rules.extend((any_of([text_template(each.provider, variables=False)]), each) for each in tables)

    def of(self, provider: str) -> Table | None:
        for matches, table in self._rules:
            if matches is None or matches(provider, {}):
                return table
        return None


class FederationSettings:
    """The tables that were read; look-ups take a provider's ARN, or a built-in provider's name."""

    def __init__(self, oidc: Sequence[OidcTable] = (), saml: Sequence[SamlTable] = ()) -> None:
        self.tables: Final = (tuple(oidc), tuple(saml))
        self._oidc: Final = _Chosen(oidc)
        self._saml: Final = _Chosen(saml)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FederationSettings) and self.tables == other.tables

    def __hash__(self) -> int:
        return hash(self.tables)

    def __repr__(self) -> str:
        return f"FederationSettings(oidc={len(self.tables[0])}, saml={len(self.tables[1])})"

    def oidc(self, provider: str) -> OidcTable:
        """What holds for an OIDC provider; where no table is about it, the defaults."""
        return self._oidc.of(provider) or OidcTable(provider=provider)

    def saml(self, provider: str) -> SamlTable:
        """What holds for a SAML provider; where no table is about it, the defaults."""
        return self._saml.of(provider) or SamlTable(provider=provider)

    def warnings(self) -> list[str]:
        """What whoever starts the server should know of these settings."""
        oidc, saml = self.tables
        said = [
            f"issuers that {each.provider} names are asked by plain HTTP where they are on this machine"
            for each in oidc
            if each.loopback_http
        ]
        for each in saml:
            if each.lax:
                said.append(
                    f"SAML providers that {each.provider} names are trusted as laxly as AWS does: NotBefore, audience "
                    "and recipient of their assertions are not checked"
                )
            said += [
                f"SAML providers that {each.provider} names may use {what}"
                for allowed, what in (
                    (each.allow_sha1, "signatures with SHA-1"),
                    (each.allow_cbc, "encryption with AES-CBC"),
                )
                if allowed
            ]
        if saml and not saml_is_installed():
            said.append("AssumeRoleWithSAML needs the extra: pip install 'locum[saml]'")
        return said


def saml_is_installed() -> bool:
    """Whether the libraries of the extra ``saml`` are there."""
    return find_spec("signxml") is not None and find_spec("lxml") is not None


def _entries(table: type[OidcTable] | type[SamlTable]) -> dict[str, tuple[str, Entry]]:
    """Key in the file → field and declaration."""
    hints = get_type_hints(table, include_extras=True)
    return {
        f"{name.replace('_', '-')}{'-file' if entry.file else ''}": (name, entry)
        for name in table.__struct_fields__
        for entry in (hints[name].__metadata__[0],)
    }


_ENTRIES: Final = {kind: _entries(table) for kind, table in TABLES.items()}


def read_tables(raw: Mapping[str, object], where: str, base: Path) -> tuple[FederationSettings, list[Problem]]:
    """The tables in the ``oidc`` and ``saml`` members of a configuration, and all that is wrong with them.

    ``where`` names the configuration in texts; names of files start at ``base``.
    """
    problems: list[Problem] = []
    read: dict[str, list[Any]] = {}
    for kind in TABLES:
        given = raw.get(kind, [])
        if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(e, Mapping) for e in given):
            problems.append(Problem(f"{kind} in {where} must be tables", f"write [[{kind}]], with two brackets"))
            continue
        if len(given) > _MAXIMUM_TABLES:
            problems.append(
                Problem(f"{where} has more than {_MAXIMUM_TABLES} tables [[{kind}]]", "let patterns name the providers")
            )
            continue
        read[kind] = [
            table
            for number, each in enumerate(given, 1)
            for table in (_read_table(kind, each, f"[[{kind}]] number {number} in {where}", base, problems),)
            if table is not None
        ]
    if problems:
        return FederationSettings(), problems
    return FederationSettings(**read), problems


def _read_table(
    kind: str, raw: Mapping[str, object], where: str, base: Path, problems: list[Problem]
) -> OidcTable | SamlTable | None:
    entries = _ENTRIES[kind]
    values: dict[str, Any] = {}
    before = len(problems)
    for key, value in raw.items():
        known = entries.get(key)
        if known is None:
            problems.append(Problem(f"{key} of {where} is not a setting", _nearest(key, entries)))
            continue
        name, entry = known
        try:
            values[name] = _read_value(entry, value, base)
        except ValueError as error:
            problems.append(Problem(f"{key} of {where} {error}", entry.help))
    if "provider" not in raw:
        problems.append(Problem(f"provider of {where} is missing", entries["provider"][1].help))
    for useless in ("ca-file", "networks", "loopback-http"):
        if raw.get("jwks-file") is not None and raw.get(useless):
            problems.append(
                Problem(
                    f"jwks-file and {useless} of {where} exclude each other",
                    "with the keys in a file nothing is fetched: leave one out",
                )
            )
    return None if len(problems) > before else TABLES[kind](**values)


def _read_value(entry: Entry, raw: object, base: Path) -> Any:
    if entry.many:
        if not isinstance(raw, list | tuple) or not all(isinstance(each, str) for each in raw):
            raise ValueError("must be a list of texts")
        if len(raw) > _MAXIMUM_VALUES:
            raise ValueError(f"must be a list of at most {_MAXIMUM_VALUES} texts")
        return tuple([_read_text(entry, each) for each in raw])
    if entry.read is readers.switch:
        if not isinstance(raw, bool):
            raise ValueError("must be true or false")
        return raw
    if not isinstance(raw, str):
        raise ValueError("must be one text")
    return entry.read(_content(base / raw)) if entry.file else _read_text(entry, raw)


def _read_text(entry: Entry, text: str) -> Any:
    try:
        return entry.read(text)
    except ValueError as error:
        raise ValueError(f"{error}, not {text[:_LONGEST_TEXT]!r}") from None


def _content(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAXIMUM_FILE + 1)
        if len(data) > _MAXIMUM_FILE:
            raise ValueError(f"names {path}, which has more than {_MAXIMUM_FILE} bytes")
        return data.decode()
    except OSError as error:
        raise ValueError(f"names {path}, which cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"names {path}, which is not text") from None


def _nearest(key: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, known, 1, 0.5)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def reference() -> str:
    """The keys of both kinds of tables in Markdown, as ``docs/configuration.md`` holds them."""
    lines = ["| table | key | value | meaning |", "|---|---|---|---|"]
    for kind, entries in _ENTRIES.items():
        for key, (_, entry) in entries.items():
            value = (
                "list of texts"
                if entry.many
                else "true or false"
                if entry.read is readers.switch
                else "file"
                if entry.file
                else "text"
            )
            lines.append(f"| `[[{kind}]]` | `{key}` | {value} | {entry.help} |")
    return "\n".join(lines) + "\n"
