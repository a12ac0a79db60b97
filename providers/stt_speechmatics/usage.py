"""How much was recognised, as ``GET /usage`` tells it: by day, never of the current one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .asked import Asked
    from .wire import Usage, UsageItem

__all__ = ["UsageBook"]

KEEP = timedelta(days=90)


@dataclass(slots=True)
class _Amount:
    count: int = 0
    seconds: float = 0.0


class UsageBook:
    """What was used on which day, for each language and model."""

    def __init__(self) -> None:
        self._amounts: dict[tuple[date, str, str, str], _Amount] = {}

    def add(self, day: date, asked: Asked, seconds: float) -> None:
        """One job more."""
        said = asked.transcription
        field = "operating_point" if "operating_point" in said else "model"
        key = day, str(said["language"]), field, str(said.get(field, "standard"))
        amount = self._amounts.setdefault(key, _Amount())
        amount.count += 1
        amount.seconds += seconds
        for old in [each for each in self._amounts if each[0] < day - KEEP]:
            del self._amounts[old]

    def first_day(self, today: date) -> date:
        """The earliest of which something is known."""
        return min((day for day, *_ in self._amounts), default=today)

    def report(self, since: date, until: date, today: date) -> Usage:
        """The answer; ``until`` is part of it."""
        kinds: dict[tuple[str, str, str], list[_Amount]] = {}
        for (day, language, field, model), amount in self._amounts.items():
            if since <= day <= until and day < today:
                kinds.setdefault((language, field, model), []).append(amount)
        details: list[UsageItem] = []
        for (language, field, model), amounts in sorted(kinds.items()):
            item = _item(amounts)
            item["language"] = language
            item["operating_point" if field == "operating_point" else "model"] = model
            details.append(item)
        every = [amount for amounts in kinds.values() for amount in amounts]
        return {
            "since": since.isoformat(),
            "until": until.isoformat(),
            "summary": [_item(every)] if every else [],
            "details": details,
        }


def _item(amounts: Iterable[_Amount]) -> UsageItem:
    amounts = list(amounts)
    return {
        "mode": "batch",
        "type": "transcription",
        "count": sum(amount.count for amount in amounts),
        "duration_hrs": round(sum(amount.seconds for amount in amounts) / 3600, 6),
    }
