"""Form-encoded parameters: what a query string or a body becomes, as pairs and as a command."""

from __future__ import annotations

from typing import Final

from locum.api.iam.policies import CreatePolicyCommand
from locum.api.sts import AssumeRoleCommand
from locum.errors import ServiceException
from locum.wire.form import parse_form
from locum.wire.query import decode_command, encode_command, gather

SEEDS: Final = (
    b"Action=AssumeRole&Version=2011-06-15&RoleSessionName=s1&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fx",
    b"Tags.member.1.Key=a&Tags.member.1.Value=b&PolicyArns.member.2.arn=x&PolicyArns.member.1.arn=y&DurationSeconds=9",
    b"PolicyName=a+b&PolicyDocument=%7B%7D&Path=%2F%c3%a9%2F&Tags=&Description=%",
)


def _read(data: bytes | str) -> list[tuple[str, str]] | tuple[type[ServiceException], str]:
    try:
        return parse_form(data)
    except ServiceException as error:
        return type(error), error.message


def run(data: bytes) -> None:
    """Bytes and text give the same pairs or the same error; a command that was read is read again as the same."""
    pairs = _read(data)
    assert _read(data.decode("latin-1")) == pairs
    if isinstance(pairs, tuple):
        return
    try:
        parameters = gather(pairs)
    except ServiceException:
        return
    for command_type in (AssumeRoleCommand, CreatePolicyCommand):
        try:
            command = decode_command(command_type, parameters)
        except ServiceException:
            continue
        assert decode_command(command_type, dict(encode_command(command))) == command
