"""How large session policies and session tags are when they are packed (STS-SP-010…016).

AWS's measure is private.  Ours packs two parts, each by raw deflate with a dictionary, and compares the sum of their
bytes with a fixed allotment: the inline policy without its insignificant white space with the policy ARNs, and the
tags, inherited ones included.  What is packed is bounded by the declared limits of the members that it comes from.
"""

from __future__ import annotations

import functools
import re
import zlib
from typing import Final

from locum.core.session import Tags
from locum.errors import PackedPolicyTooLargeException

__all__ = ["ALLOTTED_BYTES", "packed_percentage", "packed_policies", "packed_tags"]

ALLOTTED_BYTES: Final = 512
"""Packed bytes that session policies and session tags may take together: 100 percent."""

_STRING: Final = r'"(?:[^"\\]|\\.)*+"'
_SPACE: Final = re.compile(rf"({_STRING})|[ \t\r\n]+", re.DOTALL)
_POLICY_WORDS: Final = (
    b'"NotResource":"NotAction":"Condition":{"StringNotEquals":{"StringLike":{"StringEquals":{"Bool":{"'
    b"aws:SecureTransport aws:SourceIp aws:PrincipalTag/ aws:ResourceTag/ aws:RequestTag/ aws:RequestedRegion"
    b"organizations:ssm:secretsmanager:kms:logs:cloudwatch:ecr:rds:sns:sqs:lambda:dynamodb:ec2:iam:sts:AssumeRole s3:"
    b"BucketListDescribeDeleteCreateUpdatePutGetObject*"
    b'"Resource":["arn:aws:iam::aws:policy/"arn:aws:s3:::"Resource":"*"}'
    b'{"Version":"2012-10-17","Statement":[{"Sid":"","Effect":"Deny","Action":["Effect":"Allow","Action":"'
)
_TAG_WORDS: Final = (
    b"kubernetes-service-account\0kubernetes-namespace\0eks-cluster-arn\0kubernetes-pod-name\0"
    b"false\0true\0production\0Environment\0Application\0CostCenter\0Department\0Owner\0Project\0Team\0Name\0"
)


def _packed(text: str, words: bytes) -> int:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=words)
    return len(packer.compress(text.encode())) + len(packer.flush())


@functools.lru_cache(maxsize=1_024)
def packed_policies(policy: str | None, policy_arns: tuple[str, ...]) -> int:
    """The packed bytes of an inline policy and of the ARNs of managed ones, whose content does not count."""
    if policy is None and not policy_arns:
        return 0
    shrunk = _SPACE.sub(lambda found: found[1] or "", policy) if policy is not None else ""
    return _packed("\n".join((shrunk, *policy_arns)), _POLICY_WORDS)


@functools.lru_cache(maxsize=256)
def packed_tags(tags: Tags) -> int:
    """The packed bytes of session tags; whether one is transitive makes no difference (STS-SP-015)."""
    return _packed("".join(f"{key}\0{value}\0" for key, value in tags), _TAG_WORDS) if tags else 0


def packed_percentage(policy: str | None, policy_arns: tuple[str, ...], tags: Tags = ()) -> int | None:
    """The packed size in percent of the allotment, rounded up; None where there is nothing to pack (STS-AR-048).

    ``tags`` are all of the session's, inherited ones too (STS-SP-013).  PackedPolicyTooLarge above 100, with the text
    for the larger of the two parts (STS-E-T49, STS-E-T50).
    """
    if policy is None and not policy_arns and not tags:
        return None
    of_policies, of_tags = packed_policies(policy, policy_arns), packed_tags(tags)
    percentage = -(-(of_policies + of_tags) * 100 // ALLOTTED_BYTES)
    if percentage <= 100:
        return percentage
    if of_tags > of_policies:
        raise PackedPolicyTooLargeException(f"Packed size of session tags consumes {percentage}% of allotted space.")
    raise PackedPolicyTooLargeException(
        f"Packed policy consumes {percentage}% of allotted space, please use smaller policy."
    )
