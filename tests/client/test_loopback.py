"""The small server for programs on this machine: what reaches its answer, and what is refused before."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.client.stage import START, credentials

from locum.client.failures import ConfigurationFailure
from locum.client.handout import PATH, Handout
from locum.client.loopback import MAX_BODY, Loopback
from locum.errors import AccessDenied
from locum.http import Request, Response
from locum.secret import Secret


class Heard:
    """Answers everything, and notes it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        if request.path == "/fails":
            raise RuntimeError("with a secret in it")
        return Response(200, (("content-type", "text/plain"),), b"here")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def loopback(heard: Heard) -> Iterator[Loopback]:
    with Loopback(heard) as running:
        yield running


def host(loopback: Loopback) -> str:
    return loopback.origin.removeprefix("http://")


def say(loopback: Loopback, data: bytes) -> bytes:
    """Everything that comes back for these bytes; the server closes."""
    name, _, port = host(loopback).partition(":")
    with socket.create_connection((name, int(port)), 30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def lines(*texts: str, body: bytes = b"") -> bytes:
    return "".join(f"{text}\r\n" for text in (*texts, "")).encode("latin-1") + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_request_arrives_as_it_was_sent(loopback: Loopback, heard: Heard) -> None:
    sent = lines(
        "POST /a%20b?c=%64&d HTTP/1.1", f"Host: {host(loopback)}", "X-Twice: 1", "x-twice:  2 ", "Content-Length: 3",
        body=b"abc",
    )  # fmt: skip
    answer = say(loopback, sent)
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\nhere")
    assert b"cache-control: no-store\r\n" in answer
    [request] = heard.requests
    assert (request.method, request.path, request.query, request.body) == ("POST", "/a%20b", "c=%64&d", b"abc")
    assert [value for name, value in request.headers if name == "x-twice"] == ["1", "2"]
    assert request.peer == "127.0.0.1"


def test_localhost_is_a_name_of_it_too(loopback: Loopback, heard: Heard) -> None:
    port = host(loopback).partition(":")[2]
    assert status(say(loopback, lines("GET / HTTP/1.1", f"Host: LOCALHOST:{port}"))) == 200


@pytest.mark.parametrize(
    ("code", "request_line", "headers"),
    [
        (403, "GET / HTTP/1.1", []),
        (403, "GET / HTTP/1.1", ["Host: evil.example"]),
        (403, "GET / HTTP/1.1", ["Host: 127.0.0.1"]),
        (403, "GET / HTTP/1.1", ["Host: {host}.evil.example"]),
        (403, "GET / HTTP/1.1", ["Host: {host}", "Host: {host}"]),
        (403, "GET / HTTP/1.1", ["Host: evil.example", "X-Forwarded-Host: {host}"]),
        (403, "GET / HTTP/1.0", []),
        (400, "GET http://{host}/ HTTP/1.1", ["Host: {host}"]),
        (400, "GET /\xe9 HTTP/1.1", ["Host: {host}"]),
        (400, "POST / HTTP/1.1", ["Host: {host}", "Transfer-Encoding: chunked"]),
        (400, "POST / HTTP/1.1", ["Host: {host}", "Content-Length: +1"]),
        (400, "POST / HTTP/1.1", ["Host: {host}", "Content-Length: 1", "Content-Length: 1"]),
        (400, "POST / HTTP/1.1", ["Host: {host}", "Content-Length: 5"]),
        (413, "POST / HTTP/1.1", ["Host: {host}", f"Content-Length: {MAX_BODY + 1}"]),
        (400, "GET / HTTP/1.1", ["Host: {host}", "A: b", " c"]),
        (501, "PUT / HTTP/1.1", ["Host: {host}"]),
        (431, "GET / HTTP/1.1", ["Host: {host}", *(f"A{number}: b" for number in range(101))]),
    ],
)
def test_what_is_not_for_it_is_refused(
    loopback: Loopback, heard: Heard, code: int, request_line: str, headers: list[str]
) -> None:
    texts = [text.format(host=host(loopback)) for text in (request_line, *headers)]
    answer = say(loopback, lines(*texts))
    assert status(answer) == code
    assert answer.endswith(b"\r\n\r\n")
    assert heard.requests == []


def test_an_answer_that_fails_tells_nothing(loopback: Loopback) -> None:
    answer = say(loopback, lines("GET /fails HTTP/1.1", f"Host: {host(loopback)}"))
    assert status(answer) == 500
    assert b"secret" not in answer


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_bytes_that_are_no_request_for_it_never_reach_the_answer(loopback: Loopback, heard: Heard, data: bytes) -> None:
    say(loopback, data + b"\r\n\r\n")
    assert heard.requests == []


def test_it_ends_although_somebody_holds_a_connection(heard: Heard) -> None:
    with Loopback(heard) as loopback:
        name, _, port = host(loopback).partition(":")
        held = socket.create_connection((name, int(port)), 30)
        held.sendall(b"GET / HT")
    held.close()
    assert heard.requests == []
    with pytest.raises(ConnectionError):
        say(loopback, lines("GET / HTTP/1.1"))


@pytest.mark.parametrize("port", [70_000])
def test_a_port_that_cannot_be_had_is_named(heard: Heard, port: int) -> None:
    with pytest.raises(ConfigurationFailure, match="port 70000"):
        Loopback(heard, port=port)
    with Loopback(heard) as first, pytest.raises(ConfigurationFailure, match="cannot be listened on"):
        Loopback(heard, port=int(host(first).partition(":")[2]))


# --- the credentials behind it


TOKEN = "the-token-of-this-test"


def ask(handout: Handout, *headers: tuple[str, str], path: str = PATH, method: str = "GET") -> Response:
    return handout(Request(method, path, "", headers))


@pytest.fixture
def troubles() -> list[Exception]:
    return []


@pytest.fixture
def handout(troubles: list[Exception]) -> Handout:
    return Handout(lambda: credentials("A", START), Secret(TOKEN), trouble=troubles.append)


@pytest.mark.facts("STS-CL-029")
def test_the_answer_is_what_sdks_read(handout: Handout) -> None:
    answer = ask(handout, ("authorization", TOKEN))
    assert answer.status == 200
    assert answer.body == (
        b'{"AccessKeyId":"ASIAA","SecretAccessKey":"secret-A","Token":"token-A","Expiration":"2027-01-15T08:00:00Z"}'
    )


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", TOKEN.upper())],
        [("authorization", TOKEN + "x")],
        [("authorization", "\xe9")],
        [("authorization", TOKEN[:4]), ("authorization", TOKEN[4:])],
        [("authorization", TOKEN), ("authorization", TOKEN)],
        [("authorization", TOKEN), ("origin", "https://evil.example")],
        [("x-authorization", TOKEN)],
    ],
)
def test_nobody_without_the_token_learns_anything(handout: Handout, headers: list[tuple[str, str]]) -> None:
    for path in (PATH, "/other"):
        answer = ask(handout, *headers, path=path)
        assert (answer.status, b"secret" in answer.body) == (401, False)


def test_other_requests_get_nothing(handout: Handout) -> None:
    assert ask(handout, ("authorization", TOKEN), path="/").status == 404
    assert ask(handout, ("authorization", TOKEN), method="POST").status == 405


@pytest.mark.parametrize("problem", [AccessDenied("you, of all people"), ConfigurationFailure("you, of all people")])
def test_why_there_are_none_is_told_to_its_owner_alone(problem: Exception, troubles: list[Exception]) -> None:
    def fail() -> None:
        raise problem

    answer = ask(Handout(fail, Secret(TOKEN), trouble=troubles.append), ("authorization", TOKEN))  # type: ignore[arg-type]
    assert (answer.status, b"of all people" in answer.body) == (503, False)
    assert troubles == [problem]


def test_what_does_not_expire_is_not_handed_out(troubles: list[Exception]) -> None:
    answer = ask(Handout(lambda: credentials("A"), Secret(TOKEN), trouble=troubles.append), ("authorization", TOKEN))
    assert (answer.status, b"secret" in answer.body, len(troubles)) == (503, False, 1)
