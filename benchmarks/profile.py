"""Where the time of a request goes: the application in this process, without HTTP around it.

``python -m benchmarks.profile [LINE] [--requests N] [--calls]`` takes samples of the stack while N requests are
answered and prints the functions by the share of samples on top of the stack; ``--calls`` counts calls with cProfile
instead, which shows every function but makes small ones look dear.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import io
import pstats
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from benchmarks.subjects import Federated, Locum

__all__ = ["InProcess", "sampled"]

_INTERVAL: Final = 0.001
_SHOWN: Final = 22
_ROOT: Final = Path(__file__).parents[1]


class _Here(Executor):
    """Runs everything at once, in the thread that submits it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:
            done.set_exception(error)
        return done


class InProcess:
    """The application of ``locum serve`` on a scene that a real server set, driven without a socket."""

    def __init__(self, subject: Locum) -> None:
        from locum.server.app import create_app
        from locum.server.config import Settings, load_settings

        tables = load_settings({}, dict(subject.environment())).federation
        self._app: Final[Any] = create_app(
            Settings(data=subject.data, port=subject.server.port, requests_per_second=0, federation=tables)
        )
        # What waits for the store runs in threads, which neither samples nor counts would show.
        self._app._threads.shutdown()
        vars(self._app)["_threads"] = _Here()
        self._loop: Final = asyncio.new_event_loop()
        self._running: Any = None
        self._statuses: Counter[int] = Counter()

    def __enter__(self) -> InProcess:
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._running = self._loop.create_task(self._app({"type": "lifespan"}, self._told.get, self._heard.put))
        self._phase("startup")
        return self

    def __exit__(self, *_: object) -> None:
        self._phase("shutdown")
        self._loop.run_until_complete(self._running)
        self._loop.close()

    def _phase(self, name: str) -> None:
        self._told.put_nowait({"type": f"lifespan.{name}"})
        answer = self._loop.run_until_complete(self._heard.get())
        if answer["type"] != f"lifespan.{name}.complete":
            raise RuntimeError(answer.get("message", answer["type"]))

    def run(self, requests: list[bytes], count: int) -> float:
        """Answer ``count`` requests one after the other; CPU µs for each.  RuntimeError where any is refused."""
        read = [_incoming(each) for each in requests]
        self._statuses.clear()
        begun = time.process_time()
        self._loop.run_until_complete(self._answer(read, count))
        used = time.process_time() - begun
        if set(self._statuses) != {200}:
            raise RuntimeError(f"refused: {dict(self._statuses)}")
        return used * 1e6 / count

    async def _answer(self, requests: list[Any], count: int) -> None:
        from locum.http import Response

        begin, statuses = self._app.begin, self._statuses
        for number in range(count):
            answer = begin(requests[number % len(requests)])
            if not isinstance(answer, Response):
                answer = await answer
            statuses[answer.status] += 1


def _incoming(request: bytes) -> Any:
    """A request as the server's protocol hands it over."""
    from locum.server.app import Incoming

    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, target, _ = first.split(b" ")
    path, _, query = target.partition(b"?")
    split = (line.decode().partition(":") for line in lines)
    headers = tuple([(name.lower(), value.strip()) for name, _, value in split])
    return Incoming(method.decode(), path, query, headers, len(head), body, "127.0.0.1", False)


@contextmanager
def _sampling(seen: Counter[CodeType], under: Counter[CodeType]) -> Iterator[None]:
    def take(_: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        seen[frame.f_code] += 1
        stack = set()
        while frame is not None:
            stack.add(frame.f_code)
            frame = frame.f_back
        under.update(stack)

    before = signal.signal(signal.SIGPROF, take)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def sampled(run: Callable[[], float]) -> str:
    """The functions that a run spends its time in: share on top of the stack, share anywhere in it, name."""
    seen: Counter[CodeType] = Counter()
    under: Counter[CodeType] = Counter()
    with _sampling(seen, under):
        cost = run()
    total = max(1, sum(seen.values()))
    lines = [f"{cost:.1f} µs of CPU per request in process, {total} samples", "  own  with callees"]
    for code, count in seen.most_common(_SHOWN):
        lines.append(f"{count / total:6.1%} {under[code] / total:6.1%}  {_where(code)}")
    return "\n".join(lines)


def _where(code: CodeType) -> str:
    path = Path(code.co_filename)
    shown = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else Path(*path.parts[-2:])
    parts = [part for part in shown.parts if part not in ("src", "..")]
    if "site-packages" in parts:
        parts = parts[parts.index("site-packages") + 1 :]
    return f"{'/'.join(parts)}:{code.co_firstlineno} {code.co_qualname}"


def _counted(run: Callable[[], float]) -> str:
    profiler = cProfile.Profile()
    cost = profiler.runcall(run)
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(40)
    return f"{cost:.1f} µs of CPU per request, the counting included\n{text.getvalue()}"


def main() -> int:
    """Profile one line of the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    lines = {line: kind for kind in (Locum, Federated) for line in kind.names}
    parser.add_argument("line", nargs="?", default="assume-role", choices=lines, help="a line of locum's in the table")
    parser.add_argument("--requests", type=int, default=50_000, metavar="N")
    parser.add_argument("--calls", action="store_true", help="count calls with cProfile")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="locum-bench-") as folder:
        with lines[chosen.line](Path(folder)) as subject:
            requests = subject.requests(chosen.line)
        with InProcess(subject) as locum:
            locum.run(requests, 2_000)

            def run() -> float:
                return locum.run(requests, chosen.requests)

            print(_counted(run) if chosen.calls else sampled(run))
    return 0


if __name__ == "__main__":
    sys.exit(main())
