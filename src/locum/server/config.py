"""The settings of a server: one declaration, from which options, environment, file keys, checks and docs derive.

Every setting is one field of :class:`Settings`.  Its name gives the option (``--public-url``), the environment variable
(``LOCUM_PUBLIC_URL``) and the key in the configuration file (``public-url``); the first of command line, environment,
file and default that gives a value wins.  Every problem is reported at once, with what to do about it.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import msgspec

from locum import arn
from locum.core.service_linked_roles import LinkedService
from locum.secret import Secret
from locum.server import readers
from locum.server.federation_settings import TABLES, FederationSettings, read_tables
from locum.server.problems import Problem, Refused

__all__ = [
    "CONFIG_VARIABLE",
    "SETTINGS",
    "ConfigError",
    "Problem",
    "Refused",
    "Setting",
    "Settings",
    "is_loopback",
    "load_settings",
    "reference",
]

CONFIG_VARIABLE: Final = "LOCUM_CONFIG"
"""Environment variable that names the configuration file, as ``--config`` does."""

_PREFIX: Final = "LOCUM_"
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what stands for every address
_MAXIMUM_FILE: Final = 65_536
"""Bytes of the largest configuration file."""
_MAXIMUM_VALUES: Final = 256
"""Values that a list setting takes at most."""


class ConfigError(Refused):
    """The settings cannot be used."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The declaration of one setting.

    ``read`` turns text into the value, or raises ValueError with the reason.  ``secret`` ones are taken from the
    environment alone: a command line is visible to every user of the machine, a file is copied about.  ``many``: a
    tuple; the option may be repeated, and text holds several values separated by commas.
    """

    help: str
    read: Callable[[str], Any]
    metavar: str = "TEXT"
    secret: bool = False
    many: bool = False
    default_text: str = ""
    name: str = ""
    default: Any = None

    @property
    def key(self) -> str:
        """The key in the configuration file, and the option without its dashes."""
        return self.name.replace("_", "-")

    @property
    def option(self) -> str | None:
        """The command-line option; None for a secret."""
        return None if self.secret else f"--{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return _PREFIX + self.name.upper()

    @property
    def flag(self) -> bool:
        """Whether the option is a switch without a value."""
        return self.read is readers.switch

    @property
    def shown_default(self) -> str:
        """The default as help and documentation print it; empty where the setting is off."""
        if self.default_text or self.default is None or self.default == ():
            return self.default_text
        return ("on" if self.default else "off") if self.flag else str(self.default)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set, checked; one field for each setting, declared nowhere else."""

    host: Annotated[str, Setting(help="Address or host name to listen on.", read=readers.host, metavar="ADDRESS")] = (
        "127.0.0.1"
    )
    port: Annotated[
        int, Setting(help="Port to listen on; 0 takes a free one.", read=readers.integer(0, 65_535), metavar="PORT")
    ] = 8380
    data: Annotated[
        Path,
        Setting(
            help="Directory that holds everything that is kept; made on first start, for its owner alone.",
            read=Path,
            metavar="DIR",
            default_text="locum-data in the current directory",
        ),
    ] = Path("locum-data")
    ephemeral: Annotated[
        bool,
        Setting(
            help="Keep everything in a private temporary directory that is removed at the end.", read=readers.switch
        ),
    ] = False
    workers: Annotated[
        int, Setting(help="Processes that answer requests.", read=readers.integer(1, 64), metavar="N")
    ] = 1
    region: Annotated[
        str,
        Setting(
            help="Region that this server is: clients sign for it.",
            read=readers.matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a region such as us-east-1"),
            metavar="REGION",
        ),
    ] = "us-east-1"
    partition: Annotated[
        str, Setting(help="Partition in every ARN.", read=readers.one_of(*sorted(arn.PARTITIONS)), metavar="PARTITION")
    ] = "aws"
    public_url: Annotated[
        str | None,
        Setting(
            help="URL by which clients reach the server; its host is accepted in requests.",
            read=readers.url,
            metavar="URL",
            default_text="the address that the server listens on",
        ),
    ] = None
    allowed_host: Annotated[
        tuple[str, ...],
        Setting(
            help="Further host, with its port where it is not the default one, that requests may be addressed to.",
            read=readers.authority,
            metavar="HOST",
            many=True,
        ),
    ] = ()
    tls_cert: Annotated[
        Path | None, Setting(help="PEM file with the server's certificate chain.", read=Path, metavar="FILE")
    ] = None
    tls_key: Annotated[
        Path | None, Setting(help="PEM file with the certificate's private key.", read=Path, metavar="FILE")
    ] = None
    tls_terminated: Annotated[
        bool,
        Setting(
            help="States that a proxy in front speaks TLS with the clients, so that listening beyond this machine "
            "without a certificate is meant.",
            read=readers.switch,
        ),
    ] = False
    trusted_proxy: Annotated[
        tuple[readers.Network, ...],
        Setting(
            help="Address or network of a proxy whose X-Forwarded-For and X-Forwarded-Proto are believed.",
            read=readers.network,
            metavar="ADDRESS",
            many=True,
        ),
    ] = ()
    wrapping_key: Annotated[
        Secret | None,
        Setting(
            help="Key under which secrets are encrypted at rest: 32 bytes in base64.",
            read=Secret,
            secret=True,
            default_text="the file wrapping.key in the data directory",
        ),
    ] = None
    wrapping_key_command: Annotated[
        str | None,
        Setting(
            help="Command, run without a shell, that prints the wrapping key, such as a call to a key service.",
            read=readers.command_line,
            metavar="COMMAND",
        ),
    ] = None
    audit_file: Annotated[
        Path | None,
        Setting(
            help="File that audit lines are appended to.",
            read=Path,
            metavar="FILE",
            default_text="audit.jsonl in the data directory",
        ),
    ] = None
    audit_rotate_bytes: Annotated[
        int,
        Setting(
            help="Size at which a new audit file is begun; 0 for none.",
            read=readers.integer(0, 999_999_999_999),
            metavar="BYTES",
        ),
    ] = 134_217_728
    audit_rotate_hours: Annotated[
        int,
        Setting(
            help="Hours, counted from midnight UTC, after which a new audit file is begun; 0 for never.",
            read=readers.integer(0, 8_760),
            metavar="HOURS",
        ),
    ] = 24
    audit_keep: Annotated[
        int,
        Setting(
            help="Audit files that are kept beside the current one; 0 keeps all.",
            read=readers.integer(0, 100_000),
            metavar="N",
        ),
    ] = 0
    audit_when_full: Annotated[
        str,
        Setting(
            help="What to do when an audit line finds no room: refuse requests, or drop the line.",
            read=readers.one_of("refuse", "drop"),
            metavar="WHAT",
        ),
    ] = "refuse"
    log_level: Annotated[
        str,
        Setting(
            help="Least severe messages that are logged: debug, info, warning or error.",
            read=readers.one_of("debug", "info", "warning", "error"),
            metavar="LEVEL",
        ),
    ] = "info"
    log_format: Annotated[
        str,
        Setting(
            help="Form of the log on standard error: text, json, or auto, which is text on a terminal.",
            read=readers.one_of("auto", "text", "json"),
            metavar="FORMAT",
        ),
    ] = "auto"
    requests_per_second: Annotated[
        int,
        Setting(
            help="Signed requests to STS that an account may make in a second; 0 for any number.",
            read=readers.integer(0, 100_000),
            metavar="N",
        ),
    ] = 600
    principal_requests_per_second: Annotated[
        int,
        Setting(
            help="Signed requests to STS that a user or a role may make in a second; 0 for as many as its account.",
            read=readers.integer(0, 100_000),
            metavar="N",
        ),
    ] = 0
    iam_requests_per_second: Annotated[
        int,
        Setting(
            help="Requests to IAM, and revocations, that an account may make in a second; 0 for any number.",
            read=readers.integer(0, 100_000),
            metavar="N",
        ),
    ] = 0
    max_body: Annotated[
        int,
        Setting(help="Bytes of the largest request body.", read=readers.integer(65_536, 67_108_864), metavar="BYTES"),
    ] = 1_048_576
    keep_alive: Annotated[
        int,
        Setting(help="Seconds that an idle connection stays open.", read=readers.integer(1, 3_600), metavar="SECONDS"),
    ] = 65
    graceful_timeout: Annotated[
        int,
        Setting(
            help="Seconds that requests in flight have to finish when the server stops.",
            read=readers.integer(1, 3_600),
            metavar="SECONDS",
        ),
    ] = 30
    service_linked_role: Annotated[
        tuple[LinkedService, ...],
        Setting(
            help="Service that has a service-linked role, and the name of that role, beside those that are known.",
            read=readers.linked_service,
            metavar="SERVICE=ROLE",
            many=True,
        ),
    ] = ()
    account_id: Annotated[
        str | None,
        Setting(
            help="Id of the account that the first start creates.",
            read=readers.matching(r"[0-9]{12}", "12 digits"),
            metavar="ID",
            default_text="random",
        ),
    ] = None
    root_access_key_id: Annotated[
        str | None,
        Setting(
            help="Access key id of the first account's root user, with the secret below.",
            read=readers.matching(r"AKIA[A-Z0-9]{16}", "AKIA and 16 upper-case letters or digits"),
            metavar="ID",
            default_text="random",
        ),
    ] = None
    root_secret_access_key: Annotated[
        Secret | None,
        Setting(
            help="Its secret access key: 32 to 128 printable characters.",
            read=Secret,
            secret=True,
            default_text="random",
        ),
    ] = None
    federation: FederationSettings = FederationSettings()
    """The tables of the file on identity providers; no other source has them."""

    @property
    def tls(self) -> bool:
        """Whether the server itself speaks TLS."""
        return self.tls_cert is not None

    @property
    def reachable_host(self) -> str:
        """The address at which this machine reaches the server: loopback where it listens on every address."""
        return _WILDCARDS.get(self.host, self.host)

    @property
    def url(self) -> str:
        """The URL at which clients reach the server: the public one, or that of the address it listens on."""
        if self.public_url is not None:
            return self.public_url
        host = self.reachable_host
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def audit_path(self) -> Path:
        """Where audit lines go."""
        return self.audit_file or self.data / "audit.jsonl"


def _declared() -> dict[str, Setting]:
    hints = get_type_hints(Settings, include_extras=True)
    fields = {each.name: each.default for each in msgspec.structs.fields(Settings)}
    return {
        name: msgspec.structs.replace(hints[name].__metadata__[0], name=name, default=default)
        for name, default in fields.items()
        if hasattr(hints[name], "__metadata__")
    }


SETTINGS: Final[Mapping[str, Setting]] = _declared()
"""Field name → declaration, in the order of documentation."""

_BY_KEY: Final = {each.key: each for each in SETTINGS.values()}
_BY_VARIABLE: Final = {each.variable: each for each in SETTINGS.values()}


def is_loopback(host: str) -> bool:
    """Whether ``host`` is an address of this machine alone; a name other than ``localhost`` is taken not to be."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Reader:
    """Gathers values and every problem with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.values: dict[str, Any] = {}
        self.origins: dict[str, str] = {}

    def take(self, setting: Setting, raw: object, origin: str, base: Path | None = None) -> None:
        """Read one value; one that came before, from a stronger source, wins, but both must be readable."""
        texts = self._texts(setting, raw)
        try:
            if texts is None:
                raise ValueError("must be a list of texts" if setting.many else "must be one text, number or boolean")
            read = [setting.read(text) for text in texts]
        except ValueError as error:
            shown = "" if setting.secret or texts is None else f", not {', '.join(texts)!r}"
            self.problems.append(Problem(f"{origin} {error}{shown}", self._hint(setting, texts)))
            return
        if base is not None:
            read = [base / each if isinstance(each, Path) else each for each in read]
        if setting.name not in self.values:
            self.values[setting.name] = tuple(read) if setting.many else read[0]
            self.origins[setting.name] = origin

    @staticmethod
    def _texts(setting: Setting, raw: object) -> list[str] | None:
        if isinstance(raw, list | tuple):
            if not setting.many or not all(isinstance(each, str) for each in raw) or len(raw) > _MAXIMUM_VALUES:
                return None
            texts = [part.strip() for each in raw for part in each.split(",")]
        elif isinstance(raw, bool):
            texts = [str(raw)]
        elif isinstance(raw, str | int):
            texts = [part.strip() for part in str(raw).split(",")] if setting.many else [str(raw)]
        else:
            return None
        return texts if len(texts) <= _MAXIMUM_VALUES and all(texts) else None

    @staticmethod
    def _hint(setting: Setting, texts: list[str] | None) -> str:
        if setting.variable == "LOCUM_PORT" and texts and texts[0].startswith("tcp://"):
            return "Kubernetes sets it for a service named locum: say enableServiceLinks: false in the pod's spec"
        return setting.help

    def unknown(self, what: str, name: str, known: Mapping[str, object]) -> None:
        """Report a name that means nothing, with the nearest one that does."""
        from difflib import get_close_matches

        prefix = _PREFIX if name.startswith(_PREFIX) else ""
        near = get_close_matches(name.removeprefix(prefix), [each.removeprefix(prefix) for each in known], 1, 0.5)
        hint = f"did you mean {prefix}{near[0]}?" if near else "docs/configuration.md lists every setting"
        if name.startswith(("LOCUM_SERVICE_", "LOCUM_PORT_")):
            hint = "Kubernetes sets it for a service named locum: say enableServiceLinks: false in the pod's spec"
        self.problems.append(Problem(f"{what} is not a setting", hint))

    def tables(self, raw: Mapping[str, object], where: str, base: Path) -> None:
        """Read the tables on identity providers."""
        self.values["federation"], problems = read_tables(raw, where, base)
        self.problems += problems

    def file(self, path: Path) -> None:
        """Read a configuration file."""
        try:
            with path.open("rb") as stream:
                data = stream.read(_MAXIMUM_FILE + 1)
            if len(data) > _MAXIMUM_FILE:
                raise ValueError(f"it has more than {_MAXIMUM_FILE} bytes")
            entries = tomllib.loads(data.decode())
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.problems.append(
                Problem(f"the configuration file {path} cannot be read: {reason}", "it is a TOML file: key = value")
            )
            return
        self.tables({key: entries.pop(key) for key in TABLES if key in entries}, str(path), path.parent)
        for key, raw in entries.items():
            setting = _BY_KEY.get(key)
            if setting is None:
                self.unknown(f"{key} in {path}", key, _BY_KEY)
            elif setting.secret:
                self.problems.append(
                    Problem(
                        f"{key} in {path} is a secret, which no configuration file holds",
                        f"set {setting.variable} in the server's environment",
                    )
                )
            else:
                self.take(setting, raw, f"{key} in {path}", path.parent)


def load_settings(
    options: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    config: str | None = None,
    tables: Mapping[str, object] | None = None,
    serving: bool = False,
) -> Settings:
    """The settings from command line, environment, configuration file and defaults, in this order of strength.

    ``options`` holds field name → text (a list of texts for a list); None means not given.  ``config`` names the
    file, else :data:`CONFIG_VARIABLE` does; ``tables`` stand in for those that a file has on identity providers.  An
    empty variable counts as absent.  ``serving`` adds the checks that only a server must pass (R39, R45).
    :class:`ConfigError` carries every problem at once.
    """
    reader = _Reader()
    for name, raw in options.items():
        if raw is not None and raw != ():
            reader.take(SETTINGS[name], raw, f"--{SETTINGS[name].key}")
    for variable, text in environ.items():
        if variable.startswith(_PREFIX) and variable != CONFIG_VARIABLE and text:
            setting = _BY_VARIABLE.get(variable)
            if setting is None:
                reader.unknown(f"the environment variable {variable}", variable, _BY_VARIABLE)
            else:
                reader.take(setting, text, variable)
    path = config or environ.get(CONFIG_VARIABLE)
    if path:
        reader.file(Path(path))
    if tables is not None:
        reader.tables(tables, "the tables", Path())
    settings = Settings(**reader.values)
    reader.problems += _contradictions(settings, reader.origins)
    if serving:
        reader.problems += _exposure(settings) + _root_problems(settings)
    if reader.problems:
        raise ConfigError(*reader.problems)
    return settings


def _contradictions(settings: Settings, origins: Mapping[str, str]) -> list[Problem]:
    problems = []
    if settings.ephemeral and "data" in origins and _strength(origins["data"]) == _strength(origins["ephemeral"]):
        problems.append(
            Problem("ephemeral and data exclude each other", "a server keeps its data, or it does not: leave one out")
        )
    if (settings.tls_cert is None) != (settings.tls_key is None):
        missing = "tls-key" if settings.tls_key is None else "tls-cert"
        problems.append(
            Problem(f"{missing} is missing", "TLS needs the certificate and its key: --tls-cert, --tls-key")
        )
    if settings.wrapping_key is not None and settings.wrapping_key_command is not None:
        problems.append(
            Problem("wrapping-key and wrapping-key-command exclude each other", "one of them says where the key is")
        )
    return problems


def _strength(origin: str) -> int:
    return 0 if origin.startswith("--") else 1 if origin.startswith(_PREFIX) else 2


def _exposure(settings: Settings) -> list[Problem]:
    if is_loopback(settings.host) or settings.tls or settings.tls_terminated:
        return []
    return [
        Problem(
            f"listening on {settings.host} without TLS would send credentials readable through the network",
            "give --tls-cert and --tls-key, or state with --tls-terminated that a proxy in front speaks TLS",
        )
    ]


_MINIMUM_SECRET: Final = 32
_MAXIMUM_SECRET: Final = 128
_MINIMUM_CHARACTERS: Final = 10
"""Different characters in a secret: words and their repetitions have fewer, 32 random hexadecimal digits have more."""


def _root_problems(settings: Settings) -> list[Problem]:
    key_id, secret = settings.root_access_key_id, settings.root_secret_access_key
    if key_id is None and secret is None:
        return []
    if key_id is None or secret is None:
        missing = SETTINGS["root_access_key_id" if key_id is None else "root_secret_access_key"].variable
        return [Problem(f"{missing} is missing", "a root key is set by id and secret, or left to be generated")]
    problems = []
    text = secret.reveal()
    generate = "leave both unset to have a key generated, or draw one: openssl rand -base64 30"
    if "EXAMPLE" in key_id:
        problems.append(Problem("LOCUM_ROOT_ACCESS_KEY_ID is a well-known example", generate))
    if re.search("example|minioadmin|localstack|changeme|password", text, re.IGNORECASE):
        problems.append(Problem("LOCUM_ROOT_SECRET_ACCESS_KEY is a well-known example", generate))
    elif not _MINIMUM_SECRET <= len(text) <= _MAXIMUM_SECRET or not re.fullmatch(r"[!-~]+", text):
        problems.append(
            Problem(
                f"LOCUM_ROOT_SECRET_ACCESS_KEY must have {_MINIMUM_SECRET} to {_MAXIMUM_SECRET} printable characters",
                generate,
            )
        )
    elif len(set(text)) < _MINIMUM_CHARACTERS or key_id in text:
        problems.append(Problem("LOCUM_ROOT_SECRET_ACCESS_KEY is easily guessed", generate))
    encoded = arn.account_of_access_key(key_id)
    if encoded is not None and encoded != settings.account_id:
        problems.append(
            Problem(
                f"LOCUM_ROOT_ACCESS_KEY_ID encodes the account {encoded}",
                f"say LOCUM_ACCOUNT_ID={encoded}, or choose an id whose fifth character is a letter from A to P",
            )
        )
    return problems


def reference() -> str:
    """The table of settings in Markdown, as ``docs/configuration.md`` holds it."""
    lines = ["| option, file key | environment | default | meaning |", "|---|---|---|---|"]
    for each in SETTINGS.values():
        value = "" if each.flag or each.secret else f" {each.metavar}"
        many = " May be repeated; separated by commas in the environment, a list in the file." if each.many else ""
        option = "environment only" if each.option is None else f"`{each.option}{value}`"
        default = each.shown_default if each.default_text else f"`{each.shown_default}`" if each.shown_default else ""
        lines.append(f"| {option} | `{each.variable}` | {default} | {each.help}{many} |")
    return "\n".join(lines) + "\n"
