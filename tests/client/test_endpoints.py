"""Endpoints equal those of botocore, over the whole product of region, partition and flags."""

from __future__ import annotations

import itertools
from typing import Any, Final

import botocore.session
import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointResolutionError

from locum.client.endpoints import LEGACY_REGIONS, PARTITIONS, EndpointError, partition_of, resolve

_LOADER: Final = botocore.session.get_session().get_component("data_loader")
_PARTITIONS: Final = _LOADER.load_data("partitions")
_ORACLE: Final = EndpointProvider(_LOADER.load_service_model("sts", "endpoint-rule-set-1"), _PARTITIONS)
_REGIONS: Final = (
    *(region for partition in _PARTITIONS["partitions"] for region in partition["regions"]),
    *("us-north-9", "cn-west-7", "us-gov-south-3", "us-iso-middle-2", "us-isob-far-2", "eu-isoe-far-3"),
    *("us-isof-far-4", "eusc-de-west-2", "mars-central-1", "atlantis", "us-east-1-bos-1"),
)
"""Every region that botocore knows, one of each partition that nobody knows, and some of no partition."""
_FLAGS: Final = tuple(itertools.product((False, True), repeat=3))
_CUSTOM: Final = "https://sts.example.com:8443/base"


def expected(region: str | None, fips: bool, dual_stack: bool, everywhere: bool, url: str | None) -> tuple[str, str]:
    """botocore's URL and signing region; an error's text in their place."""
    parameters: dict[str, Any] = {"UseFIPS": fips, "UseDualStack": dual_stack, "UseGlobalEndpoint": everywhere}
    parameters |= {key: value for key, value in (("Region", region), ("Endpoint", url)) if value is not None}
    try:
        found = _ORACLE.resolve_endpoint(**parameters)
    except EndpointResolutionError as error:
        return "error", str(error)
    schemes = found.properties.get("authSchemes", [{}])
    signing = schemes[0].get("signingRegion") or (region if region != "aws-global" else "us-east-1") or "us-east-1"
    return found.url, signing


def found(region: str | None, fips: bool, dual_stack: bool, everywhere: bool, url: str | None) -> tuple[str, str]:
    try:
        endpoint = resolve(region, fips=fips, dual_stack=dual_stack, global_endpoint=everywhere, endpoint_url=url)
    except EndpointError as error:
        return "error", str(error)
    assert endpoint.signing_name == "sts"
    return endpoint.url, endpoint.signing_region


@pytest.mark.facts(
    "STS-EP-001", "STS-EP-002", "STS-EP-003", "STS-EP-004", "STS-EP-005", "STS-EP-006", "STS-EP-007", "STS-EP-008"
)
@pytest.mark.facts("STS-EP-009", "STS-EP-010", "STS-EP-011", *(f"STS-EP-T0{number}" for number in range(1, 9)))
@pytest.mark.parametrize("url", [None, _CUSTOM], ids=["resolved", "custom"])
@pytest.mark.parametrize("flags", _FLAGS, ids=lambda flags: "-".join(map(str, map(int, flags))))
def test_every_endpoint_is_botocores(flags: tuple[bool, bool, bool], url: str | None) -> None:
    differences = [
        (region, ours, theirs)
        for region in (None, *_REGIONS)
        if (ours := found(region, *flags, url)) != (theirs := expected(region, *flags, url))
    ]
    assert differences == []


@pytest.mark.parametrize("partition", _PARTITIONS["partitions"], ids=lambda partition: partition["id"])
def test_the_partitions_are_botocores(partition: dict[str, Any]) -> None:
    outputs = partition["outputs"]
    ours = next(each for each in PARTITIONS if each.name == partition["id"])
    assert (ours.suffix, ours.dual_stack_suffix) == (outputs["dnsSuffix"], outputs["dualStackDnsSuffix"])
    assert outputs["supportsFIPS"]
    assert outputs["supportsDualStack"]
    assert [region for region in partition["regions"] if partition_of(region) is not ours] == []


@pytest.mark.facts("STS-EP-003")
def test_the_old_regions_are_sixteen() -> None:
    assert len(LEGACY_REGIONS) == 16
    served = {
        region for region in _REGIONS if found(region, False, False, True, None)[0] == "https://sts.amazonaws.com"
    }
    assert served == LEGACY_REGIONS


@pytest.mark.parametrize(
    "region",
    ["", "-", "us-east-1.evil.example", "a/b", "user@host", "us east 1", "x" * 64, "0", "1234", "-a", "a-", "é"],
)
def test_what_cannot_be_part_of_a_host_name_is_no_region(region: str) -> None:
    with pytest.raises(EndpointError, match="is not a region"):
        resolve(region)


@pytest.mark.parametrize(
    "url",
    [
        *("", "sts.example.com", "ftp://sts.example.com", "https://", "https://a:b@sts.example.com", "http://[::1"),
        *("https://h:99999", "https://h/?q=1", "https://h/#f", "https://h\n.example", "https://h:x"),
    ],
)
def test_what_is_no_endpoint_is_refused_and_named(url: str) -> None:
    with pytest.raises(EndpointError, match="is not a URL such as"):
        resolve("us-east-1", endpoint_url=url)
