"""pocketsphinx behind a typed face that does not fall into its traps.

What is known about the library (5.0.4 to 5.1.1), each found by running it:

- The acoustic model wants its cepstral mean right: the same clip decodes at 0.25 or at more than 1.0 word error rate
  depending on it. A decoder fed in pieces starts from a default mean, adapts it only after 8 s, and then takes it along
  into whatever is decoded next.
- The noise tracker and the Gaussian cache survive an utterance too; only ``reinit()`` makes a used decoder equal to a
  new one, to the last bit.
- ``process_raw`` raises IndexError for ``b""``, drops the last byte of an odd count, and does nothing outside an
  utterance.
- ``seg()`` may be ``None``; it mixes silences and noises (``<sil>``, ``[NOISE]``) and pronunciation variants
  (``was(2)``) into the words. ``hyp().prob`` says nothing; a segment's ``prob`` does after a best-path search over a
  word lattice.
- Every call holds the GIL, up to seconds: only a process of its own keeps an event loop alive (:mod:`.worker`).
"""

from __future__ import annotations

import importlib
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

from stt_core.errors import MissingExtraError

from .dictionary import Pronunciation, arpa_words, dictionary_of, read_pronunciations
from .task import Task

__all__ = ["FRAME", "PRIOR_MEAN", "SAMPLE_RATE", "MeanEstimator", "Recognizer", "Segment", "Vad", "Word", "new_vad"]

SAMPLE_RATE = 16000
"""Samples per second that the model was trained on; all positions in this package are counted in them."""

FRAME = 160
"""Samples per decoder frame (10 ms)."""

PRIOR_MEAN = (54.0, 2.5, -2.0, 10.0, -6.0, 1.5, -6.0, -3.0, 0.0, -1.5, 0.0, -1.5, 1.0)
"""Cepstral mean over other speakers and channels: what to assume before anything was heard."""

_VARIANT = re.compile(r"\(\d+\)$")
_NO_WORD = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+|\(NULL\)")


class Segment(Protocol):
    """A stretch of frames, its last one included, with the likelihood of its audio."""

    word: str
    start_frame: int
    end_frame: int
    prob: float
    ascore: float


class _Decoder(Protocol):
    def start_utt(self) -> None: ...
    def end_utt(self) -> None: ...
    def process_raw(self, data: bytes, no_search: bool = ..., full_utt: bool = ...) -> object: ...
    def seg(self) -> Iterable[Segment] | None: ...
    def get_lattice(self) -> object | None: ...
    def get_cmn(self) -> str: ...
    def set_cmn(self, cmn: str) -> None: ...
    def reinit(self) -> None: ...
    def reinit_feat(self) -> None: ...
    def lookup_word(self, word: str) -> str | None: ...
    def add_word(self, word: str, phones: str, update: bool = ...) -> object: ...
    def create_fsg(self, name: str, start_state: int, final_state: int, transitions: object) -> object: ...
    def add_fsg(self, name: str, fsg: object) -> None: ...
    def add_allphone_file(self, name: str) -> None: ...
    def add_kws(self, name: str, keyfile: str) -> None: ...
    def activate_search(self, search_name: str) -> None: ...


class _PocketSphinx(Protocol):
    def Decoder(self, **settings: object) -> _Decoder: ...  # noqa: N802 - the library's name


class Vad(Protocol):
    """One stream's voice activity detector; it adapts to what it hears."""

    def is_speech(self, buf: bytes, sample_rate: int) -> bool:
        """Whether 10, 20 or 30 ms of 16-bit samples are voiced."""
        ...


class _WebRtcVad(Protocol):
    def Vad(self, mode: int) -> Vad: ...  # noqa: N802 - the library's name


def _extra(module: str) -> object:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'the embedded engine needs the package {module}: pip install "stt-core[local]"', provider="pocketsphinx"
        ) from error


def new_vad(mode: int) -> Vad:
    """A WebRTC voice activity detector; ``mode`` 0 calls most things speech, 3 fewest."""
    return cast("_WebRtcVad", _extra("webrtcvad")).Vad(mode)


def _new_decoder(**settings: object) -> _Decoder:
    # fwdflat off: the second pass costs latency at the end of an utterance and gains nothing once the mean is right.
    return cast("_PocketSphinx", _extra("pocketsphinx")).Decoder(fwdflat=False, loglevel="FATAL", **settings)


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word.

    Attributes:
        text: lower case, without punctuation, as in the model's dictionary.
        start: position of its first sample.
        end: position after its last sample.
        confidence: posterior of the word in the lattice, 0 to 1; ``None`` in a hypothesis and where no lattice was
            built.
    """

    text: str
    start: int
    end: int
    confidence: float | None = None


class MeanEstimator:
    """The cepstral mean of a piece of speech, as a function of its samples alone.

    A decoder that spots one phrase is the cheapest way to the mean: about 25 ms per second of audio.
    """

    def __init__(self) -> None:
        self._decoder = _new_decoder(keyphrase="hello")

    def __call__(self, pcm: bytes) -> tuple[float, ...] | None:
        """The mean over ``pcm``; ``None`` if it holds nothing to measure (less than a frame, or digital silence)."""
        pcm = pcm[: len(pcm) & ~1]
        if not pcm:
            return None
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, no_search=True, full_utt=True)
        self._decoder.end_utt()
        mean = tuple(float(part) for part in self._decoder.get_cmn().split(","))
        # The mean of no frames is nan in every place.
        return mean if all(value == value for value in mean) else None


class Recognizer:
    """One utterance after another: ``start``, ``feed`` and ``hypothesis`` as often as wanted, ``finish``.

    Args:
        task: what to listen for; here it is dictation.
        settings: more of the decoder's own.

    Raises:
        RuntimeError, ValueError: the decoder does not take the task.
    """

    def __init__(self, task: Task | None = None, **settings: object) -> None:
        self._task = task or Task()
        self._dictionary: IO[str] | None = None
        if self._task.language_model is not None:
            settings["lm"] = self._task.language_model
            settings |= self._small_dictionary(self._task.language_model)
        self._decoder = _new_decoder(**settings)
        self._origin = 0
        self._prepare()

    def reset(self) -> None:
        """Forget everything heard: afterwards the decoder is as a new one (about 0.2 s)."""
        self._decoder.reinit()
        self._prepare()

    @property
    def mean(self) -> tuple[float, ...]:
        """The cepstral mean that the next utterance would start from, adapted to the last one."""
        return tuple(float(part) for part in self._decoder.get_cmn().split(","))

    def start(self, origin: int, mean: Sequence[float] | None = None) -> None:
        """Begin an utterance whose first sample is at position ``origin``; without ``mean`` the last one goes on."""
        if mean is not None:
            self._decoder.set_cmn(",".join(f"{value:.6g}" for value in mean))
        self._origin = origin
        self._decoder.start_utt()

    def feed(self, pcm: bytes) -> None:
        """Decode whole samples."""
        if pcm:
            self._decoder.process_raw(pcm)

    def hypothesis(self) -> tuple[Word, ...]:
        """The words so far; any of them may still change."""
        return self._words(confident=False)

    def cancel(self) -> None:
        """End the utterance; nobody wants its words."""
        self._decoder.end_utt()

    def finish(self) -> tuple[Word, ...]:
        """End the utterance and give its words. Takes up to 20 ms per second of the utterance."""
        self._decoder.end_utt()
        return self._words(confident=self._decoder.get_lattice() is not None)

    def _prepare(self) -> None:
        """What a decoder has to be told before its first utterance."""
        added = [] if self._dictionary is not None else self._added()
        for at, (word, phones) in enumerate(added, 1):
            variant, number = word, 1
            while self._decoder.lookup_word(variant) is not None:
                number += 1
                variant = f"{word}({number})"
            # The search is told of new words once.
            self._decoder.add_word(variant, phones, at == len(added))

    def _added(self) -> list[Pronunciation]:
        lines = list(self._task.pronunciations)
        if self._task.dictionary is not None:
            lines += Path(self._task.dictionary).read_text("utf-8").splitlines()
        return list(read_pronunciations(lines))

    def _small_dictionary(self, model: str) -> dict[str, object]:
        """A dictionary of the model's words alone: with 134,000 others pocketsphinx takes minutes to load it."""
        with Path(model).open(encoding="utf-8", errors="replace") as file:
            words = arpa_words(file)
        if words is None:
            return {}
        # Kept as long as the decoder, which reads it again when it is reset.
        self._dictionary = tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".dict")  # noqa: SIM115
        self._dictionary.write(dictionary_of(words, self._added()))
        self._dictionary.flush()
        return {"dict": self._dictionary.name}

    def _segments(self) -> list[Segment]:
        """The segments that are words."""
        return [each for each in self._decoder.seg() or () if not _NO_WORD.fullmatch(each.word)]

    def _word(self, segment: Segment, confidence: float | None = None) -> Word:
        return Word(
            _VARIANT.sub("", segment.word),
            self._origin + segment.start_frame * FRAME,
            self._origin + (segment.end_frame + 1) * FRAME,
            confidence,
        )

    def _words(self, *, confident: bool) -> tuple[Word, ...]:
        # Rounding in the log domain gives 1.0001.
        return tuple(self._word(segment, min(1.0, segment.prob) if confident else None) for segment in self._segments())
