"""``locum presign-identity`` and ``locum verify-identity``: a signed GetCallerIdentity as a proof of identity."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any, Final

import click

from locum.cli.caller import client_options, sts_client
from locum.cli.members import read_secret
from locum.cli.report import Usage, as_json, instant, result
from locum.cli.show import show_rows

__all__ = ["presign_identity", "verify_identity"]

_EXEC_CREDENTIAL: Final = "exec-credential"
_FORMS: Final = ("url", "token", _EXEC_CREDENTIAL, "login")
_API: Final = "client.authentication.k8s.io"
_VERSIONS: Final = ("v1", "v1beta1")
_GOOD: Final = 840
"""Seconds after which kubectl asks for another token: a minute before STS would refuse this one."""

Decorated = Callable[..., Any]


def _audience_options(command: Decorated) -> Decorated:
    for option in (
        click.option("--any-audience", is_flag=True, help="Bound to nobody: whoever gets the proof can hand it on."),
        click.option("--header", multiple=True, metavar="NAME=VALUE", help="Bound by this header.  Repeatable."),
        click.option("--vault", metavar="ID", help="For this Vault: the header x-vault-aws-iam-server-id."),
        click.option("--cluster", metavar="NAME", help="For this Kubernetes cluster: the header x-k8s-aws-id."),
    ):
        command = option(command)
    return command


def _headers(cluster: str | None, vault: str | None, header: tuple[str, ...], *, any_audience: bool) -> dict[str, str]:
    from locum.client.identity import CLUSTER_HEADER, SERVER_HEADER

    found = {}
    named = [(CLUSTER_HEADER, cluster), (SERVER_HEADER, vault)]
    pairs = [(name, "=", value) for name, value in named if value is not None] + [
        each.partition("=") for each in header
    ]
    for name, equals, value in pairs:
        if not equals or name.lower() in found:
            raise Usage(f"--header {name} has no value, or two", "write --header NAME=VALUE")
        found[name.lower()] = value
    if any_audience == bool(found):
        raise Usage(
            "the proof is bound to somebody and to nobody" if found else "it is not said for whom the proof is",
            "give --cluster, --vault or --header, or --any-audience alone",
        )
    return found


@click.command("presign-identity")
@_audience_options
@click.option("--format", "form", type=click.Choice(_FORMS), default="url", show_default=True, help="What to print.")
@client_options
def presign_identity(
    cluster: str | None, vault: str | None, header: tuple[str, ...], any_audience: bool, form: str, **options: Any
) -> None:
    """Print a proof of who you are, for the service that --cluster, --vault or --header names.

    It is a signed GetCallerIdentity that is not sent: whoever holds it can ask STS who signed it, for 15 minutes, and
    nothing else. The formats: a presigned url; a bearer token of Kubernetes, or the exec-credential that kubectl takes
    from a plugin; the login of Vault.
    """
    from locum.client.identity import Form, prove

    headers = _headers(cluster, vault, header, any_audience=any_audience)
    with sts_client(options) as client:
        proof = prove(client, headers=headers, form=Form.TOKEN if form == _EXEC_CREDENTIAL else Form(form))
    if form != _EXEC_CREDENTIAL:
        click.echo(proof.reveal())
        return
    status = {"expirationTimestamp": instant(int(time.time()) + _GOOD), "token": proof.reveal()}
    result({"kind": "ExecCredential", "apiVersion": f"{_API}/{_version()}", "spec": {}, "status": status})


def _version() -> str:
    """The version of the API that kubectl asks for, where it is one of those that there are."""
    try:
        asked = json.loads(os.environ.get("KUBERNETES_EXEC_INFO", ""))["apiVersion"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _VERSIONS[0]
    return next((each for each in _VERSIONS if asked == f"{_API}/{each}"), _VERSIONS[0])


@click.command("verify-identity")
@click.argument("proof", metavar="@FILE|-", default="-")
@_audience_options
@click.option(
    "--max-age",
    type=click.FloatRange(0, 900, min_open=True),
    default=900,
    show_default=True,
    metavar="SECONDS",
    help="Signed at most so long ago.",
)
@client_options
@as_json
def verify_identity(
    proof: str,
    cluster: str | None,
    vault: str | None,
    header: tuple[str, ...],
    any_audience: bool,
    max_age: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Say who made a proof, as the STS of your own settings knows it.

    The proof, in any of the formats of presign-identity, is read from standard input or a file. It is sent to no other
    server than --endpoint-url, and only if it is bound by exactly the headers that are named here. Credentials are not
    needed.

    Exit status 3: the proof proves nothing; 1: STS could not say.
    """
    from locum.client.identity import verify

    headers = _headers(cluster, vault, header, any_audience=any_audience)
    given = read_secret("the proof", proof)
    with sts_client(options) as client:
        found = verify(client, given, headers=headers, max_age=max_age)
    signed = instant(int(found.signed_at.timestamp()))
    said = {
        "Arn": found.arn,
        "UserId": found.user_id,
        "Account": found.account,
        "PrincipalArn": found.principal_arn,
        "AccessKeyId": found.access_key_id,
        "SignedAt": signed,
        "ProofId": found.proof_id,
    }
    if as_json:
        result(said)
    else:
        names = ("arn", "user-id", "account", "principal-arn", "access-key-id", "signed-at")
        show_rows(list(zip(names, said.values(), strict=False)))
