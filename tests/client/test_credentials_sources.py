"""Credentials from programs, container agents and instance metadata: what is asked, and what is believed."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.utils import ContainerMetadataFetcher
from hypothesis import given
from hypothesis import strategies as st

from locum.api.shapes import Command
from locum.client.credentials import Chain, Container, Credentials, Metadata, Process
from locum.client.credentials.base import MAX_DOCUMENT, moment, read_document
from locum.client.credentials.metadata import metadata
from locum.client.credentials.process import arguments
from locum.client.effects import Flow, ReadFile, Run, Send, Sleep
from locum.client.failures import (
    ClientFailure,
    ConfigurationFailure,
    ConnectionFailure,
    CredentialsFailure,
    RunFailed,
    TimedOut,
)
from locum.client.transport import Blocking
from locum.http import Response
from locum.secret import Secret

from .stage import Stage

RELATIVE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
UNTIL = "2030-01-31T23:59:00Z"
ANSWER = {"AccessKeyId": "ASIA1", "SecretAccessKey": "hush", "Token": "token", "Expiration": UNTIL}
WRITTEN = {
    "Version": 1,
    "AccessKeyId": "ASIA1",
    "SecretAccessKey": "hush",
    "SessionToken": "token",
    "Expiration": UNTIL,
}


def no_sts(command: Command[Any], credentials: Credentials | None, /) -> Flow[Any]:
    raise AssertionError("STS is not asked here")


def document(base: dict[str, Any] = ANSWER, /, **changes: Any) -> bytes:
    return json.dumps({name: value for name, value in (base | changes).items() if value is not ...}).encode()


# Documents


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AccessKeyId": ...}, "AccessKeyId"),
        ({"SecretAccessKey": ...}, "SecretAccessKey"),
        ({"SecretAccessKey": ""}, "the secret access key is empty"),
        ({"AccessKeyId": 7}, "AccessKeyId"),
        ({"AccessKeyId": "a b"}, "spaces"),
        ({"Token": ...}, "Token is missing"),
        ({"Token": "a\nb"}, "spaces, line breaks"),
        ({"Token": "x" * (1 << 17)}, "longer than"),
        ({"Expiration": ...}, "Expiration is missing"),
        ({"Expiration": "soon"}, "ISO 8601"),
        ({"Expiration": "2030-01-31T23:59:00"}, "ISO 8601"),
    ],
)
@pytest.mark.facts("STS-CL-029")
def test_a_service_s_document_has_all_its_members(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CredentialsFailure, match=f"^agent: .*{message}") as caught:
        read_document(document(**changes), "agent")
    assert "hush" not in str(caught.value)


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)))
def test_any_bytes_are_credentials_or_the_declared_error(data: bytes) -> None:
    for process in (True, False):
        with pytest.raises(CredentialsFailure):
            read_document(data, "agent", process=process)


def test_a_document_is_bounded_and_nesting_does_no_harm() -> None:
    for data in (b" " * (MAX_DOCUMENT + 1), b"[" * 100_000, b'{"a":' * 40_000, b'"\xff"', b"{}", b"null"):
        with pytest.raises(CredentialsFailure, match=r"^agent: "):
            read_document(data, "agent")


@pytest.mark.parametrize(
    "text", ["2030-01-31T23:59:00Z", "2030-01-31T23:59:00+00:00", "2030-02-01T01:59:00+02:00", "20300131T235900Z"]
)
def test_expirations_are_read_in_the_usual_spellings(text: str) -> None:
    assert moment(text) == moment(UNTIL)


# Programs


def run(command: str, output: bytes | Exception, **named: Any) -> tuple[Stage, Credentials]:
    def perform(effect: Run) -> bytes:
        if isinstance(output, Exception):
            raise output
        return output

    stage = Stage()
    stage.run_program = perform
    return stage, stage.play(Process(command, "config, line 2", **named).resolve())


@pytest.mark.facts("STS-CL-026")
def test_a_program_s_credentials() -> None:
    stage, got = run("/bin/tool --name 'a b' $HOME", document(WRITTEN, AccountId="111122223333"))
    assert stage.of(Run) == [Run(("/bin/tool", "--name", "a b", "$HOME"), timeout=60.0, most=256 << 10)]
    assert got == Credentials("ASIA1", Secret("hush"), Secret("token"), moment(UNTIL), "111122223333")
    _, lasting = run("tool", document(WRITTEN, Expiration=..., SessionToken=...), account_id="444455556666")
    assert (lasting.expiration, lasting.session_token, lasting.account_id) == (None, None, "444455556666")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (document(WRITTEN, Version=2), "Version is 2, and has to be 1"),
        (document(WRITTEN, Version=...), "Version is None, and has to be 1"),
        (document(WRITTEN, Version="1"), "no JSON document with credentials"),
        (document(WRITTEN, Version=True), "no JSON document with credentials"),
        (document(WRITTEN, AccessKeyId=...), "AccessKeyId"),
        (document(WRITTEN, SecretAccessKey=...), "SecretAccessKey"),
        (b"hush", "no JSON document with credentials"),
        (
            RunFailed("tool: exit status 3", status=3, errors="not\nsigned in\x1b[31m"),
            "ended with status 3: not signed in",
        ),
        (RunFailed("tool: not done after 60 s", status=None), "tool: not done after 60 s"),
    ],
)
@pytest.mark.facts("STS-CL-026")
def test_what_a_program_does_wrong_is_told(output: bytes | Exception, message: str) -> None:
    with pytest.raises(CredentialsFailure) as caught:
        run("tool --secret sesame", output)
    assert str(caught.value).startswith("config, line 2: credential_process")
    assert message in str(caught.value)
    assert not any(word in str(caught.value) for word in ("hush", "sesame", "\x1b"))


@pytest.mark.parametrize("command", ["", "  ", "tool 'open"])
def test_a_command_that_is_none_is_refused(command: str) -> None:
    with pytest.raises(ConfigurationFailure, match=r"^config, line 2: credential_process: "):
        run(command, b"")


def test_a_command_is_split_as_windows_does_where_it_runs_there() -> None:
    split = arguments(r'"C:\Program Files\tool.exe" --x C:\y', windows=True)
    assert split == (r"C:\Program Files\tool.exe", "--x", r"C:\y")


@pytest.mark.facts("STS-CL-026")
def test_a_profile_s_program_is_really_run(tmp_path: Path) -> None:
    program = tmp_path / "tool.py"
    program.write_text(f"import sys; print({json.dumps(json.dumps(WRITTEN))} if sys.argv[1] == 'a b' else '')")
    config = tmp_path / "config"
    command = shlex.join([sys.executable, str(program), "a b"])
    config.write_text(f"[default]\ncredential_process = {command}\n")
    environment = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    found = Blocking().run(Chain(environment, no_sts).resolve())
    assert found.access_key_id == "ASIA1"
    program.write_text("import sys; sys.exit('no luck')")
    with pytest.raises(CredentialsFailure, match=r"ended with status 1: no luck$"):
        Blocking().run(Chain(environment, no_sts).resolve())


# Container agents


def agent(environment: dict[str, str], *answers: Response | Exception) -> tuple[Stage, Container]:
    stage, waiting = Stage(), list(answers)

    def answer(effect: Send) -> Response:
        outcome = waiting.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    stage.answer = answer
    return stage, Container(environment)


OK = Response(200, (), document())


@pytest.mark.facts("STS-CL-027", "STS-CL-029")
def test_the_agent_of_ecs_is_asked() -> None:
    stage, container = agent({RELATIVE: "/creds?id=7", FULL: "http://127.0.0.1/other"}, OK)
    assert stage.play(container.resolve()) == Credentials("ASIA1", Secret("hush"), Secret("token"), moment(UNTIL), None)
    (sent,) = stage.of(Send)
    assert (sent.origin, sent.request.method, sent.request.path, sent.request.query) == (
        "http://169.254.170.2",
        "GET",
        "/creds",
        "id=7",
    )
    assert sent.request.headers == (("host", "169.254.170.2"), ("accept", "application/json"))
    assert (sent.connect, sent.read, sent.proxied) == (2.0, 2.0, False)


URLS = [
    "https://anywhere.example/creds",
    "http://127.0.0.1:8080/x",
    "http://127.7.7.7/x",
    "http://localhost/x",
    "http://[::1]/x",
    "http://169.254.170.2/x",
    "http://169.254.170.23/x",
    "http://[fd00:ec2::23]/x",
    "http://169.254.169.254/x",
    "http://anywhere.example/x",
    "http://127.0.0.1.example/x",
    "http://localhost.example/x",
    "http://10.0.0.1/x",
    "http://[fd00:ec2::24]/x",
    "http://2130706433/x",
    "http://0.0.0.0/x",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.facts("STS-CL-027")
def test_plain_http_goes_where_botocore_lets_it_go(url: str) -> None:
    try:
        ContainerMetadataFetcher()._validate_allowed_url(url)
        allowed = True
    except ValueError:
        allowed = False
    stage, container = agent({FULL: url}, OK)
    if allowed:
        stage.play(container.resolve())
        assert stage.of(Send)[0].origin == url.rpartition("/")[0]
    else:
        with pytest.raises(ConfigurationFailure, match="without https, credentials are asked of this machine"):
            stage.play(container.resolve())
        assert stage.of(Send) == []


@pytest.mark.parametrize(
    "environment",
    [
        {RELATIVE: ""},
        {RELATIVE: "@evil.example/x"},
        {RELATIVE: ".evil.example/x"},
        {RELATIVE: "/a b"},
        {RELATIVE: "/a\r\nx: y"},
        {FULL: ""},
        {FULL: "localhost/x"},
        {FULL: "ftp://localhost/x"},
        {FULL: "file:///etc/x"},
        {FULL: "http://localhost@evil.example/x"},
        {FULL: "http://[::1/x"},
        {FULL: "http://localhost:99999/x"},
        {FULL: "http://localhost:0/x"},
        {FULL: "https:///x"},
    ],
)
def test_what_is_no_url_of_an_agent_is_refused(environment: dict[str, str]) -> None:
    stage, container = agent(environment)
    with pytest.raises(ConfigurationFailure, match=f"^{next(iter(environment))} "):
        stage.play(container.resolve())


@pytest.mark.facts("STS-CL-028")
def test_the_token_is_read_from_its_file_each_time_and_wins() -> None:
    stage, container = agent({FULL: "http://localhost/x", TOKEN_FILE: "/token", TOKEN: "other"}, OK, OK)
    for token in (b"first", b"second"):
        stage.files["/token"] = token
        stage.play(container.resolve())
    assert [each.request.header("authorization") for each in stage.of(Send)] == ["first", "second"]
    assert len(stage.of(ReadFile)) == 2
    stage, container = agent({FULL: "http://localhost/x", TOKEN: "Bearer x"}, OK)
    stage.play(container.resolve())
    assert stage.of(Send)[0].request.header("authorization") == "Bearer x"


@pytest.mark.parametrize("token", ["a\r\nx-evil: 1", "a\n", "a\rb", "a\x00", "tök"])
@pytest.mark.facts("STS-CL-028")
def test_a_token_that_no_header_can_have_is_refused(token: str) -> None:
    for environment, content in (({TOKEN: token}, None), ({TOKEN_FILE: "/token"}, token.encode())):
        stage, container = agent({FULL: "http://localhost/x", **environment})
        stage.files["/token"] = content or b""
        with pytest.raises(CredentialsFailure, match=f"^{next(iter(environment))}: ") as caught:
            stage.play(container.resolve())
        assert "evil" not in str(caught.value)


def test_a_token_file_that_is_missing_is_named() -> None:
    stage, container = agent({FULL: "http://localhost/x", TOKEN_FILE: "/gone"})
    with pytest.raises(CredentialsFailure, match=f"^{TOKEN_FILE}: /gone: No such file"):
        stage.play(container.resolve())


@pytest.mark.parametrize(
    "failure",
    [Response(500), Response(404, (), document()), Response(302, (("location", "http://evil/"),)), Response(200)],
)
@pytest.mark.facts("STS-CL-029")
def test_only_status_200_counts_and_three_tries_are_made_a_second_apart(failure: Response) -> None:
    stage, container = agent({RELATIVE: "/x"}, failure, ConnectionFailure("down"), OK)
    assert stage.play(container.resolve()).access_key_id == "ASIA1"
    assert [each.seconds for each in stage.of(Sleep)] == [1.0, 1.0]
    stage, container = agent({RELATIVE: "/x"}, TimedOut("late"), TimedOut("late"), failure, OK)
    with pytest.raises(CredentialsFailure, match=rf"^the container's credentials \({RELATIVE}\): "):
        stage.play(container.resolve())
    assert len(stage.of(Send)) == 3


# Instance metadata


def machine(provider: Metadata, *answers: Response | Exception) -> tuple[Stage, Callable[[], Credentials]]:
    stage, waiting = Stage(), list(answers)

    def answer(effect: Send) -> Response:
        outcome = waiting.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    stage.answer = answer
    return stage, lambda: stage.play(provider.resolve())


TOKEN_ANSWER, ROLE_ANSWER = Response(200, (), b"TOKEN=="), Response(200, (), b"demo-role\n")


def test_metadata_is_asked_in_version_2_only() -> None:
    stage, resolve = machine(Metadata(), TOKEN_ANSWER, ROLE_ANSWER, OK)
    assert resolve().access_key_id == "ASIA1"
    origin, path = "http://169.254.169.254", "/latest/meta-data/iam/security-credentials/"
    assert [(each.origin, each.request.method, each.request.path) for each in stage.of(Send)] == [
        (origin, "PUT", "/latest/api/token"),
        (origin, "GET", path),
        (origin, "GET", path + "demo-role"),
    ]
    first, *others = [each.request for each in stage.of(Send)]
    assert first.header("x-aws-ec2-metadata-token-ttl-seconds") == "21600"
    assert [each.header("x-aws-ec2-metadata-token") for each in others] == ["TOKEN=="] * 2
    assert not any(each.proxied for each in stage.of(Send))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([Response(403)], "status 403; from inside a container the hop limit"),
        ([TimedOut("late")], "late; from inside a container the hop limit"),
        ([Response(200, (), b"a b\r\nx: y")], "the token that came is none"),
        ([TOKEN_ANSWER, Response(404)], "answered with status 404$"),
        ([TOKEN_ANSWER, Response(200, (), b"../../user-data")], "the machine has no role"),
        ([TOKEN_ANSWER, Response(200, (), b"\xff")], "the machine has no role"),
        ([TOKEN_ANSWER, ROLE_ANSWER, Response(200, (), b'{"Code":"Failed","Message":"hush"}')], "no JSON document"),
        ([TOKEN_ANSWER, ROLE_ANSWER, ConnectionFailure("broke")], "broke"),
    ],
)
def test_what_goes_wrong_with_metadata_is_told(answers: list[Response | Exception], message: str) -> None:
    _, resolve = machine(Metadata(), *answers)
    with pytest.raises(CredentialsFailure, match=f"^instance metadata: .*{message}") as caught:
        resolve()
    assert "hush" not in str(caught.value)


def test_metadata_is_tried_as_often_as_it_is_set_up() -> None:
    stage, resolve = machine(Metadata(tries=3), TimedOut("late"), Response(503), TOKEN_ANSWER, ROLE_ANSWER, OK)
    resolve()
    assert len(stage.of(Send)) == 5
    stage, resolve = machine(Metadata(tries=3), Response(403), TOKEN_ANSWER)
    with pytest.raises(CredentialsFailure):
        resolve()
    assert len(stage.of(Send)) == 1


@pytest.mark.parametrize(
    ("environment", "profile", "expected"),
    [
        ({}, {}, Metadata("http://169.254.169.254", 1.0, 1)),
        ({"AWS_EC2_METADATA_DISABLED": "TRUE"}, {}, None),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, {}, Metadata("http://[fd00:ec2::254]")),
        (
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1338/base"},
            {"ec2_metadata_service_endpoint_mode": "ipv6"},
            Metadata("http://127.0.0.1:1338/base"),
        ),
        ({}, {"ec2_metadata_service_endpoint_mode": "ipv6"}, Metadata("http://[fd00:ec2::254]")),
        (
            {"AWS_METADATA_SERVICE_TIMEOUT": "2.5"},
            {"metadata_service_num_attempts": "3", "metadata_service_timeout": "9"},
            Metadata(timeout=2.5, tries=3),
        ),
    ],
)
def test_how_metadata_is_set_up(
    environment: dict[str, str], profile: dict[str, str], expected: Metadata | None
) -> None:
    assert metadata(environment, profile) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "nonsense"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://[::1"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://a\r\nb"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv5"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "0"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "nan"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "1e9"),
        ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "-1"),
        ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1000000"),
    ],
)
def test_a_set_up_that_makes_no_sense_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationFailure, match=f"^{name} "):
        metadata({name: value})


def test_without_metadata_the_chain_says_what_it_looked_at() -> None:
    stage, chain = Stage(), Chain({"HOME": "/h"}, no_sts)

    def late(_: Send) -> Response:
        raise TimedOut("late")

    stage.answer = late
    with pytest.raises(CredentialsFailure, match=r"^no credentials found: the environment .*; instance metadata: late"):
        stage.play(chain.resolve())
    waiting = [TOKEN_ANSWER, ROLE_ANSWER, OK]
    stage.answer = lambda _: waiting.pop(0)
    assert stage.play(chain.resolve()).access_key_id == "ASIA1"


# Over real sockets


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], tuple[int, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A server on a free loopback port: its URL, and the lines of requests that came."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            seen.append(f"{self.command} {self.path}")
            status, body = answer(self)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # a client may have had enough
                self.wfile.write(body)

        do_GET = do_PUT = _answer

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def test_a_real_agent_is_asked_with_its_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open sesame")

    def answer(request: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        return (200, document()) if request.headers["authorization"] == "open sesame" else (401, b"")

    with serving(answer) as (url, seen):
        environment = {FULL: f"{url}/v1?x=1", TOKEN_FILE: str(tmp_path / "token"), "HTTP_PROXY": "http://127.0.0.1:1"}
        assert Blocking().run(Container(environment).resolve()).access_key_id == "ASIA1"
    assert seen == ["GET /v1?x=1"]


def test_a_redirect_is_not_followed_and_an_endless_answer_is_cut() -> None:
    stage = Stage()  # its pauses cost no time
    stage.answer = lambda effect: Blocking().run(iter(effect))
    for status, body in ((302, b""), (200, b" " * (MAX_DOCUMENT + 1))):
        with serving(lambda _, status=status, body=body: (status, body)) as (url, seen):  # type: ignore[misc]
            with pytest.raises(ClientFailure):
                stage.play(Container({FULL: f"{url}/x"}).resolve())
            assert set(seen) == {"GET /x"}


def test_real_metadata_wants_a_token_first() -> None:
    def answer(request: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        if request.command == "PUT":
            return (200, b"T0") if request.headers["x-aws-ec2-metadata-token-ttl-seconds"] else (400, b"")
        if request.headers["x-aws-ec2-metadata-token"] != "T0":
            return 401, b""
        return (200, document()) if request.path.endswith("/demo") else (200, b"demo")

    with serving(answer) as (url, seen):
        provider = metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": url})
        assert provider is not None
        assert Blocking().run(provider.resolve()).access_key_id == "ASIA1"
    assert [line.partition(" ")[0] for line in seen] == ["PUT", "GET", "GET"]


def test_real_metadata_that_stays_silent_is_given_up() -> None:
    done = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        done.wait(30)
        return 200, b""

    with serving(answer) as (url, _):
        try:
            with pytest.raises(CredentialsFailure, match="hop limit"):
                Blocking().run(Metadata(url, 0.05).resolve())
        finally:
            done.set()


def test_a_secret_that_was_given_as_plain_text_does_not_print() -> None:
    given: Any = Credentials("ASIA1", "hush", "psst")  # type: ignore[arg-type]
    assert given == Credentials("ASIA1", Secret("hush"), Secret("psst"))
    assert "hush" not in repr(given)
    assert "psst" not in repr(given)


def test_a_version_is_the_number_one_however_json_writes_it() -> None:
    for version in (1, 1.0):
        assert read_document(document(WRITTEN, Version=version), "program", process=True).access_key_id == "ASIA1"
    for other in (1.5, "1", True, ...):
        with pytest.raises(CredentialsFailure, match="Version"):
            read_document(document(WRITTEN, Version=other), "program", process=True)
