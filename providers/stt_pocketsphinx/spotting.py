"""Keyphrases in a stream without end."""

from __future__ import annotations

from collections.abc import Callable

from .decoder import SAMPLE_RATE, MeanEstimator, Recognizer, Word
from .endpoint import FRAME_SAMPLES, Endpointing
from .engine import Event, EventKind, Session

__all__ = ["SpottingSession"]

_PIECE = 3200
"""Bytes decoded at once (100 ms): a phrase is noticed up to so long after the decoder knows, 100 ms after its end."""

_OVERLAP = 2 * SAMPLE_RATE
"""What is heard again when speech without end is cut: longer than a phrase."""


class SpottingSession(Session):
    """START, FINAL and END together, as soon as a phrase was heard, with the times of the phrase; nothing else.

    Only what the voice detector calls speech is searched; speech of ``max_speech`` seconds is searched in pieces that
    overlap, so that memory stays what it is. A phrase counts as heard once: what begins before its end does not.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        estimator: MeanEstimator,
        settings: Endpointing,
        emit: Callable[[Event], None],
    ) -> None:
        super().__init__(recognizer, estimator, settings, emit)
        self._fed = 0  # bytes of self._audio that the recognizer has
        self._begun = 0
        self._measured = False
        self._said_until = 0

    def flush(self) -> int:
        """Search at once what was taken in; gives the position up to which everything is settled."""
        if self._endpointer.speaking:
            self._take_pending()
            self._finish(self._end)
            self._endpointer.restart()
        else:
            self._settle(self._onset if self._endpointer.onset_frames else self.position)
        return self._settled

    def _frame(self, *, changed: bool) -> None:
        if not self._endpointer.speaking:
            if changed:
                self._finish(self._end - self._endpointer.silent_frames // 2 * FRAME_SAMPLES)
            else:
                self._drop_before(self._onset - self._pre_roll)
                self._settle(self._origin)
        elif changed:
            self._begun = self._onset
            self._drop_before(self._onset - self._pre_roll)
            self._settle(self._origin)
            self._begin()
        elif len(self._audio) - self._fed >= _PIECE:
            self._search()

    def _begin(self) -> None:
        self._recognizer.start(self._origin, None if self._measured else self._mean.value)
        self._fed = 0
        self._search()

    def _search(self) -> None:
        while self._fed < len(self._audio):
            self._recognizer.feed(bytes(self._audio[self._fed : self._fed + _PIECE]))
            self._fed = min(self._fed + _PIECE, len(self._audio))
            # Many may be heard at once when much audio is at hand.
            if heard := self._recognizer.hypothesis():
                self._say_heard(heard)
        if not self._measured and self._end - self._begun >= SAMPLE_RATE:
            self._measure()
        elif len(self._audio) >= 2 * self._max_samples:
            self._recognizer.cancel()
            self._drop_before(self._end - _OVERLAP)
            self._settle(self._origin)
            self._begin()

    def _measure(self) -> None:
        # Searched anew with its own mean: a phrase in the first second, too.
        self._measured = True
        self._recognizer.cancel()
        mean = self._estimator(bytes(self._audio))
        if mean is not None:
            self._mean.add(mean, len(self._audio) // 2)
        self._recognizer.start(self._origin, self._mean.value)
        self._fed = 0
        self._search()

    def _finish(self, cut: int) -> None:
        self._search()
        if not self._measured:
            self._measure()
        self._say_heard(self._recognizer.finish())
        cut = max(cut, min(self._said_until, self._end))
        self._drop_before(cut)
        self._settle(cut)

    def _say_heard(self, words: tuple[Word, ...]) -> None:
        for word in sorted(words, key=lambda word: word.start):
            if word.start >= self._said_until:
                self._said_until = word.end
                self._say(EventKind.START, time=word.start)
                self._settle(min(word.end, self._end))
                self._say(EventKind.FINAL, (word,))
                self._say(EventKind.END, time=word.end)
