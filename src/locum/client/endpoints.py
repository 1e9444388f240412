"""Where STS is: the endpoint of a region, by AWS's rules in all partitions (area EP).

The partitions are facts about AWS's regions, compared by the tests with those of the locked botocore.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

__all__ = ["PARTITIONS", "Endpoint", "EndpointError", "Partition", "partition_of", "resolve"]

_SIGNING_NAME: Final = "sts"
_GLOBAL_URL: Final = "https://sts.amazonaws.com"
_GLOBAL_REGION: Final = "aws-global"
_GLOBAL_SIGNING_REGION: Final = "us-east-1"
_LABEL: Final = re.compile(r"(?!-)(?![0-9]+\Z)[A-Za-z0-9-]{1,63}(?<!-)\Z")
"""A host label: a region becomes one, so nothing else may pass for a region."""

LEGACY_REGIONS: Final = frozenset({
    *("ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "aws-global", "ca-central-1"),
    *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
})  # fmt: skip
"""Regions whose clients the global endpoint serves where it is asked for (STS-EP-003)."""


class EndpointError(ValueError):
    """The settings name no endpoint; the text says which of them and is AWS's own where AWS has one."""


class Partition(NamedTuple):
    """A partition: which regions are its own, and what its host names end with (STS-EP-T01…T08).

    ``regions`` is a pattern, compiled when it is first needed: with an endpoint of one's own it never is.
    """

    name: str
    regions: str
    suffix: str
    dual_stack_suffix: str
    fips_prefix: str = "sts-fips"


PARTITIONS: Final = (
    Partition("aws", r"(?:us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+", "amazonaws.com", "api.aws"),
    Partition("aws-cn", r"cn-\w+-\d+", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    Partition("aws-eusc", r"eusc-de-\w+-\d+", "amazonaws.eu", "api.amazonwebservices.eu"),
    Partition("aws-iso", r"us-iso-\w+-\d+", "c2s.ic.gov", "api.aws.ic.gov"),
    Partition("aws-iso-b", r"us-isob-\w+-\d+", "sc2s.sgov.gov", "api.aws.scloud"),
    Partition("aws-iso-e", r"eu-isoe-\w+-\d+", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    Partition("aws-iso-f", r"us-isof-\w+-\d+", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    # The plain host names of this partition meet FIPS already (STS-EP-006).
    Partition("aws-us-gov", r"us-gov-\w+-\d+", "amazonaws.com", "api.aws", "sts"),
)
"""Every partition; all of them support FIPS and dual stack (STS-EP-009)."""


class Endpoint(NamedTuple):
    """Where to send requests, and how to sign them."""

    url: str
    signing_region: str
    signing_name: str = _SIGNING_NAME


def partition_of(region: str) -> Partition:
    """The partition of a region; one that nobody has heard of belongs to ``aws``."""
    return next(
        (each for each in PARTITIONS if region == f"{each.name}-global" or re.fullmatch(each.regions, region)),
        PARTITIONS[0],
    )


def resolve(
    region: str | None,
    *,
    fips: bool = False,
    dual_stack: bool = False,
    global_endpoint: bool = False,
    endpoint_url: str | None = None,
) -> Endpoint:
    """The endpoint of STS for these settings (STS-EP-002…011).

    ``endpoint_url`` is used as it is.  ``global_endpoint`` asks for ``sts.amazonaws.com`` where the region is an old
    one.  :class:`EndpointError` where the settings exclude each other, where there is no region, and where something
    is not a region or a URL at all.
    """
    if region is not None and not _LABEL.match(region):
        raise EndpointError(f"Invalid Configuration: {region!r} is not a region: letters, digits and hyphens make one")
    if endpoint_url is not None:
        if fips:
            raise EndpointError("Invalid Configuration: FIPS and custom endpoint are not supported")
        if dual_stack:
            raise EndpointError("Invalid Configuration: Dualstack and custom endpoint are not supported")
        _check_url(endpoint_url)
        return Endpoint(endpoint_url, _signing_region(region or _GLOBAL_SIGNING_REGION))
    if region is None:
        raise EndpointError("Invalid Configuration: Missing Region")
    if not fips and not dual_stack and (region in LEGACY_REGIONS if global_endpoint else region == _GLOBAL_REGION):
        return Endpoint(_GLOBAL_URL, _GLOBAL_SIGNING_REGION)
    partition = partition_of(region)
    # With both, every partition has hosts of its own for FIPS (STS-EP-005).
    prefix = ("sts-fips" if dual_stack else partition.fips_prefix) if fips else "sts"
    suffix = partition.dual_stack_suffix if dual_stack else partition.suffix
    return Endpoint(f"https://{prefix}.{region}.{suffix}", _signing_region(region))


def _signing_region(region: str) -> str:
    return _GLOBAL_SIGNING_REGION if region == _GLOBAL_REGION else region


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    else:
        usable = usable and not (parts.query or parts.fragment or parts.username or parts.password)
    if not usable or re.search(r"[\x00-\x20\x7f]", url):
        # What stands before an @ may be a password (R38).
        shown = f"…@{url.rpartition('@')[2]}" if "@" in url else url
        raise EndpointError(
            f"Invalid Configuration: the endpoint {shown!r} is not a URL such as https://sts.example.com or "
            "http://127.0.0.1:8380"
        )
