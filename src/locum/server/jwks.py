"""The keys of issuers, kept for a while: what a request needs of them, without ever waiting for it on the event loop.

A request asks :meth:`IssuerKeys.verify`, which answers from what is known or raises :class:`KeysNeeded`.  Whoever
catches that has :meth:`IssuerKeys.fetch` run in a thread and then runs the request again.  The result of a fetch is
remembered, a failure too, so that the second run answers; a request that was run twice again is refused with
:attr:`KeysNeeded.otherwise`.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from typing import Any, Final

from locum.core.key_set import KeySet, KeySetError, read_keys
from locum.core.oidc import NO_KEY, Claims, Hints, IssuerRules, UnknownKey, unknown_provider, verify
from locum.core.proof import Trail
from locum.errors import IDPCommunicationErrorException, InvalidIdentityTokenException, STSServiceException
from locum.server.issuers import TOTAL_SECONDS, Fetched, FetchError, Place, fetch_keys

__all__ = [
    "FAILURE_SECONDS",
    "FETCHES",
    "FRESH_SECONDS",
    "MAXIMUM_ISSUERS",
    "SOUGHT_SECONDS",
    "STALE_SECONDS",
    "WINDOW_SECONDS",
    "IssuerKeys",
    "KeysNeeded",
]

_log = logging.getLogger("locum.issuers")

FRESH_SECONDS: Final = 900
"""Seconds for which keys count without being fetched again."""
STALE_SECONDS: Final = 86_400
"""Seconds for which keys count while the issuer cannot be asked."""
FAILURE_SECONDS: Final = 5
"""Seconds for which an issuer that could not be asked is not asked again."""
SOUGHT_SECONDS: Final = 20
"""Seconds for which an issuer is not asked again for a key that a fetch for its sake did not bring."""
FETCHES: Final = 3
"""Fetches of an issuer's keys in :data:`WINDOW_SECONDS`, in one process: in vain, whoever asks; and as many for each of
the rules and thumbprints that brought keys."""
WINDOW_SECONDS: Final = 60
MAXIMUM_ISSUERS: Final = 1_000
"""Issuers whose keys are kept; of more, those that were asked for longest ago are forgotten."""

_MAXIMUM_SOUGHT: Final = 64
_UNREACHABLE: Final = "The keys of your identity provider cannot be fetched now. Try again."


class KeysNeeded(Exception):
    """A request needs keys that must be fetched first: hand this to :meth:`IssuerKeys.fetch`, in a thread.

    Needs of equal ``key`` wait for one fetch, so a pool should not give them more threads than one.  ``account`` is the
    one whose provider the issuer is here, empty for a built-in one.  ``otherwise`` is the answer where the request is
    not run again.
    """

    def __init__(
        self,
        issuer: str,
        rules: IssuerRules,
        thumbprints: tuple[str, ...],
        *,
        account: str,
        key_id: str | None,
        doubted: bool,
        generation: int,
        otherwise: STSServiceException,
    ) -> None:
        super().__init__(f"the keys of {issuer} are needed")
        self.key: Final = (issuer, rules)
        self.issuer: Final = issuer
        self.rules: Final = rules
        self.thumbprints: Final = thumbprints
        self.account: Final = account
        self.key_id: Final = key_id
        self.doubted: Final = doubted
        self.generation: Final = generation
        self.otherwise: Final = otherwise

    def refusal(self) -> STSServiceException:
        """The answer where the keys cannot be fetched for this request any more."""
        return self.otherwise if self.doubted else IDPCommunicationErrorException(_UNREACHABLE)


class _Entry:
    """What is known of the keys of one issuer under one set of rules.

    ``certified`` are keys from hosts that an authority vouches for, ``pinned`` are those from hosts of which only
    thumbprints do, for providers with all of these.  ``sought`` are the key ids for whose sake the issuer was asked in
    vain.  ``starts`` are the fetches that brought keys, and those for providers that have some.
    """

    __slots__ = ("certified", "failure", "flight", "generation", "pinned", "sought", "starts")

    def __init__(self) -> None:
        self.certified: tuple[KeySet, float] | None = None
        self.pinned: tuple[frozenset[str], KeySet, float] | None = None
        self.failure: tuple[FetchError, float] | None = None
        self.sought: OrderedDict[str | None, float] = OrderedDict()
        self.flight: threading.Event | None = None
        self.generation = 0
        self.starts: deque[float] = deque()

    def keys(self, thumbprints: Collection[str], now: float) -> tuple[KeySet, float] | None:
        """The keys that a provider may use with the time of their fetch, as long as they count at all."""
        found, pinned = self.certified, self.pinned
        if pinned is not None and pinned[0].issubset(thumbprints) and (found is None or found[1] <= pinned[2]):
            found = pinned[1:]
        return found if found is not None and now - found[1] < STALE_SECONDS else None

    def failed(self, thumbprints: Collection[str], now: float) -> FetchError | None:
        """The failure that is remembered, unless it is one that this provider would not meet."""
        if self.failure is None or now - self.failure[1] >= FAILURE_SECONDS:
            return None
        error = self.failure[0]
        return None if error.presented in thumbprints else error

    def keep(self, fetched: Fetched, now: float) -> None:
        self.failure = None
        if not fetched.thumbprints:
            self.certified, self.pinned = (fetched.keys, now), None
        else:
            self.pinned = (fetched.thumbprints, fetched.keys, now)

    def seek(self, key_id: str | None, now: float) -> None:
        self.sought[key_id] = now
        self.sought.move_to_end(key_id)
        while len(self.sought) > _MAXIMUM_SOUGHT:
            self.sought.popitem(last=False)

    def sought_lately(self, key_id: str | None, now: float) -> bool:
        at = self.sought.get(key_id)
        return at is not None and now - at < SOUGHT_SECONDS


Fetcher = Callable[[str, IssuerRules, tuple[str, ...]], Fetched]
"""Issuer, rules, thumbprints → its keys; FetchError where they cannot be had."""


class IssuerKeys:
    """The keys of every issuer that this process has to do with; one for a process, used from any thread.

    ``clock`` counts seconds and never goes back.  ``own_prefix`` is the URL under which this server's own issuers are:
    their tokens are not taken here, and nothing is fetched from them (STS-WI-024, IAM-OUT-003).
    """

    def __init__(
        self, *, clock: Callable[[], float], own_prefix: str | None = None, fetcher: Fetcher = fetch_keys
    ) -> None:
        self._clock = clock
        self._own = None if own_prefix is None else Place.parse(own_prefix)
        self._fetcher = fetcher
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, IssuerRules], _Entry] = OrderedDict()
        self._starts: OrderedDict[str, deque[float]] = OrderedDict()

    def is_own(self, issuer: str) -> bool:
        """Whether an issuer is one of this server's own, in whatever spelling of its host."""
        if self._own is None:
            return False
        try:
            place = Place.parse(issuer)
        except ValueError:
            return False
        return (place.host, place.port) == (self._own.host, self._own.port) and place.path.startswith(self._own.path)

    def verify(
        self,
        token: Hints,
        *,
        issuer: str,
        client_ids: Collection[str],
        rules: IssuerRules,
        now: float,
        thumbprints: tuple[str, ...] = (),
        account: str = "",
        trail: Trail | None = None,
    ) -> Claims:
        """The claims of a token (:func:`locum.core.oidc.verify`), verified with the issuer's keys.

        KeysNeeded where keys must be fetched: where there are none, and once where those that there are do not fit.
        The verification after that is this very one (R4).
        """
        keys = self.cached(issuer, rules, key_id=token.key_id, thumbprints=thumbprints, account=account)
        try:
            return verify(token, keys, issuer=issuer, client_ids=client_ids, rules=rules, now=now, trail=trail)
        except UnknownKey as error:
            self.refresh(
                issuer,
                rules,
                key_id=token.key_id,
                seen=keys,
                refusal=error,
                thumbprints=thumbprints,
                account=account,
            )
            raise

    def cached(
        self,
        issuer: str,
        rules: IssuerRules,
        *,
        key_id: str | None,
        thumbprints: tuple[str, ...] = (),
        account: str = "",
    ) -> KeySet:
        """The keys of an issuer; nothing is fetched here.

        KeysNeeded where there are none, where they are old, or where the one of ``key_id`` is not among them, and the
        issuer may be asked.  Otherwise the keys that there are; without any, the error of the last fetch
        (STS-WI-018…020).  InvalidIdentityToken for this server's own issuers.
        """
        if self.is_own(issuer):
            raise unknown_provider(issuer)
        if rules.jwks is not None:
            return _given_keys(rules.jwks)
        with self._lock:
            now = self._clock()
            entry = self._entry(issuer, rules)
            known = entry.keys(thumbprints, now)
            failure = entry.failed(thumbprints, now)
            if known is not None:
                keys, fetched = known
                here = key_id is None or key_id in keys
                if here and (now - fetched < FRESH_SECONDS or entry.flight is not None):
                    return keys
                if failure is not None or (not here and entry.sought_lately(key_id, now)):
                    return keys
            elif failure is not None:
                raise failure.answer()
            if entry.flight is not None or _may_fetch(self._starts_of(entry, issuer, known), now):
                otherwise = InvalidIdentityTokenException(NO_KEY)
                raise self._need(issuer, rules, thumbprints, account, key_id, entry, otherwise, doubted=False)
            if known is not None:
                return keys
            last = entry.failure
            if last is None or last[0].presented in thumbprints:
                raise InvalidIdentityTokenException(NO_KEY)
            raise last[0].answer()

    def refresh(
        self,
        issuer: str,
        rules: IssuerRules,
        *,
        key_id: str | None,
        seen: KeySet,
        refusal: STSServiceException,
        thumbprints: tuple[str, ...] = (),
        account: str = "",
    ) -> None:
        """After a token did not fit the keys ``seen``: KeysNeeded where there are newer ones or may be.

        Returns where the issuer was asked for this key a moment ago, or may not be asked; then ``refusal`` stands.
        """
        if rules.jwks is not None:
            return
        with self._lock:
            now = self._clock()
            entry = self._entry(issuer, rules)
            known = entry.keys(thumbprints, now)
            newer = known is not None and known[0] is not seen
            if not newer and (entry.sought_lately(key_id, now) or entry.failed(thumbprints, now) is not None):
                return
            if newer or entry.flight is not None or _may_fetch(self._starts_of(entry, issuer, known), now):
                generation = entry.generation - 1 if newer else entry.generation
                raise self._need(
                    issuer, rules, thumbprints, account, key_id, entry, refusal, doubted=True, generation=generation
                )

    def fetch(self, need: KeysNeeded) -> None:
        """Have the keys of a need fetched, and remember what came of it; blocking, bounded in time, never an error.

        Whoever comes while they are being fetched waits for that; whoever comes after it finds it done.
        """
        with self._lock:
            entry = self._entry(need.issuer, need.rules)
            flight = entry.flight
            if flight is None:
                now = self._clock()
                starts = self._starts_of(entry, need.issuer, entry.keys(need.thumbprints, now))
                if entry.generation != need.generation or not _may_fetch(starts, now):
                    return
                starts.append(now)
                entry.flight = mine = threading.Event()
        if flight is not None:
            flight.wait(TOTAL_SECONDS * 2)
            return
        result: Fetched | FetchError
        try:
            result = self._fetcher(need.issuer, need.rules, need.thumbprints)
        except FetchError as error:
            result = error
        except Exception:
            _log.exception("fetching the keys of an issuer failed", extra={"issuer": need.issuer})
            result = FetchError("it failed", InvalidIdentityTokenException, NO_KEY)
        with self._lock:
            if starts is not entry.starts and isinstance(result, Fetched) and now in starts:
                starts.remove(now)
                entry.starts.append(now)
            self._land(entry, need, result)
        mine.set()
        if isinstance(result, FetchError):
            _log.warning("the keys of an issuer cannot be had", extra={"issuer": need.issuer, "reason": result.reason})

    def _land(self, entry: _Entry, need: KeysNeeded, result: Fetched | FetchError) -> None:
        now = self._clock()
        if isinstance(result, FetchError):
            entry.failure = (result, now)
        else:
            entry.keep(result, now)
            if need.doubted or need.key_id not in result.keys:
                entry.seek(need.key_id, now)
        entry.generation += 1
        entry.flight = None

    def _need(
        self,
        issuer: str,
        rules: IssuerRules,
        thumbprints: tuple[str, ...],
        account: str,
        key_id: str | None,
        entry: _Entry,
        otherwise: STSServiceException,
        *,
        doubted: bool,
        generation: int | None = None,
    ) -> KeysNeeded:
        return KeysNeeded(
            issuer,
            rules,
            thumbprints,
            account=account,
            key_id=key_id,
            doubted=doubted,
            generation=entry.generation if generation is None else generation,
            otherwise=otherwise,
        )

    def _entry(self, issuer: str, rules: IssuerRules) -> _Entry:
        """The entry of an issuer, the last one to be forgotten."""
        entry: _Entry = _touched(self._entries, (issuer, rules), _Entry)
        if len(self._entries) > MAXIMUM_ISSUERS:
            self._entries.popitem(last=False)
        return entry

    def _starts_of(self, entry: _Entry, issuer: str, known: object) -> deque[float]:
        """The fetches that count against the next one for a provider, which knows some keys of the issuer or None.

        Those without keys share what an issuer may be asked, whatever their rules.  Whoever has keys must not be kept
        from newer ones by providers of other accounts that fetch the same issuer's in vain.
        """
        shared: deque[float] = _touched(self._starts, issuer, deque)
        if len(self._starts) > MAXIMUM_ISSUERS:
            self._starts.popitem(last=False)
        return shared if known is None else entry.starts


def _may_fetch(starts: deque[float], now: float) -> bool:
    """Whether there were fewer than :data:`FETCHES` fetches in the last :data:`WINDOW_SECONDS`."""
    while starts and now - starts[0] >= WINDOW_SECONDS:
        starts.popleft()
    return len(starts) < FETCHES


def _touched(table: OrderedDict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    """The value of a key, made where there is none, and moved behind all others."""
    value = table.get(key)
    if value is None:
        value = table[key] = make()
    else:
        table.move_to_end(key)
    return value


@functools.lru_cache(maxsize=MAXIMUM_ISSUERS)
def _parsed(text: str) -> KeySet:
    return read_keys(text.encode())


def _given_keys(text: str) -> KeySet:
    """The keys of a configuration; whoever reads the configuration has refused what is no JWKS."""
    try:
        return _parsed(text)
    except KeySetError as error:
        refusal = InvalidIdentityTokenException(NO_KEY)
        refusal.add_note(f"keys: {error}")
        raise refusal from None
