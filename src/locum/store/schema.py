"""The tables of the SQL engine, and the migrations that lead to them.

A migration that was released is history and never changes; a new version adds an entry to ``MIGRATIONS`` and brings
the tables below up to what the entries add up to.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

__all__ = ["MIGRATIONS", "changes", "index_rows", "records", "state"]

_metadata = sa.MetaData()

state: Final = sa.Table(
    "locum_state",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("versions", sa.BigInteger, nullable=False),
)
"""One row, id 1: the schema's version, the committed revision, and the last record version given out."""

records: Final = sa.Table(
    "records",
    _metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

index_rows: Final = sa.Table(
    "index_rows",
    _metadata,
    sa.Column("index_name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)
_index_rows_by_record = sa.Index("index_rows_by_record", index_rows.c.account, index_rows.c.kind, index_rows.c.name)

changes: Final = sa.Table(
    "changes",
    _metadata,
    sa.Column("revision", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("account", sa.Text),
    sa.Column("kind", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("index_name", sa.Text),
    sa.Column("value", sa.Text),
)
"""The feed: a row for every touched key, and one for every touched pair.

Every row has a revision of its own and none is left out, so that the oldest row says how far the feed reaches back.
"""

MIGRATIONS: Final[tuple[tuple[int, tuple[ExecutableDDLElement, ...]], ...]] = (
    (
        1,
        (
            CreateTable(state),
            CreateTable(records),
            CreateTable(index_rows),
            CreateIndex(_index_rows_by_record),
            CreateTable(changes),
        ),
    ),
)
"""(schema version, the statements that lead to it from the one before), in order."""
