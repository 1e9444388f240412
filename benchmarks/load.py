"""wrk as load generator: pre-signed requests on kept-alive connections, and what that cost the server."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.processes import Server

__all__ = ["CONNECTIONS", "Refused", "Sample", "check", "measure", "wrk_missing"]

CONNECTIONS: Final = 16

_SCRIPT: Final = """\
local requests, count, turn = {}, 0, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  while true do
    local size = file:read("*n")
    if not size then break end
    file:read(1)
    count = count + 1
    requests[count] = file:read(size)
  end
  file:close()
end

function request()
  turn = turn % count + 1
  return requests[turn]
end

function done(summary, latency)
  io.write(string.format(
    '\\n{"requests":%d,"us":%d,"refused":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, summary.errors.status, latency:percentile(50), latency:percentile(99)
  ))
end
"""


class Refused(RuntimeError):
    """The server did not answer a request as it should, so its speed means nothing."""


class Sample(NamedTuple):
    """One round: CPU µs of the server per request, requests per second, latencies in µs."""

    cpu: float
    rate: float
    p50: float
    p99: float


def wrk_missing() -> str | None:
    """Why there can be no load, or None."""
    if shutil.which("wrk") is None:
        return "wrk is not installed: apt-get install wrk, or build it from its sources"
    return None


def check(server: Server, request: bytes, expected: bytes) -> None:
    """One request must be answered with 200 and a body that holds ``expected``; else :class:`Refused`."""
    with socket.create_connection(("127.0.0.1", server.port), 30) as link:
        link.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = link.recv(65_536)
            if not piece:
                break
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        size = 0
        for line in head.lower().splitlines():
            if line.startswith(b"content-length:"):
                size = int(line.partition(b":")[2])
        while len(body) < size and (piece := link.recv(65_536)):
            body += piece
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"] or expected not in body:
        raise Refused(f"{server.url}: {(head + b' ' + body)[:1_000].decode('utf-8', 'replace')}")


def measure(server: Server, requests: Sequence[bytes], seconds: float, folder: Path) -> Sample:
    """Saturate the server for a while with these requests in turn; :class:`Refused` where any was not answered 2xx."""
    script, stored = folder / "load.lua", folder / "requests.bin"
    script.write_text(_SCRIPT)
    stored.write_bytes(b"".join(b"%d\n%b" % (len(each), each) for each in requests))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", script, server.url, "--", stored]
    before = server.cpu()
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds + 60)
    used = server.cpu() - before
    if run.returncode:
        raise RuntimeError(f"wrk failed: {run.stderr or run.stdout}")
    told = json.loads(run.stdout.strip().rpartition("\n")[2])
    if told["refused"] or not told["requests"]:
        raise Refused(f"{server.url}: {told['refused']} of {told['requests']} requests were refused")
    return Sample(used * 1e6 / told["requests"], told["requests"] * 1e6 / told["us"], told["p50"], told["p99"])
