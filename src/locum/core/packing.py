"""How large session policies are when they are packed (STS-SP-010…016).

AWS's measure is private.  Ours packs the inline policy without its insignificant white space, and the policy ARNs, by
raw deflate with a dictionary of what policies usually say, and compares the bytes with a fixed allotment.
"""

from __future__ import annotations

import functools
import re
import zlib
from typing import Final

from locum.errors import PackedPolicyTooLargeException

__all__ = ["ALLOTTED_BYTES", "packed_percentage"]

ALLOTTED_BYTES: Final = 512
"""Packed bytes that session policies may take: 100 percent."""

_STRING: Final = r'"(?:[^"\\]|\\.)*+"'
_SPACE: Final = re.compile(rf"({_STRING})|[ \t\r\n]+", re.DOTALL)
_DICTIONARY: Final = (
    b'"NotResource":"NotAction":"Condition":{"StringNotEquals":{"StringLike":{"StringEquals":{"Bool":{"'
    b"aws:SecureTransport aws:SourceIp aws:PrincipalTag/ aws:ResourceTag/ aws:RequestTag/ aws:RequestedRegion"
    b"organizations:ssm:secretsmanager:kms:logs:cloudwatch:ecr:rds:sns:sqs:lambda:dynamodb:ec2:iam:sts:AssumeRole s3:"
    b"BucketListDescribeDeleteCreateUpdatePutGetObject*"
    b'"Resource":["arn:aws:iam::aws:policy/"arn:aws:s3:::"Resource":"*"}'
    b'{"Version":"2012-10-17","Statement":[{"Sid":"","Effect":"Deny","Action":["Effect":"Allow","Action":"'
)


@functools.lru_cache(maxsize=1_024)
def packed_percentage(policy: str | None, policy_arns: tuple[str, ...]) -> int | None:
    """The packed size in percent of the allotment, rounded up; None where there is nothing to pack (STS-AR-048).

    PackedPolicyTooLarge above 100 (STS-E-T49).
    """
    if policy is None and not policy_arns:
        return None
    shrunk = _SPACE.sub(lambda found: found[1] or "", policy) if policy is not None else ""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_DICTIONARY)
    packed = packer.compress("\n".join((shrunk, *policy_arns)).encode()) + packer.flush()
    percentage = -(-len(packed) * 100 // ALLOTTED_BYTES)
    if percentage > 100:
        raise PackedPolicyTooLargeException(
            f"Packed policy consumes {percentage}% of allotted space, please use smaller policy."
        )
    return percentage
