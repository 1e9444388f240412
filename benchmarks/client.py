"""The client beside those of others: CPU of a call, the way to the first call, and the command line.

Every figure is taken in alternating rounds against one ``locum serve``; what is compared is the median of the ratios
of a round.  Calls are GetCallerIdentity on a kept-alive connection.  Only the client's own CPU time counts: that of the
thread that calls, or of the interpreter from before its first import.  Commands are timed by the wall clock.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.rounds import say
from benchmarks.signing import REGION, Keys
from benchmarks.subjects import BINARIES, Locum, NotInstalled

__all__ = ["PART", "goals", "measure", "table"]

PART: Final = "client"
"""The name of this part of the run."""

_CALLS: Final = 300
_TOGETHER: Final = 16
_HALF: Final = 0.5
_THIRD: Final = 1 / 3
_IMPORT_MS: Final = 25
_ROOT: Final = Path(__file__).parents[1]
_PATIENCE: Final = 60

_TITLES: Final = {
    "client-call": ("a call, blocking", "boto3", "µs of CPU"),
    "client-async": (f"a call, asyncio, {_TOGETHER} at once", "aiobotocore", "µs of CPU"),
    "client-import": ("import of the package", "boto3", "ms of CPU"),
    "client-first": ("import, a client, and its first call", "boto3", "ms of CPU"),
    "client-first-async": ("the same for asyncio", "aiobotocore", "ms of CPU"),
    "client-whoami": ("`locum whoami`", "`aws sts get-caller-identity`", "ms"),
}
"""Figure → what is measured, beside what, and its unit."""

_FIRST: Final = {
    "client-import": ("import locum", "import boto3"),
    "client-first": (
        "import locum; locum.STSClient().get_caller_identity()",
        "import boto3; boto3.client('sts').get_caller_identity()",
    ),
    "client-first-async": (
        """
import asyncio, locum
async def main():
    async with locum.AsyncSTSClient() as client:
        await client.get_caller_identity()
asyncio.run(main())
""",
        """
import asyncio, aiobotocore.session
async def main():
    async with aiobotocore.session.get_session().create_client("sts") as client:
        await client.get_caller_identity()
asyncio.run(main())
""",
    ),
}
"""Figure → our program and the other's; both are timed from before their first import to their end."""

_TIMED: Final = "import time\nbegun = time.process_time()\n{}\nprint(time.process_time() - begun)"


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """All figures: ours under its name, the other's under ``NAME-other``, the median ratio under ``NAME-ratio``.

    Raises NotInstalled where one of the others is not there.
    """
    for name in ("boto3", "aiobotocore"):
        try:
            __import__(name)
        except ImportError:
            raise NotInstalled(f"{name} is not installed beside {Path(sys.executable).name}") from None
    for program in ("locum", "aws"):
        if not (BINARIES / program).exists():
            raise NotInstalled(f"{program} is not installed beside {Path(sys.executable).name}")
    figures: dict[str, float] = {}
    with Locum(folder) as server:
        keys = server.lines["identity-key"].keys
        environment = _environment(server.server.url, keys, folder)
        _rounds(figures, "client-call", rounds, *_blocking(server.server.url, keys))
        _rounds(figures, "client-async", rounds, *_concurrent(server.server.url, keys))
        for name, programs in _FIRST.items():
            ours, other = (_program(program, environment) for program in programs)
            _rounds(figures, name, rounds, ours, other)
        ours = _command([BINARIES / "locum", "whoami"], environment)
        other = _command([BINARIES / "aws", "sts", "get-caller-identity"], environment)
        _rounds(figures, "client-whoami", rounds, ours, other)
    return figures


def _rounds(
    figures: dict[str, float], name: str, rounds: int, ours: Callable[[], float], other: Callable[[], float]
) -> None:
    ours(), other()
    taken = [(ours(), other()) for _ in range(rounds)]
    figures[name] = min(one for one, _ in taken)
    figures[f"{name}-other"] = min(two for _, two in taken)
    figures[f"{name}-ratio"] = median(one / two for one, two in taken)
    title, against, unit = _TITLES[name]
    say(f"{title}: {figures[name]:.1f} {unit}, {against} {figures[f'{name}-other']:.1f}")


def _environment(url: str, keys: Keys, folder: Path) -> dict[str, str]:
    """What a program needs to find the server, and nothing of this machine's own configuration."""
    path = os.environ.get("PYTHONPATH")
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "AWS_ACCESS_KEY_ID": keys.id,
        "AWS_SECRET_ACCESS_KEY": keys.secret,
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **({"PYTHONPATH": path} if path else {}),
    }


def _blocking(url: str, keys: Keys) -> tuple[Callable[[], float], Callable[[], float]]:
    import boto3

    import locum

    ours = locum.STSClient(endpoint_url=url, region=REGION, credentials=_credentials(keys))
    other = boto3.client(
        "sts",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=keys.id,
        aws_secret_access_key=keys.secret,
    )

    def timed(call: Callable[[], object]) -> Callable[[], float]:
        def run() -> float:
            begun = time.thread_time_ns()
            for _ in range(_CALLS):
                call()
            return (time.thread_time_ns() - begun) / _CALLS / 1_000

        return run

    return timed(ours.get_caller_identity), timed(other.get_caller_identity)


def _concurrent(url: str, keys: Keys) -> tuple[Callable[[], float], Callable[[], float]]:
    import aiobotocore.session

    import locum

    async def ours() -> float:
        async with locum.AsyncSTSClient(endpoint_url=url, region=REGION, credentials=_credentials(keys)) as client:
            return await _together(client.get_caller_identity)

    async def other() -> float:
        session = aiobotocore.session.get_session()
        async with session.create_client(
            "sts",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=keys.id,
            aws_secret_access_key=keys.secret,
        ) as client:
            return await _together(client.get_caller_identity)

    return lambda: asyncio.run(ours()), lambda: asyncio.run(other())


async def _together(call: Callable[[], Coroutine[Any, Any, object]]) -> float:
    """CPU µs of one call, of as many as are made at once, after the connections are there."""

    async def some(count: int) -> None:
        for _ in range(count):
            await call()

    await asyncio.gather(*[some(2) for _ in range(_TOGETHER)])
    each = _CALLS // _TOGETHER
    begun = time.thread_time_ns()
    await asyncio.gather(*[some(each) for _ in range(_TOGETHER)])
    return (time.thread_time_ns() - begun) / (each * _TOGETHER) / 1_000


def _credentials(keys: Keys) -> Any:
    from locum.client.credentials import Credentials
    from locum.secret import Secret

    return Credentials(keys.id, Secret(keys.secret))


def _program(program: str, environment: Mapping[str, str]) -> Callable[[], float]:
    """CPU milliseconds of a program in a fresh interpreter, its start left out."""

    def run() -> float:
        done = _ran([sys.executable, "-c", _TIMED.format(program)], environment)
        return float(done.stdout) * 1_000

    return run


def _command(command: Sequence[str | Path], environment: Mapping[str, str]) -> Callable[[], float]:
    """Milliseconds of a command from its start to its end."""

    def run() -> float:
        begun = time.perf_counter()
        done = _ran(command, environment)
        took = time.perf_counter() - begun
        if b"builder" not in done.stdout:
            raise RuntimeError(f"{command[0]} answered {done.stdout!r}")
        return took * 1_000

    return run


def _ran(command: Sequence[str | Path], environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=_ROOT / "benchmarks",
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=_PATIENCE,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace')[-2_000:]}")
    return done


def goals(figures: Mapping[str, float]) -> list[tuple[str, float, str, float | None]]:
    """Measure, limit, unit and value of each goal of the client."""
    return [
        ("client, a blocking call's CPU / boto3", _HALF, "×", figures.get("client-call-ratio")),
        ("client, an asyncio call's CPU / aiobotocore", _HALF, "×", figures.get("client-async-ratio")),
        ("`import locum`", _IMPORT_MS, " ms", figures.get("client-import")),
        ("import, a client and its first call / boto3", round(_THIRD, 3), "×", figures.get("client-first-ratio")),
        ("`locum whoami` / the AWS CLI", round(_THIRD, 3), "×", figures.get("client-whoami-ratio")),
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(figures: Mapping[str, float]) -> list[str]:
    """The figures as lines of the page; none where nothing was measured."""
    rows = []
    for name, (title, against, unit) in _TITLES.items():
        if name in figures:
            other, share = figures[f"{name}-other"], figures[f"{name}-ratio"]
            rows.append(f"| {title}, {unit} | {_number(figures[name])} | {against} | {_number(other)} | {share:.2f} |")
    if not rows:
        return []
    return [
        "### The client",
        "",
        "| | least | compared with | its | ratio, median |",
        "|---|---:|---|---:|---:|",
        *rows,
        "",
    ]
