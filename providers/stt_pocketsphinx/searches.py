"""The searches beside dictation: a grammar, and phrases to be spotted."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace

from .decoder import Recognizer, Segment, Word
from .jsgf import Grammar
from .rejection import Scored, mismatch
from .task import Kind, Task

__all__ = ["GrammarRecognizer", "KeyphraseRecognizer", "new_recognizer"]

_GRAMMAR, _LOOP, _PHRASES = "grammar", "any sounds", "phrases"

_LOOP_SCALE = 1024
"""pocketsphinx gives the scores of a phone loop shifted by ten bits."""

_INSERTION = 0.05
"""What a word costs beside its likelihood: at pocketsphinx's own 0.65 breath and echo become digits."""

_SMALLEST = 5e-324


def new_recognizer(task: Task) -> Recognizer:
    """The recogniser for a task; loads its models.

    Raises:
        RuntimeError, ValueError: the decoder does not take them.
    """
    kinds = {Kind.DICTATION: Recognizer, Kind.GRAMMAR: GrammarRecognizer, Kind.KEYPHRASE: KeyphraseRecognizer}
    return kinds[task.kind](task)


class GrammarRecognizer(Recognizer):
    """Recognises whole utterances, each with its own mean, and rejects those that the grammar does not explain."""

    def __init__(self, task: Task) -> None:
        self._pcm = bytearray()
        # All sounds are scored in every frame: the scores are relative to the best, which has to be the same one for
        # the grammar and the loop.
        super().__init__(task, lm=None, compallsen=True, wip=_INSERTION)

    def start(self, origin: int, mean: Sequence[float] | None = None) -> None:
        """See :class:`Recognizer`."""
        self._pcm.clear()
        self._origin = origin
        if self._task.interims:
            super().start(origin, mean)

    def feed(self, pcm: bytes) -> None:
        """See :class:`Recognizer`."""
        self._pcm += pcm
        if self._task.interims:
            super().feed(pcm)

    def hypothesis(self) -> tuple[Word, ...]:
        """See :class:`Recognizer`; nothing where the task wants none."""
        return super().hypothesis() if self._task.interims else ()

    def cancel(self) -> None:
        """See :class:`Recognizer`."""
        if self._task.interims:
            super().cancel()

    def finish(self) -> tuple[Word, ...]:
        """End the utterance and give its words, none if they are not what was said. Takes about 80 ms per second."""
        mean = None
        if self._task.interims:
            self._decoder.end_utt()
            mean = self._decoder.get_cmn()
        words = self._decode(_GRAMMAR)
        found = tuple(map(self._word, words))
        if words and self._task.rejection is not None:
            scores = [_scored(each, 1) for each in words]
            sounds = [_scored(each, _LOOP_SCALE) for each in self._decode(_LOOP)]
            self._decoder.activate_search(_GRAMMAR)
            if mismatch(scores, sounds) > self._task.rejection:
                found = ()
        if mean is not None:
            self._decoder.set_cmn(mean)
        return found

    def _prepare(self) -> None:
        super()._prepare()
        arcs = Grammar(self._task.grammar).network().arcs
        transitions = [arc if arc.word is not None else arc[:3] for arc in arcs]
        self._decoder.add_fsg(_GRAMMAR, self._decoder.create_fsg(_GRAMMAR, 0, 1, transitions))
        self._decoder.add_allphone_file(_LOOP)
        self._decoder.activate_search(_GRAMMAR)

    def _decode(self, search: str) -> list[Segment]:
        self._decoder.activate_search(search)
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        if self._pcm:
            self._decoder.process_raw(bytes(self._pcm), full_utt=True)
        self._decoder.end_utt()
        return self._segments() if search == _GRAMMAR else list(self._decoder.seg() or ())


def _scored(segment: Segment, scale: int) -> Scored:
    return Scored(segment.start_frame, segment.end_frame, scale * math.log(max(segment.ascore, _SMALLEST)))


class KeyphraseRecognizer(Recognizer):
    """Spots phrases; each is one :class:`.decoder.Word`, spaces included."""

    def __init__(self, task: Task) -> None:
        super().__init__(task, lm=None)

    def _prepare(self) -> None:
        super()._prepare()
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".list") as file:
            file.writelines(f"{phrase} /{threshold:g}/\n" for phrase, threshold in self._task.keyphrases)
            file.flush()
            self._decoder.add_kws(_PHRASES, file.name)
        self._decoder.activate_search(_PHRASES)

    def hypothesis(self) -> tuple[Word, ...]:
        """What was spotted so far, each phrase about 0.1 s after its end."""
        return tuple(replace(word, text=word.text.strip()) for word in super().hypothesis())

    def finish(self) -> tuple[Word, ...]:
        """End the utterance and give what was spotted in it."""
        self._decoder.end_utt()
        return self.hypothesis()
