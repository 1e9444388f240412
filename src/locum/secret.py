"""Text that does not print (R38)."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn

__all__ = ["Secret"]

_MASK: Final = "***"


class Secret:
    """A secret text: ``repr``, ``str``, formatting and logging show ``***``; only :meth:`reveal` gives the text.

    Secrets compare in constant time (R23), are never ordered, pickled or concatenated by accident.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, _: str) -> str:
        return _MASK

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
