"""The embedded engine: samples in, words out. No I/O, no clock.

Audio is 16 kHz mono s16le. Every time is a position: samples since the first one of the session, exact whatever the
sizes of the pieces it came in.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .decoder import PRIOR_MEAN, SAMPLE_RATE, MeanEstimator, Recognizer, Word
from .endpoint import FRAME_BYTES, FRAME_SAMPLES, Endpointer, Endpointing, quietest

__all__ = ["Event", "EventKind", "FileSession", "LiveSession", "Mean", "Session", "Stabiliser"]

_PIECE = 5 * FRAME_BYTES
"""Decoded at once (100 ms): interims are looked for, and a session can be given up, between two of them."""

_MINUTE = 60 * SAMPLE_RATE


class EventKind(enum.IntEnum):
    """What an :class:`Event` says. The numbers are those of the wire."""

    PROGRESS = 0
    """Nothing but its positions."""

    START = 1
    """Speech began at ``time``."""

    INTERIM = 2
    """``words`` are what was said since the last FINAL or START, as far as it is stable."""

    FINAL = 3
    """``words``, never empty, do not change any more."""

    END = 4
    """Speech ended at ``time``."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a session has to say.

    Attributes:
        kind: what it is.
        position: all audio before it has been taken in.
        settled: all audio before it has been recognised for good: its words are in this FINAL or in earlier ones. Never
            decreases.
        time: position of the speech boundary with START and END, else equal to ``settled``.
        words: with INTERIM and FINAL.
    """

    kind: EventKind
    position: int
    settled: int
    time: int
    words: tuple[Word, ...] = ()


class Stabiliser:
    """Keeps back the end of a hypothesis until it has been the same a few times in a row.

    Asked every 100 ms, two of three raw hypotheses take back a word already shown; three that agree, one of ten, and
    the words come 0.2 s later.
    """

    def __init__(self, agreeing: int = 3) -> None:
        self._agreeing = agreeing
        self._recent: list[list[str]] = []
        self._shown: list[str] = []

    def push(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """The words to show now; ``()`` when there is nothing new to show."""
        texts = [word.text for word in words]
        self._recent = [*self._recent, texts][-self._agreeing :]
        if len(self._recent) < self._agreeing:
            return ()
        stable = 0
        for column in zip(*self._recent, strict=False):
            if len(set(column)) > 1:
                break
            stable += 1
        # A shorter prefix of what is shown is a word in doubt, not a correction: wait for what it becomes.
        if texts[:stable] == self._shown[:stable]:
            return ()
        self._shown = texts[:stable]
        return tuple(words[:stable])

    def restart(self) -> None:
        """Begin a new utterance."""
        self._recent.clear()
        self._shown.clear()


class Mean:
    """The cepstral mean of about the last minute of speech, leaning on that of other speakers while there is little."""

    def __init__(self) -> None:
        self.value: tuple[float, ...] = PRIOR_MEAN
        self._weight = SAMPLE_RATE // 2

    def add(self, mean: Sequence[float], samples: int) -> None:
        """Take in the mean of another ``samples`` of speech."""
        old = min(self._weight, max(0, _MINUTE - samples))
        self._weight = old + samples
        pairs = zip(self.value, mean, strict=True)
        self.value = tuple((before * old + now * samples) / self._weight for before, now in pairs)


class Session(ABC):
    """One stretch of audio being recognised, alone with its recognizer, which was reset before."""

    def __init__(
        self,
        recognizer: Recognizer,
        estimator: MeanEstimator,
        settings: Endpointing,
        emit: Callable[[Event], None],
    ) -> None:
        self._recognizer = recognizer
        self._estimator = estimator
        self._emit = emit
        self._endpointer = Endpointer(settings)
        self._pre_roll = round(settings.pre_roll * SAMPLE_RATE)
        self._max_samples = round(settings.max_speech * SAMPLE_RATE)
        self._mean = Mean()
        self._pending = b""  # less than a frame
        # Whole frames from self._origin on: the open utterance with its pre-roll, or what may become the pre-roll of
        # the next.
        self._audio = bytearray()
        self._origin = 0
        self._settled = 0

    def feed(self, data: bytes) -> None:
        """Take audio of any length; an odd byte waits for its other half."""
        data = self._pending + data
        whole = len(data) - len(data) % FRAME_BYTES
        self._pending = b""
        for at in range(0, whole, FRAME_BYTES):
            frame = data[at : at + FRAME_BYTES]
            changed = self._endpointer.push(frame)
            self._audio += frame
            self._frame(changed=changed)
        self._pending = data[whole:]
        self._say(EventKind.PROGRESS)

    @property
    def position(self) -> int:
        """Whole samples taken in."""
        return self._end + len(self._pending) // 2

    @abstractmethod
    def flush(self) -> int:
        """Recognise at once what was taken in; gives the position up to which everything is settled."""

    @abstractmethod
    def _frame(self, *, changed: bool) -> None:
        """A frame was added to the audio; whether it began or ended speech."""

    @property
    def _end(self) -> int:
        return self._origin + len(self._audio) // 2

    @property
    def _onset(self) -> int:
        return self._end - self._endpointer.onset_frames * FRAME_SAMPLES

    @property
    def _voiced_end(self) -> int:
        return self._end - self._endpointer.silent_frames * FRAME_SAMPLES

    def _take_pending(self) -> None:
        whole = len(self._pending) & ~1
        self._audio += self._pending[:whole]
        self._pending = self._pending[whole:]

    def _drop_before(self, position: int) -> None:
        if position > self._origin:
            del self._audio[: 2 * (position - self._origin)]
            self._origin = position

    def _settle(self, position: int) -> None:
        self._settled = max(self._settled, position)

    def _say(self, kind: EventKind, words: tuple[Word, ...] = (), *, time: int | None = None) -> None:
        self._emit(Event(kind, self.position, self._settled, self._settled if time is None else time, words))


class LiveSession(Session):
    """Speech as it comes: START, INTERIM, FINAL and END, with the FINAL soon after the speaker stops.

    The first utterance is decoded with the mean of other speakers until a second of speech has been heard; then the
    mean is measured and the utterance decoded anew with it. Later utterances carry it on.

    An utterance of ``max_speech`` seconds is finalised up to its quietest recent moment and goes on from there, within
    the same START and END.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        estimator: MeanEstimator,
        settings: Endpointing,
        emit: Callable[[Event], None],
    ) -> None:
        super().__init__(recognizer, estimator, settings, emit)
        self._stabiliser = Stabiliser()
        self._started_at = 0
        self._fed = 0  # bytes of self._audio that the recognizer has
        self._measured = False

    def flush(self) -> int:
        """Finalise at once what is open; gives the position up to which everything is settled."""
        if self._endpointer.speaking:
            voiced_end = self._voiced_end
            self._take_pending()
            self._finish(cut=self._end, voiced_end=voiced_end)
            self._endpointer.restart()
        else:
            self._settle(self._onset if self._endpointer.onset_frames else self.position)
        return self._settled

    def _frame(self, *, changed: bool) -> None:
        if self._endpointer.speaking:
            if changed:
                self._start()
            elif len(self._audio) - self._fed >= _PIECE:
                self._decode()
        elif changed:
            # Half of the silence stays for the pre-roll of the next utterance.
            self._finish(
                cut=self._end - self._endpointer.silent_frames // 2 * FRAME_SAMPLES, voiced_end=self._voiced_end
            )
        else:
            self._drop_before(self._onset - self._pre_roll)
            self._settle(self._origin)

    def _start(self) -> None:
        self._started_at = self._onset
        self._drop_before(self._onset - self._pre_roll)
        self._settle(self._origin)
        self._say(EventKind.START, time=self._onset)
        self._fed = 0
        self._recognizer.start(self._origin, None if self._measured else self._mean.value)
        self._decode()

    def _decode(self) -> None:
        self._catch_up()
        if not self._measured and self._end - self._started_at >= SAMPLE_RATE:
            self._measure()
        if len(self._audio) >= 2 * self._max_samples:
            self._split()
        elif words := self._stabiliser.push(self._recognizer.hypothesis()):
            self._say(EventKind.INTERIM, words)

    def _catch_up(self) -> None:
        while self._fed < len(self._audio):
            piece = bytes(self._audio[self._fed : self._fed + _PIECE])
            self._recognizer.feed(piece)
            self._fed += len(piece)
            self._say(EventKind.PROGRESS)

    def _measure(self) -> None:
        mean = self._estimator(bytes(self._audio))
        if mean is None:
            return
        self._mean.add(mean, len(self._audio) // 2)
        self._measured = True
        self._recognizer.cancel()
        self._recognizer.start(self._origin, self._mean.value)
        self._fed = 0
        self._catch_up()

    def _finish(self, *, cut: int, voiced_end: int) -> None:
        self._catch_up()
        if not self._measured:
            self._measure()
        words = self._recognizer.finish()
        if words:
            cut = max(cut, min(words[-1].end, self._end))
        self._finalise(words, cut)
        self._say(EventKind.END, time=max(voiced_end, self._started_at))

    def _split(self) -> None:
        words = self._recognizer.finish()
        middle = len(self._audio) // 4
        # Three seconds to choose from: what follows the cut is decoded twice.
        cut = self._origin + quietest(bytes(self._audio), max(middle, len(self._audio) // 2 - 3 * SAMPLE_RATE))
        for word in words:
            if word.start < cut < word.end:
                early = word.start + word.end >= 2 * cut and word.start > self._origin + middle
                cut = word.start if early else min(word.end, self._end)
        self._finalise(tuple(word for word in words if word.end <= cut), cut)
        self._recognizer.start(self._origin)
        self._fed = 0
        self._catch_up()

    def _finalise(self, words: tuple[Word, ...], cut: int) -> None:
        self._stabiliser.restart()
        self._drop_before(cut)
        self._settle(cut)
        if words:
            self._say(EventKind.FINAL, words)


class FileSession(Session):
    """Recorded audio: only FINALs, one per stretch of speech, as accurate as the engine gets.

    The mean is measured over a minute of speech before any of it is decoded. That is the whole file for a short one;
    for a long one it keeps memory constant and takes the audio once, so that it may come from a pipe, and it follows a
    recording whose speaker or channel changes.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        estimator: MeanEstimator,
        settings: Endpointing,
        emit: Callable[[Event], None],
    ) -> None:
        super().__init__(recognizer, estimator, settings, emit)
        self._segments: list[tuple[int, bytes]] = []
        self._speech = 0

    def flush(self) -> int:
        """Decode all that was taken in; gives the position up to which everything is settled."""
        self._take_pending()
        if self._endpointer.speaking:
            self._endpointer.restart()
            self._close(self._end)
        self._decode()
        self._settle(self._end)
        return self._settled

    def _frame(self, *, changed: bool) -> None:
        if not self._endpointer.speaking and changed:
            # Half of the silence stays for the pre-roll of the next segment.
            self._close(self._end - self._endpointer.silent_frames // 2 * FRAME_SAMPLES)
        elif changed or not self._endpointer.speaking:
            self._drop_before(self._onset - self._pre_roll)
            if not self._segments:
                self._settle(self._origin)
        elif len(self._audio) >= 2 * self._max_samples:
            size = len(self._audio) // 2
            self._close(self._origin + quietest(bytes(self._audio), max(size // 2, size - 5 * SAMPLE_RATE)))

    def _close(self, end: int) -> None:
        pcm = bytes(self._audio[: 2 * (end - self._origin)])
        self._segments.append((self._origin, pcm))
        self._drop_before(end)
        mean = self._estimator(pcm)
        if mean is not None:
            self._mean.add(mean, len(pcm) // 2)
        self._speech += len(pcm) // 2
        self._say(EventKind.PROGRESS)
        if self._speech >= _MINUTE:
            self._decode()

    def _decode(self) -> None:
        for origin, pcm in self._segments:
            self._recognizer.start(origin, self._mean.value)
            for at in range(0, len(pcm), _PIECE):
                self._recognizer.feed(pcm[at : at + _PIECE])
                self._say(EventKind.PROGRESS)
            words = self._recognizer.finish()
            self._settle(origin + len(pcm) // 2)
            if words:
                self._say(EventKind.FINAL, words)
        self._segments.clear()
        self._speech = 0
