"""A client of its own process: one JSON list of calls a line in, the outcome of each out, for test_concurrent_writers.

A call is ``[service, operation, parameters]``; its outcome ``""`` where it was done, else the error's code.  Endpoint,
region and credentials are those of the environment.  What the server asks to be tried again is tried again.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

AGAIN: Final = {"ConcurrentModification", "ServiceUnavailable", "ThrottlingException", "Throttling"}
TRIES: Final = 50


def outcome(client: Any, operation: str, parameters: dict[str, Any]) -> str:
    code = ""
    for _ in range(TRIES):
        try:
            getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            code = str(error.response["Error"]["Code"])
            if code not in AGAIN:
                return code
        else:
            return ""
    return code


def main() -> None:
    config = Config(retries={"total_max_attempts": 1})
    clients = {service: boto3.client(service, config=config) for service in ("iam", "sts")}
    for line in sys.stdin:
        calls = json.loads(line)
        print(json.dumps([outcome(clients[service], *rest) for service, *rest in calls]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
