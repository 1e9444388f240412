"""AssumeRoot: a short session as the root user of a member account, for one task (area ROOT, R34)."""

from __future__ import annotations

from locum import arn
from locum.api import sts
from locum.core import issue
from locum.core.root_access import may_open, missing, root_account, task_named
from locum.errors import AccessDenied
from locum.policy import denial_text
from locum.server.handlers import Call, handles
from locum.server.issuing import credentials_of, utilization

__all__ = ["assume_root"]


def _check(call: Call[sts.AssumeRootCommand]) -> None:
    root_account(call.command.target_principal, call.partition)
    task_named(call.command.task_policy_arn.arn, call.partition)


@handles(sts.AssumeRootCommand, cached=True, before=_check)
def assume_root(call: Call[sts.AssumeRootCommand]) -> sts.AssumeRootResponse:
    """A session as root of the member; what the organization did not switch on is told, nothing else (STS-ROOT-009)."""
    command, caller, directory = call.command, call.caller, call.directory
    account = root_account(command.target_principal, call.partition)
    task = task_named(command.task_policy_arn.arn, call.partition)
    target = directory.account(account)
    is_open = target is not None and not target.closed
    own, its = directory.organization_of(caller.account), directory.organization_of(account)
    if not is_open or not may_open(own, its, task):
        raise AccessDenied(
            (missing(own, its, task) if is_open else None)
            or denial_text(caller.arn, command.operation.action, arn.account_root(call.partition, account))
        )
    session = issue.assume_root(command, caller, account, call.now, call.random(issue.RANDOM_BYTES))
    credentials = credentials_of(call, session)
    size = len(credentials.session_token)
    return sts.AssumeRootResponse(
        credentials=credentials,
        source_identity=session.source_identity,
        session_token_utilization=utilization(size),
        session_token_size=size,
    )
