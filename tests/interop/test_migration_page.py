"""The JavaScript on the migration page runs as the Python beside it does, and prints the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import boto3
import pytest
from tests.gate.test_docs import Block, read_page, same
from tests.interop.clients import HERE, TIMEOUT, Node
from tests.interop.world import allow, policy, trusts

from locum.testing import running_server

PAGE: Final = Path(__file__).parents[2] / "docs" / "migration.md"
BLOCKS: Final[list[Block]] = read_page(PAGE.read_text()).blocks
ROWS: Final = [number for number, block in enumerate(BLOCKS) if block.language == "js"]
"""Where in the page JavaScript stands: between boto3's output and locum's program."""


def test_each_row_has_three_programs_and_one_output() -> None:
    assert len(ROWS) > 5
    for at in ROWS:
        row = BLOCKS[at - 2 : at + 3]
        assert [block.language for block in row] == ["python", "text", "js", "python", "text"]
        assert row[1].text == row[4].text
        assert not any("locum" in block.text for block in (row[0], row[2]))


def test_the_javascript_prints_what_the_page_says(tmp_path: Path) -> None:
    if reason := Node.missing():
        pytest.skip(reason)
    (tmp_path / "node_modules").symlink_to((HERE / "node_modules").resolve())
    with running_server(account_id="111122223333") as server:
        iam = boto3.client("iam", **server.boto3_arguments())
        alice = iam.create_user(UserName="alice")["User"]["Arn"]
        iam.put_user_policy(UserName="alice", PolicyName="may", PolicyDocument=policy(allow("sts:*")))
        key = iam.create_access_key(UserName="alice")["AccessKey"]
        trust = policy(trusts(alice, actions=("sts:AssumeRole", "sts:TagSession")))
        role = iam.create_role(RoleName="demo", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.enable_outbound_web_identity_federation()
        iam.close()
        known = {"KEY_ID": key["AccessKeyId"], "SECRET": key["SecretAccessKey"], "ROLE": role}
        program = "".join(f"const {name} = {value!r};\n" for name, value in known.items())
        program += "\n".join(BLOCKS[at].text for at in ROWS)
        (tmp_path / "page.mjs").write_text(program)
        done = subprocess.run(
            ["node", "page.mjs"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **server.environment()},
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=TIMEOUT,
        )
    assert done.returncode == 0, done.stderr
    assert same("".join(BLOCKS[at + 2].text for at in ROWS), done.stdout)
