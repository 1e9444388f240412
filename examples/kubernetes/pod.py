"""An application as it runs in a pod: it knows nothing of tokens; the SDK finds them in its environment."""

from __future__ import annotations

import boto3
from botocore.exceptions import ClientError

try:
    print("this pod is", boto3.client("sts").get_caller_identity()["Arn"])
except ClientError as refused:
    print("this pod is nobody:", refused.response["Error"]["Message"])
