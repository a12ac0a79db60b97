"""Whether what a grammar made of some speech is what was said.

A grammar's search gives its nearest sentence for any speech. So the same audio is decoded once more by a loop of any
sounds in any order, which explains whatever it is about as well as it can be explained. Where the grammar's words were
spoken, they explain it as well or better: they know which sounds follow which. Elsewhere they fall behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

__all__ = ["Scored", "mismatch"]

_WORST = 0.3
"""Weight of the worst word beside the mean of all: one word too many, or another one in its place, counts."""


class Scored(NamedTuple):
    """A stretch of frames and the log likelihood (natural) of its audio, whole; ``last`` is its last frame."""

    first: int
    last: int
    score: float


def mismatch(words: Sequence[Scored], phones: Sequence[Scored]) -> float:
    """By how much the phones explain the frames of the words better than the words do: log likelihood per frame.

    Negative where the words are the better explanation. Both have to be scored on the same scale.
    """
    frames = [0.0] * (1 + max((each.last for each in (*words, *phones)), default=0))
    for phone in phones:
        length = phone.last - phone.first + 1
        frames[phone.first : phone.last + 1] = [phone.score / length] * length
    until = [0.0, *accumulate(frames)]
    lengths = [word.last - word.first + 1 for word in words]
    behind = [until[word.last + 1] - until[word.first] - word.score for word in words]
    if not words:
        return 0.0
    worst = max(each / length for each, length in zip(behind, lengths, strict=True))
    return (sum(behind) / sum(lengths) + _WORST * worst) / (1 + _WORST)
