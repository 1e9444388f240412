"""The pages do what they say: their code blocks run, their output is the real one, their links lead somewhere.

A fenced ``python`` block runs unless told otherwise; the blocks of one page share their names and a scratch folder, as
if pasted one after another.  ``json`` and ``toml`` blocks must parse.  A comment on a line of its own says more:

``<!-- test: server -->``         anywhere on a page: a fresh server runs for it, root credentials in the environment
``<!-- test: output -->``         the next block is what the code block before it printed
``<!-- test: run -->``            the next ``console`` block's ``$`` commands run, and must print what stands below each
``<!-- test: skip: reason -->``   the next block is not looked at

In expected output ``…`` stands for anything on that line, and a line that is only ``…`` for any number of lines.  Pages
speak of the server's usual address; the run puts its own in that place.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from packaging.requirements import Requirement

from locum import arn

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
)

ADDRESS: Final = "127.0.0.1:8380"
ACCOUNT: Final = "111122223333"
START_SECONDS: Final = 30

FENCE: Final = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<language>[\w-]*)")
MARKER: Final = re.compile(r"^\s*<!-- test: (server|output|run|skip(?:: .+)?) -->\s*$")
ANY_MARKER: Final = re.compile(r"<!--\s*test\b")
LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    language: str
    marker: str
    line: int
    text: str


class Page(NamedTuple):
    blocks: list[Block]
    prose: str
    server: bool


class DocumentError(ValueError):
    """A page whose fences or markers cannot be read."""


def read_page(text: str) -> Page:
    blocks: list[Block] = []
    prose: list[str] = []
    marker, server = "", False
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if opening := FENCE.match(line):
            body: list[str] = []
            for _, inner in lines:
                if inner.strip().startswith(opening["ticks"]):
                    break
                body.append(inner.removeprefix(opening["indent"]))
            else:
                raise DocumentError(f"line {number}: the fence is never closed")
            blocks.append(Block(opening["language"], marker, number, "\n".join([*body, ""])))
            marker = ""
        elif said := MARKER.match(line):
            if said[1] == "server":
                server = True
            else:
                marker = said[1]
        elif ANY_MARKER.search(line):
            raise DocumentError(f"line {number}: unknown marker {line.strip()!r}")
        else:
            prose.append(line)
    if marker:
        raise DocumentError(f"the marker {marker!r} stands before no block")
    return Page(blocks, "\n".join(prose), server)


def pattern(expected: str) -> re.Pattern[str]:
    """Expected output as an expression; see the module's text for ``…``."""
    lines = [
        r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.rstrip().split("…"))) + r"[ \t]*\n"
        for line in expected.strip("\n").splitlines()
    ]
    return re.compile("".join(lines))


def same(expected: str, printed: str) -> bool:
    return pattern(expected).fullmatch(printed.strip("\n") + "\n" if printed.strip("\n") else "") is not None


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The ``$`` commands of a console block, each with the output that stands below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, rest = "", part
        while True:
            line, _, rest = rest.partition("\n")
            command += line + "\n"
            if not line.endswith("\\"):
                break
        yield command, rest


class Runner:
    """Runs the blocks of one page in order; ``address`` is the server's, where the page has one."""

    def __init__(self, page: str, folder: Path, environment: dict[str, str], address: str = ADDRESS) -> None:
        self.page = page
        self.folder = folder
        self.environment = environment
        self.address = address
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.printed: str | None = None

    def run(self, block: Block) -> None:
        where = f"{self.page}:{block.line}"
        text = block.text.replace(ADDRESS, self.address)
        if block.marker.startswith("skip"):
            self.printed = None
        elif block.marker == "output":
            assert self.printed is not None, f"{where}: no code block before this output"
            assert same(text, self.printed), f"{where} says\n{text}\nand the code printed\n{self.printed}"
        elif block.marker == "run":
            assert block.language == "console", f"{where}: only console blocks are marked with run"
            self.console(where, text)
        elif block.language == "python":
            self.python(where, block.line, text)
        elif block.language == "json":
            json.loads(text)
        elif block.language == "toml":
            tomllib.loads(text)

    def python(self, where: str, line: int, text: str) -> None:
        code = compile("\n" * line + text, where, "exec")
        with contextlib.redirect_stdout(io.StringIO()) as out, warnings.catch_warnings():
            warnings.simplefilter("default")
            exec(code, self.names)
        self.printed = out.getvalue()

    def console(self, where: str, text: str) -> None:
        found = list(commands(text))
        assert found, f"{where}: no command: a command's line begins with '$ '"
        for command, expected in found:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                check=False,
            )
            assert same(expected, done.stdout), f"{where}: $ {command}says\n{expected}\nand printed\n{done.stdout}"


def environment_for(folder: Path) -> dict[str, str]:
    """The environment of a newcomer: nothing configured, our commands first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCUM_", "PYTEST_"))}
    return kept | {
        "AWS_CONFIG_FILE": str(folder / "aws-config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws-credentials"),
        "HOME": str(folder),
        "NO_COLOR": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }


@contextlib.contextmanager
def server_for(folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """A fresh server on a free port: its address, and the environment in which its root credentials stand."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    key = arn.access_key_id("AKIA", ACCOUNT, secrets.token_bytes(5))
    secret = secrets.token_urlsafe(30)
    settings = {
        "LOCUM_ACCOUNT_ID": ACCOUNT,
        "LOCUM_ROOT_ACCESS_KEY_ID": key,
        "LOCUM_ROOT_SECRET_ACCESS_KEY": secret,
    }
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            ["locum", "serve", "--ephemeral", "--port", str(port)],
            cwd=folder,
            env=environment | settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            wait_until_ready(server, f"http://{address}/health/ready", log)
            yield (
                address,
                environment
                | {
                    "AWS_ACCESS_KEY_ID": key,
                    "AWS_DEFAULT_REGION": "us-east-1",
                    "AWS_ENDPOINT_URL": f"http://{address}",
                    "AWS_REGION": "us-east-1",
                    "AWS_SECRET_ACCESS_KEY": secret,
                },
            )
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_until_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(START_SECONDS * 20):
        with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=5):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(0.05)
            break
    pytest.fail(f"the page's server did not start:\n{log.read_text()}")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_a_page_does_what_it_says(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = read_page(path.read_text())
    environment = environment_for(tmp_path)
    with contextlib.ExitStack() as stack:
        address = ADDRESS
        if page.server:
            address, environment = stack.enter_context(server_for(tmp_path, environment))
            monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it would keep another page's credentials
        for name in set(os.environ) - set(environment):
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        runner = Runner(relative(path), tmp_path, environment, address)
        for block in page.blocks:
            runner.run(block)


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_the_links_of_a_page_lead_somewhere(path: Path) -> None:
    broken = []
    for found in LINK.finditer(read_page(path.read_text()).prose):
        target = found[1] or found[2]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = (path.parent / name).resolve() if name else path
        if not other.exists() or (anchor and other.suffix == ".md" and anchor not in anchors(other.read_text())):
            broken.append(target)
    assert broken == []


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as repository hosts make them."""
    headings = re.findall(r"^#+ +(.+?) *$", read_page(text).prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_dependencies_page_gives_a_reason_for_each_dependency_and_for_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {extra: lines for extra, lines in project["optional-dependencies"].items() if extra != "standard"}
    page = (ROOT / "docs" / "dependencies.md").read_text().partition("\n## What runs")[2].partition("\n## ")[0]
    core, _, beside = page.partition("the extra `standard`")
    rows = dict(re.findall(r"^\| `([\w-]+)` \|(.*)$", core, flags=re.MULTILINE))
    assert set(rows) == {Requirement(line).name for line in project["dependencies"]}
    added = {
        (extra, name): cells for extra, name, cells in re.findall(r"^\| `(\w+)` \| `([\w-]+)` \|(.*)$", beside, re.M)
    }
    assert set(added) == {(extra, Requirement(line).name) for extra, lines in extras.items() for line in lines}
    assert all(len(cells) > 30 for cells in (*rows.values(), *added.values()))


# --- the runner itself


def run_page(text: str, folder: Path) -> None:
    runner = Runner("page.md", folder, environment_for(folder))
    for block in read_page(text).blocks:
        runner.run(block)


def fenced(language: str, text: str, marker: str = "") -> str:
    comment = f"<!-- test: {marker} -->\n" if marker else ""
    return f"{comment}```{language}\n{text}\n```\n"


@pytest.mark.parametrize(
    "text",
    [
        fenced("python", "x = 1") + fenced("python", "print(x + 1)") + fenced("text", "2", "output"),
        fenced("python", "print('a', 7)\nprint('b')\nprint('c')") + fenced("text", "a …\n…\nc", "output"),
        fenced("console", "$ echo one; \\\n  echo two\none\ntwo\n$ echo three\nthree", "run"),
        fenced("console", '$ test -z "$AWS_ACCESS_KEY_ID" && echo empty\nempty', "run"),
        fenced("python", "1 / 0", "skip: shows a failure"),
        fenced("json", '{"a": 1}') + fenced("toml", "a = 1") + fenced("sh", "false"),
    ],
)
def test_a_true_page_passes(text: str, tmp_path: Path) -> None:
    run_page(text, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        fenced("python", "print(1)") + fenced("text", "2", "output"),
        fenced("python", "print(1)\nprint(2)") + fenced("text", "1", "output"),
        fenced("python", "print(1)") + fenced("text", "1\n2", "output"),
        fenced("python", "raise ValueError"),
        fenced("python", "1 / 0"),
        fenced("text", "2", "output"),
        fenced("console", "$ echo one\ntwo", "run"),
        fenced("console", "echo one", "run"),
        fenced("console", "$ echo one", "run"),
        fenced("python", "1", "run"),
        fenced("json", '{"a": 1,}'),
        fenced("toml", "a = "),
        "```python\nx = 1\n",
        "<!-- test: output -->\n",
        "<!-- test: skip -->\n",
        "<!-- test: outptu -->\n```text\n1\n```\n",
        "<!--test: run -->\n",
    ],
)
def test_an_untrue_page_fails(text: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, ValueError, ZeroDivisionError)):
        run_page(text, tmp_path)


def test_anchors_are_made_of_headings() -> None:
    assert anchors("# What runs\n## R1: `x`, y\n```\n# no\n```\n") == {"what-runs", "r1-x-y"}


STAND_IN: Final = """\
import http.server, os, sys
assert sys.argv[1:4] == ["serve", "--ephemeral", "--port"] and os.environ["LOCUM_ROOT_ACCESS_KEY_ID"]
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()
        self.wfile.write(b"ready at " + self.headers["host"].encode())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[4])), Answer).serve_forever()
"""


def stand_in(folder: Path, program: str) -> dict[str, str]:
    """An environment in which ``locum`` is a program of the test's own."""
    command = folder / "bin" / "locum"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\n{program}")
    command.chmod(0o755)
    environment = environment_for(folder)
    return environment | {"PATH": f"{command.parent}{os.pathsep}{environment['PATH']}"}


def test_a_page_with_a_server_speaks_to_its_own(tmp_path: Path) -> None:
    read = "import urllib.request\nprint(urllib.request.urlopen('http://127.0.0.1:8380/health/ready').read().decode())"
    page = read_page(
        f"<!-- test: server -->\n{fenced('python', read)}{fenced('text', f'ready at {ADDRESS}', 'output')}"
    )
    assert page.server
    with server_for(tmp_path, stand_in(tmp_path, STAND_IN)) as (address, environment):
        assert address != ADDRESS
        assert environment["AWS_ENDPOINT_URL"] == f"http://{address}"
        runner = Runner("page.md", tmp_path, environment, address)
        for block in page.blocks:
            runner.run(block)


def test_a_server_that_does_not_start_fails_the_page(tmp_path: Path) -> None:
    environment = stand_in(tmp_path, "raise SystemExit('locum: no')")
    with pytest.raises(pytest.fail.Exception, match="locum: no"), server_for(tmp_path, environment):
        pass
