"""When keys, roles and actions were last used: noted in memory, written in batches, never on the way of a request.

An action's last use by somebody stands under the principal's unique id, the service and the action.  The rows are
written quietly: they move no revision and nobody caches them (AWS's figures lag by hours: IAM-KEY-008).
"""

from __future__ import annotations

import threading
from typing import Final

from locum.core.records import Use, decode, encode
from locum.core.session import Caller, CallerKind
from locum.store import Key, Store, StoreError
from locum.store.records import Records

__all__ = ["Usage"]

_CAPACITY: Final = 50_000


class Usage:
    """Collects uses by key id or unique id; :meth:`flush` writes what has gathered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[str, Use] = {}

    def note(self, identifier: str, now: float, service: str, region: str) -> None:
        """Remember a use; the newest of an identifier counts, and beyond a bound new identifiers are not noted."""
        noted = self._noted
        last = noted.get(identifier)
        seconds = int(now)
        if last is not None:
            if last.used == seconds and last.service == service:
                return
        elif len(noted) >= _CAPACITY:
            return
        noted[identifier] = Use(id=identifier, used=seconds, service=service, region=region)

    def note_caller(self, caller: Caller, now: float, service: str, action: str, region: str) -> None:
        """Remember that a caller's key, or the role behind its session, was used, and by whom an action was."""
        self.note(f"{caller.principal_id}/{service}/{action}", now, service, region)
        if caller.session is None:
            self.note(caller.access_key_id, now, service, region)
        elif caller.kind is CallerKind.ROLE_SESSION:
            self.note(caller.principal_id, now, service, region)

    def last(self, records: Records, identifier: str) -> Use | None:
        """The last use that this process knows of, in memory or in the store."""
        noted = self._noted.get(identifier)
        if noted is not None:
            return noted
        stored = records.get(Use, "", identifier)
        return None if stored is None else stored.record

    def forget(self, records: Records, identifier: str) -> None:
        """Drop what is known of a key or principal that is being deleted; within the transaction that deletes it."""
        for each in (identifier, *(use.id for use in self.actions(records, identifier))):
            self._noted.pop(each, None)
            stored = records.get(Use, "", each)
            if stored is not None:
                records.delete(stored)

    def actions(self, records: Records, principal_id: str) -> list[Use]:
        """The last uses of every action by a principal; ``id`` ends with the service and the action."""
        prefix = f"{principal_id}/"
        found = {stored.record.id: stored.record for stored in records.each(Use, "", prefix=prefix)}
        for noted in [*self._noted.values()]:
            if noted.id.startswith(prefix):
                found[noted.id] = noted
        return list(found.values())

    def flush(self, store: Store) -> int:
        """Write what was noted since the last time; how many rows that was."""
        with self._lock:
            noted, self._noted = self._noted, {}
            # A thread that took the old table a moment ago may still add to it.
            uses = [*noted.values()]
            if not uses:
                return 0
            try:
                with store.transaction() as transaction:
                    for use in uses:
                        key = Key(*use.key)
                        row = transaction.get(key)
                        if row is None or decode(row.data, Use).used <= use.used:
                            transaction.put(key, encode(use), expect=None, quiet=True)
            except StoreError:
                for use in uses:
                    self._noted.setdefault(use.id, use)
                raise
            return len(uses)
