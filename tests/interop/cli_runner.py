"""Runs the AWS CLI's own entry point many times in one process: its start is most of what a call costs.

One JSON object a line in, ``{"arguments": [...], "environment": {...}}``, one a line out.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from unittest import mock

from awscli.clidriver import create_clidriver


def run(arguments: list[str], environment: dict[str, str]) -> dict[str, object]:
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.dict(os.environ, environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = create_clidriver().main(arguments)
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


for line in sys.stdin:
    print(json.dumps(run(**json.loads(line))), flush=True)  # noqa: T201
