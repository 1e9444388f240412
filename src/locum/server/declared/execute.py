"""A file carried out in one transaction, or tried and undone: the plan, what is wrong, what stays undescribed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from locum.core.sealing import Vault
from locum.server.declared.accounts import (
    carry_out_account,
    carry_out_policies,
    carry_out_providers,
    prune_policies,
    prune_providers,
)
from locum.server.declared.form import File, read_form
from locum.server.declared.organizations import Organizations
from locum.server.declared.principals import Principals
from locum.server.declared.run import Change, Run
from locum.server.declared.source import Fault, SourceError, read_source
from locum.store import Store, Transaction

__all__ = ["MAX_FAULTS", "Declared", "Plan", "carry_out", "execute", "read_declared"]

MAX_FAULTS: Final = 200
"""Faults that are told of one file; the first ones in its order."""


class Declared(msgspec.Struct, frozen=True):
    """A file as it was read, and what is wrong with it by itself."""

    file: File
    faults: tuple[Fault, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """What a file changes.  ``faults`` are in the order of the file; where there are some, nothing was changed.

    ``kept`` is what sections of the file do not mention and what stays, since nobody asked to prune.
    """

    changes: tuple[Change, ...] = ()
    faults: tuple[Fault, ...] = ()
    kept: tuple[str, ...] = ()

    def count(self, sign: str) -> int:
        """How many things are made, changed or deleted: ``+``, ``~``, ``-``."""
        return sum(each.sign == sign for each in self.changes)


class _Undone(Exception):
    """Ends a transaction whose changes are not wanted."""


def read_declared(text: str, name: str) -> Declared:
    """The file in a text; ``name`` tells YAML from JSON (:func:`~locum.server.declared.source.read_source`)."""
    try:
        node = read_source(text, name)
    except SourceError as error:
        return Declared(File(), (error.fault,))
    file, faults = read_form(node)
    return Declared(file, tuple(faults))


def carry_out(
    rows: Transaction,
    vault: Vault,
    declared: Declared,
    now: int,
    random: Callable[[int], bytes],
    *,
    partition: str = "aws",
    prune: bool = False,
) -> Plan:
    """Do what a file says within a transaction, which must not be committed where the plan has faults.

    ``now`` is in epoch seconds, ``random(n)`` gives n random bytes.
    """
    run = Run(rows, vault, now, random, partition=partition, prune=prune)
    file = declared.file
    accounts = [each for each in file.accounts.values() if carry_out_account(run, each)]
    for organization in file.organizations.values():
        Organizations(run, organization).carry_out()
    principals = [Principals(run, each) for each in accounts]
    for form, each in zip(accounts, principals, strict=True):
        each.prune()
        prune_providers(run, form)
    for form in accounts:
        carry_out_providers(run, form)
        carry_out_policies(run, form)
    for each in principals:
        each.make()
    for each in principals:
        each.equip()
    for each in principals:
        each.trust()
    for form in accounts:
        prune_policies(run, form)
    faults = sorted({*declared.faults, *run.faults})
    return Plan(tuple(run.changes), tuple(faults[:MAX_FAULTS]), tuple(run.kept))


def execute(
    store: Store,
    vault: Vault,
    declared: Declared,
    now: int,
    random: Callable[[int], bytes],
    *,
    partition: str = "aws",
    prune: bool = False,
    commit: Callable[[Plan], bool],
) -> Plan:
    """Plan a file, and apply it in the same transaction where ``commit`` says so of a plan without faults.

    Everything or nothing: StoreError where the transaction does not come about, and then nothing was changed.
    """
    plan = Plan()
    try:
        with store.transaction() as rows:
            plan = carry_out(rows, vault, declared, now, random, partition=partition, prune=prune)
            if plan.faults or not plan.changes or not commit(plan):
                raise _Undone
    except _Undone:
        pass
    return plan
