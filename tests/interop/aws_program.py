"""The program ``aws``, started once and forked for each command: its start costs several times what a command does.

``python aws_program.py serve SOCKET`` imports the AWS CLI, says ``ready`` and then waits.  Each connection names
arguments, environment and folder, brings the three standard streams, and is answered with the exit status of the
CLI's own ``main``.  :func:`install` makes the executable ``aws`` that connects there, for tests and shell scripts.
What the CLI finds out at its import it does not find out again: the cache of its sessions is in one home for all.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

WARM: Final = (("sts", "get-caller-identity"), ("iam", "list-users"), ("organizations", "list-roots"))
"""What is called once before the first fork, so that models and modules are loaded."""
NOWHERE: Final = ("--endpoint-url", "http://127.0.0.1:1", "--region", "us-east-1")
SHIM: Final = """#!{python} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as program:
    program.connect({address!r})
    socket.send_fds(program, [b"."], [0, 1, 2])
    program.sendall(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode())
    program.shutdown(socket.SHUT_WR)
    sys.exit(int(program.recv(16) or b"70"))
"""


@contextmanager
def install(folder: Path) -> Iterator[Path]:
    """The path of an ``aws`` that behaves as the installed one, while the block runs."""
    address = folder / "socket"
    process = subprocess.Popen(
        [sys.executable, __file__, "serve", str(address)],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUTF8": "1", "AWS_MAX_ATTEMPTS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process, process.stdout:
        try:
            assert process.stdout.readline() == b"ready\n"
            (folder / "bin").mkdir()
            shim = folder / "bin" / "aws"
            shim.write_text(SHIM.format(python=sys.executable, address=str(address)))
            shim.chmod(0o700)
            yield shim
        finally:
            process.terminate()


def serve(address: str) -> None:
    import botocore.session
    from awscli.clidriver import create_clidriver, main

    create_loader = functools.cache(botocore.session.create_loader)
    botocore.session.create_loader = create_loader
    for service, operation in WARM:
        with contextlib.redirect_stderr(io.StringIO()):
            create_clidriver().main([service, operation, "--no-sign-request", *NOWHERE])
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(16)
        os.write(1, b"ready\n")
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                break
            connection.close()
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as request:
        arguments, environment, folder = json.load(request)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if child := os.fork():
        _, ended = os.waitpid(child, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(ended) & 0xFF).encode())
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    data = os.environ["AWS_DATA_PATH"]  # set by the import
    os.environ.clear()
    os.environ.update(environment, AWS_DATA_PATH=data)
    sys.argv = ["aws", *arguments]
    sys.exit(main())


if __name__ == "__main__" and sys.argv[1] == "serve":
    serve(sys.argv[2])
