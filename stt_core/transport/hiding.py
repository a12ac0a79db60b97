"""Secrets that were sent, kept out of what comes back: vendors quote the key that they do not accept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

__all__ = ["Hide", "hiding"]

Hide = Callable[[str], str]

_NAME = re.compile(r"auth|key|token|secret|password|cookie", re.IGNORECASE)

SHORTEST = 8
"""Characters. What is shorter would be found in ordinary words."""


def hiding(headers: Mapping[str, str], secrets: Iterable[str] = ()) -> Hide:
    """What takes ``secrets`` and those in ``headers`` out of a text; a closure, so that no ``repr`` shows them."""
    values = [value for name, value in headers.items() if _NAME.search(name)]
    tokens = [value.partition(" ")[2] for value in values]  # behind a scheme such as Bearer
    found = sorted({each for each in (*values, *tokens, *secrets) if len(each) >= SHORTEST}, key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in found:
            if secret in text:
                text = text.replace(secret, "***")
        return text

    return hide
