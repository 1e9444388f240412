"""The server's process: start, announcement, stop, workers; real processes on loopback, with a small application."""

from __future__ import annotations

import datetime
import os
import pty
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import IO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from locum.core.records import AccessKey
from locum.server import serve as module
from locum.server.config import Refused, Settings
from locum.server.data import open_data
from locum.store.records import Records

PROGRAM = Path(__file__).with_name("serving_program.py")
KEY_ID = "AKIAIRANDOMLOOKINGID"
SECRET = "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"


class Server:
    """A server that was started as a program of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.port = 0

    def read_until(self, pattern: str) -> re.Match[str]:
        """Read standard error up to a line in which the pattern is found."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"no line with {pattern!r}:\n{''.join(self.lines)}")

    def wait_ready(self) -> Server:
        self.port = int(self.read_until(r"locum: serving on https?://\S+:(\d+) ")[1])
        return self

    def get(self, path: str = "/") -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Read to the end of standard error, when every process has closed it; the exit status."""
        assert self.process.stderr is not None
        self.lines += self.process.stderr
        return self.process.wait()

    @property
    def log(self) -> str:
        return "".join(self.lines)


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Server] = []

    def run(*arguments: str, stdout: int | IO[str] = subprocess.PIPE, **environ: str) -> Server:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUM_")}
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**clean, "TMPDIR": str(tmp_path), **environ},
        )
        running.append(Server(process))
        return running[-1]

    yield run
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()
        for stream in (each.process.stdout, each.process.stderr):
            if stream is not None:
                stream.close()


def begin_request(server: Server, path: str = "/slow") -> socket.socket:
    """Send a request but for its last byte, and wait until the application has begun to answer it."""
    client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na".encode())
    server.read_until(f"begun {path}")
    return client


def wait_until_refused(server: Server) -> None:
    for _ in range(100_000):
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=30).close()
        except (ConnectionRefusedError, ConnectionResetError):
            return
    raise AssertionError("the server still accepts connections")


def test_a_server_announces_where_it_is_and_stops_with_status_zero(start: Start, tmp_path: Path) -> None:
    server = start().wait_ready()
    assert server.get() == str(server.process.pid)
    assert (tmp_path / "locum-data" / "locum.db").exists()
    assert server.stop() == 0
    assert server.process.stdout is not None
    assert server.process.stdout.read() == ""
    assert re.search(r"\(account \d{12}, region us-east-1, data in locum-data\)", server.log)


@pytest.mark.parametrize(
    ("workers", "number"),
    [("1", signal.SIGTERM), ("1", signal.SIGHUP), ("2", signal.SIGTERM), ("2", signal.SIGINT)],
)
def test_a_stop_finishes_the_request_in_flight_and_exits_zero(start: Start, workers: str, number: int) -> None:
    server = start("--workers", workers).wait_ready()
    client = begin_request(server)
    server.process.send_signal(number)
    wait_until_refused(server)
    client.sendall(b"b")
    answer = client.makefile("rb").read()
    client.close()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in answer.lower()
    assert server.end() == 0
    assert server.log.count("down ") == int(workers)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_that_never_ends_delays_the_stop_for_the_set_time_only(start: Start, workers: str) -> None:
    server = start("--workers", workers, "--graceful-timeout", "1").wait_ready()
    client = begin_request(server, "/never")
    assert server.stop() == 0
    client.close()


def test_an_answer_does_not_name_the_server_and_bears_a_date(start: Start) -> None:
    server = start().wait_ready()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.getheader("server") is None
    assert answer.getheader("date") is not None
    connection.close()


@pytest.mark.facts("R26")
def test_the_http_server_believes_no_forwarded_address_by_itself(start: Start) -> None:
    server = start(FORWARDED_ALLOW_IPS="*").wait_ready()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/peer", headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
    assert connection.getresponse().read() == b"http 127.0.0.1"
    connection.close()


def test_an_idle_connection_does_not_delay_the_stop(start: Start) -> None:
    server = start("--graceful-timeout", "3600").wait_ready()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/")
    connection.getresponse().read()
    assert server.stop() == 0
    connection.close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_server_on_the_directory_is_refused_with_the_pid_of_the_first(start: Start, workers: str) -> None:
    first = start("--workers", workers).wait_ready()
    second = start()
    assert second.end() == 1
    assert f"another server, with pid {first.process.pid}, uses the data directory locum-data" in second.log
    assert "hint: " in second.log
    assert first.get().isdigit()
    assert first.stop() == 0
    third = start().wait_ready()
    assert third.stop() == 0


def test_a_port_that_is_taken_is_named(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start("--port", str(port))
        assert server.end() == 1
    assert f"locum: cannot listen on 127.0.0.1 port {port}: Address already in use" in server.log
    assert "--port" in server.log
    assert not (tmp_path / "locum-data" / "root-credentials").exists()


@pytest.mark.facts("R45")
def test_a_wide_bind_without_tls_is_refused_before_anything_is_made(start: Start, tmp_path: Path) -> None:
    server = start("--host", "0.0.0.0")
    assert server.end() == 2
    assert "locum: listening on 0.0.0.0 without TLS" in server.log
    assert not (tmp_path / "locum-data").exists()
    stated = start("--host", "0.0.0.0", "--tls-terminated").wait_ready()
    assert stated.get().isdigit()
    assert stated.stop() == 0


@pytest.mark.facts("R45")
def test_a_name_that_turns_out_to_be_another_address_is_not_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Refused, match=r"localhost is 192\.0\.2\.1, which is not loopback"):
        module.bind(Settings(host="localhost", port=0))


def test_every_address_of_a_name_is_bound_to_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0)),  # of no interface: left out
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    sockets = module.bind(Settings(host="localhost", port=0, tls_terminated=True))
    names = [each.getsockname() for each in sockets]
    for each in sockets:
        each.close()
    assert [name[0] for name in names] == ["127.0.0.1", "127.0.0.2"]
    assert len({name[1] for name in names}) == 1
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found[:1])
    with pytest.raises(Refused, match="cannot listen"):
        module.bind(Settings(host="localhost", port=0, tls_terminated=True))


@pytest.mark.facts("R39")
def test_without_a_terminal_the_first_start_names_the_file_and_shows_nothing(start: Start, tmp_path: Path) -> None:
    server = start().wait_ready()
    assert server.stop() == 0
    file = tmp_path / "locum-data" / "root-credentials"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text().rpartition(" = ")[2].strip()
    assert str(file) in server.log
    assert server.process.stdout is not None
    assert secret not in server.log + server.process.stdout.read()


@pytest.mark.facts("R39")
def test_on_a_terminal_the_first_start_shows_the_root_key_once(start: Start, tmp_path: Path) -> None:
    def shown() -> str:
        master, terminal = pty.openpty()
        with os.fdopen(master, "rb", buffering=0) as screen, os.fdopen(terminal, "w") as output:
            server = start(stdout=output).wait_ready()
            assert server.stop() == 0
            output.write("END")
            output.flush()
            text = b""
            while not text.endswith(b"END"):
                text += screen.read(65_536)
        return text.decode().replace("\r", "")

    first = shown()
    file = tmp_path / "locum-data" / "root-credentials"
    key_id, secret = (line.rpartition(" = ")[2] for line in file.read_text().splitlines()[2:])
    assert f"access key id      {key_id}\n" in first
    assert f"secret access key  {secret}\n" in first
    assert f"export AWS_SHARED_CREDENTIALS_FILE={file}\n" in first
    assert re.search(r"export AWS_ENDPOINT_URL_STS=http://127\.0\.0\.1:\d+ AWS_ENDPOINT_URL_IAM=http", first)
    assert shown() == "END"


def test_the_environment_gives_account_and_root_key(start: Start, tmp_path: Path) -> None:
    environ = {
        "LOCUM_ACCOUNT_ID": "111122223333",
        "LOCUM_ROOT_ACCESS_KEY_ID": KEY_ID,
        "LOCUM_ROOT_SECRET_ACCESS_KEY": SECRET,
    }
    server = start(**environ).wait_ready()
    assert server.stop() == 0
    assert "(account 111122223333, " in server.log
    assert not (tmp_path / "locum-data" / "root-credentials").exists()
    data = open_data(Settings(data=tmp_path / "locum-data"))
    with data.store.snapshot() as rows:
        stored = Records(rows).get(AccessKey, "", KEY_ID)
    data.store.close()
    assert stored is not None
    assert data.vault.unwrap(stored.record.secret, purpose="access-key", name=KEY_ID).decode() == SECRET


@pytest.mark.facts("R39")
def test_a_well_known_root_key_is_refused(start: Start, tmp_path: Path) -> None:
    server = start(
        LOCUM_ROOT_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
        LOCUM_ROOT_SECRET_ACCESS_KEY="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    assert server.end() == 2
    assert server.log.count("is a well-known example") == 2
    assert not (tmp_path / "locum-data").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.facts("R38")
def test_no_secret_of_the_configuration_is_printed_at_debug_level(start: Start, workers: str) -> None:
    wrapping_key = b64encode(bytes(range(32))).decode()
    server = start(
        *("--log-level", "debug", "--workers", workers),
        LOCUM_WRAPPING_KEY=wrapping_key,
        LOCUM_ROOT_ACCESS_KEY_ID=KEY_ID,
        LOCUM_ROOT_SECRET_ACCESS_KEY=SECRET,
    ).wait_ready()
    assert server.stop() == 0
    assert "settings Settings(" in server.log
    assert server.process.stdout is not None
    for secret in (wrapping_key, SECRET):
        assert secret not in server.log + server.process.stdout.read()


def test_an_ephemeral_server_leaves_nothing_behind(start: Start, tmp_path: Path) -> None:
    server = start("--ephemeral").wait_ready()
    (directory,) = tmp_path.glob("locum-*")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert (directory / "locum.db").exists()
    assert server.stop() == 0
    assert "kept nowhere" in server.log
    assert list(tmp_path.iterdir()) == []


def test_an_ephemeral_server_with_workers_is_cleaned_up_by_its_supervisor_alone(start: Start, tmp_path: Path) -> None:
    server = start("--ephemeral", "--workers", "2").wait_ready()
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        server.get("/crash")
    server.read_until("another one starts")
    (directory,) = tmp_path.glob("locum-*")
    assert (directory / "locum.db").exists()
    assert server.stop() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_crashes_is_replaced(start: Start) -> None:
    server = start("--workers", "2").wait_ready()
    pids = {int(each) for each in re.findall(r"up (\d+)", server.log)}
    assert len(pids) == 2
    assert server.process.pid not in pids
    victim = pids.pop()
    os.kill(victim, signal.SIGKILL)
    line = server.read_until(r"worker \d \(pid (\d+)\) was killed by signal 9; another one starts in 0\.1 s")
    assert int(line[1]) == victim
    successor = int(server.read_until(r"up (\d+)")[1])
    assert successor not in {victim, *pids}
    assert int(server.get()) in {successor, *pids}
    assert server.stop() == 0


def test_a_worker_that_crashes_again_and_again_is_replaced_after_growing_pauses(start: Start) -> None:
    server = start("--workers", "2").wait_ready()
    steady = {int(each) for each in re.findall(r"up (\d+)", server.log)}
    victim = steady.pop()
    for pause in ("0.1", "0.2", "0.4"):
        os.kill(victim, signal.SIGKILL)
        server.read_until(f"another one starts in {pause} s")
        victim = int(server.read_until(r"up (\d+)")[1])
    assert server.stop() == 0


def test_workers_stop_when_their_supervisor_dies(start: Start) -> None:
    server = start("--workers", "2").wait_ready()
    server.process.kill()
    assert server.end() == -signal.SIGKILL
    assert server.log.count("the supervisor is gone") == 2
    assert server.log.count("down ") == 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_application_that_does_not_start_ends_the_server_with_status_one(start: Start, workers: str) -> None:
    server = start("--workers", workers, PROGRAM_FAILS="1")
    assert server.end() == 1
    assert "serving on" not in server.log
    assert "as told" in server.log


def test_json_is_logged_where_it_is_asked_for(start: Start) -> None:
    server = start("--log-format", "json")
    line = server.read_until("serving on")
    assert line.string.startswith('{"time":')
    assert '"account":"' in line.string
    assert server.stop() == 0


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sts.example.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2120, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("sts.example.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


@pytest.mark.facts("R45")
def test_with_a_certificate_it_speaks_tls_only(start: Start, certificate: tuple[Path, Path]) -> None:
    cert_file, key_file = certificate
    server = start("--host", "0.0.0.0", "--tls-cert", str(cert_file), "--tls-key", str(key_file)).wait_ready()
    context = ssl.create_default_context(cafile=cert_file)
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="sts.example.com") as client,
    ):
        assert client.version() in {"TLSv1.2", "TLSv1.3"}
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
    with pytest.raises(ConnectionError):
        server.get()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOCUM_")}
    health = subprocess.run(
        [
            sys.executable,
            "-m",
            "locum",
            "health",
            *("--port", str(server.port)),
            *("--tls-cert", cert_file, "--tls-key", key_file),
        ],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    assert (health.returncode, health.stdout) == (0, "ready\n")
    assert server.stop() == 0
    assert "serving on https://127.0.0.1:" in server.log


def test_a_key_that_is_not_the_certificates_is_named(start: Start, certificate: tuple[Path, Path]) -> None:
    cert_file, _ = certificate
    server = start("--tls-cert", str(cert_file), "--tls-key", str(cert_file))
    assert server.end() == 1
    assert f"locum: the certificate {cert_file} with the key {cert_file} cannot be used" in server.log


def test_the_wrapping_key_command_runs_once_for_all_workers(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "kms.py"
    script.write_text(
        "import base64, pathlib\n"
        "with pathlib.Path('calls').open('a') as calls:\n    calls.write('x')\n"
        "print(base64.b64encode(bytes(range(32))).decode())\n"
    )
    server = start("--workers", "2", "--wrapping-key-command", f"{sys.executable} {script}").wait_ready()
    assert server.stop() == 0
    assert (tmp_path / "calls").read_text() == "x"
    assert not (tmp_path / "locum-data" / "wrapping.key").exists()
