"""IAM policies as a library: read, compile, decide; no I/O, no clock, no randomness.

>>> from locum.policy import Ask, Policies, Principal, PolicyKind, compile_policy, context, decide, parse
>>> document = parse('{"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}')
>>> alice = Principal.user("arn:aws:iam::111122223333:user/alice", "111122223333", "AIDAALICEALICEALICE00")
>>> ask = Ask(alice, "s3:GetObject", "arn:aws:s3:::ledger/a.csv", "111122223333", context({}))
>>> decide(ask, Policies(identity=(compile_policy(document, PolicyKind.INLINE),))).allowed
True

:func:`parse` and :func:`validate` read a document, the latter as IAM does when it stores one.  :func:`compile_policy`
prepares it; :func:`load` does both for stored text and never fails: what it cannot read denies.  :func:`decide` is
the only decision function; :func:`explain` tells its reasons, :func:`render` shows them as a tree.
:func:`render_policy` writes a document from its values.
"""

from __future__ import annotations

from .compile import CompiledPolicy, StatementRef, compile_policy, load
from .context import KEY_FAMILIES, KEYS, Context, Key, KeyType, context, key_of
from .document import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_STATEMENTS,
    Condition,
    Policy,
    PolicyError,
    PolicyKind,
    Principals,
    Problem,
    Statement,
    counted_size,
    parse,
)
from .evaluate import Ask, Decision, Effect, Layer, Policies, decide, denial_text
from .explain import explain
from .explanation import (
    Asked,
    Check,
    Entry,
    Explanation,
    Fix,
    LayerReport,
    PolicyReport,
    StatementReport,
    Verdict,
)
from .managed import AWS_MANAGED_POLICIES, ManagedPolicy
from .message import authorization_message
from .principals import (
    Principal,
    PrincipalKind,
    invalid_principal,
    named_entities,
    principal_context,
    render_principals,
    store_principals,
)
from .render import render
from .validate import validate
from .write import render_policy

__all__ = [
    "AWS_MANAGED_POLICIES",
    "KEYS",
    "KEY_FAMILIES",
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "MAX_STATEMENTS",
    "Ask",
    "Asked",
    "Check",
    "CompiledPolicy",
    "Condition",
    "Context",
    "Decision",
    "Effect",
    "Entry",
    "Explanation",
    "Fix",
    "Key",
    "KeyType",
    "Layer",
    "LayerReport",
    "ManagedPolicy",
    "Policies",
    "Policy",
    "PolicyError",
    "PolicyKind",
    "PolicyReport",
    "Principal",
    "PrincipalKind",
    "Principals",
    "Problem",
    "Statement",
    "StatementRef",
    "StatementReport",
    "Verdict",
    "authorization_message",
    "compile_policy",
    "context",
    "counted_size",
    "decide",
    "denial_text",
    "explain",
    "invalid_principal",
    "key_of",
    "load",
    "named_entities",
    "parse",
    "principal_context",
    "render",
    "render_policy",
    "render_principals",
    "store_principals",
    "validate",
]
