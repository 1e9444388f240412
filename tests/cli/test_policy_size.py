"""``locum policy size``: what each part of a session adds to its packed size."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from locum.core.packing import packed_percentage
from locum.errors import PackedPolicyTooLargeException

from .terminal import run

POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}, indent=2
)
ARN = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def measured(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    status, out, _ = run(capsys, "policy", "size", *arguments, "--json")
    return status, json.loads(out)


def noise(size: int, seed: int = 0) -> str:
    """Text that packs badly."""
    return hashlib.shake_256(bytes([seed])).hexdigest(size)[:size]


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.json"
    path.write_text(POLICY)
    return str(path)


def test_the_parts_add_up_to_what_the_server_says(capsys: pytest.CaptureFixture[str], policy: str) -> None:
    status, (found,) = measured(capsys, policy, "--policy-arn", ARN, "--tag", "team=blue", "--tag", "cost=a=b")
    assert status == 0
    *parts, together = found["parts"]
    assert [each["part"] for each in parts] == [f"policy {policy}", f"policy ARN {ARN}", "tag team", "tag cost"]
    assert [each["characters"] for each in parts] == [len(POLICY), len(ARN), 8, 7]
    for column in ("characters", "bytes", "percent"):
        assert sum(each[column] for each in parts) == together[column]
    assert all(each["bytes"] > 0 for each in parts)
    assert together["percent"] == packed_percentage(POLICY, (ARN,), (("team", "blue"), ("cost", "a=b")))


def test_the_table_has_a_line_for_each_part(capsys: pytest.CaptureFixture[str], policy: str) -> None:
    status, out, err = run(capsys, "policy", "size", policy, "--tag", "team=blue")
    assert (status, err) == (0, "")
    heading, *rows = out.splitlines()
    assert heading.split() == ["PART", "CHARACTERS", "PACKED", "PERCENT"]
    assert [row.split()[0] for row in rows] == ["policy", "tag", "together"]
    assert rows[-1].endswith("%")


@pytest.mark.parametrize("count", range(1, 9))
def test_what_the_server_would_refuse_is_refused_here(capsys: pytest.CaptureFixture[str], count: int) -> None:
    tags = tuple((f"k{number}", noise(200, number)) for number in range(count))
    try:
        packed_percentage(None, (), tags)
        expected = 0
    except PackedPolicyTooLargeException:
        expected = 1
    assert expected == (count > 4)
    assert (
        run(capsys, "policy", "size", *[part for key, value in tags for part in ("--tag", f"{key}={value}")])[0]
        == expected
    )


def test_a_session_that_is_too_large_says_by_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    tags = [f"--tag=k{number}={noise(100, number)}" for number in range(30)]
    status, out, err = run(capsys, "policy", "size", *tags)
    assert status == 1
    assert "packed: " in err
    assert "hint: shorten" in err
    assert out.splitlines()[-1].split()[0] == "together"


def test_plain_limits_are_told_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    long = tmp_path / "long.json"
    long.write_text(POLICY + " " * 3_000)
    status, _, err = run(capsys, "policy", "size", str(long), *[f"--policy-arn={ARN}"] * 11, f"--tag=k={'x' * 257}")
    assert status == 1
    for told in ("plain: ", "arns: 11", "tags: too many, or too long"):
        assert told in err


def test_several_files_are_measured_one_by_one(capsys: pytest.CaptureFixture[str], policy: str, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    _, found = measured(capsys, policy, str(other), "--tag", "a=b")
    assert [each["file"] for each in found] == [policy, str(other)]
    assert found[0]["parts"][1] == found[1]["parts"][1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to measure"),
        (("--tag", "team"), "'team' is not KEY=VALUE"),
        (("--tag", "=blue"), "'=blue' is not KEY=VALUE"),
        (("--tag", "team=a", "--tag", "Team=b"), "the same key"),
        (("nowhere.json",), "nowhere.json cannot be read"),
    ],
)
def test_wrong_usage_is_said(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str) -> None:
    status, out, err = run(capsys, "policy", "size", *arguments)
    assert (status, out) == (2, "")
    assert said in err
