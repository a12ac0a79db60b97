"""Where a server half gets recognition from: any provider."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..provider import Always

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..audio.frames import AudioFormat, Encoding
    from ..audio.source import AudioLike
    from ..provider import ModelFamily
    from ..stream import RecognizeStream
    from ..stt import STT
    from ..transcript import Transcript

__all__ = ["Backend"]

logger = logging.getLogger("stt_core.server")


def _takes(family: ModelFamily, option: str, value: object) -> bool:
    declared = family.portable.get(option)
    return declared.value == value if isinstance(declared, Always) else family.takes(option)


class Backend:
    """The provider behind a server.

    A client's *wishes* are options under the library's names: portable ones, or those of the vendor's own model, which
    the provider behind has when it is the same vendor. What it does not have is left out, because the vendor's client
    cannot know who answers, and many send their defaults. A value that it has the option for and does not accept
    is an error, and so is a language that it does not speak: the wrong one would be transcribed as nonsense.
    """

    def __init__(self, stt: STT) -> None:
        self.stt = stt

    @property
    def language(self) -> str | None:
        """What it recognises when a client does not say: BCP-47, ``None`` if that is the provider's to know."""
        return self.stt.settings.language

    def takes(self, option: str, value: object) -> bool:
        """Whether the model behind has this option; of one without a switch, whether this is how it always is."""
        return all(_takes(settings.family, option, value) for settings in self.stt.members)

    def speaks(self, language: str) -> bool:
        """Whether the model behind takes this language, a BCP-47 tag."""
        try:
            for settings in self.stt.members:
                settings.family.match_language(language)
        except ConfigError:
            return False
        return True

    async def recognize(
        self,
        audio: AudioLike,
        *,
        language: str | None = None,
        sample_rate: int | None = None,
        channels: int | None = None,
        encoding: Encoding | None = None,
        wishes: Mapping[str, object] | None = None,
    ) -> Transcript:
        """See :meth:`stt_core.stt.STT.recognize`."""
        return await self.stt.recognize(
            audio,
            language=language,
            sample_rate=sample_rate,
            channels=channels,
            encoding=encoding,
            timeout=None,
            poll_interval=None,
            backoff=None,
            max_poll_interval=None,
            on_progress=None,
            **self.options(wishes),
        )

    def stream(
        self, audio_format: AudioFormat, *, language: str | None = None, wishes: Mapping[str, object] | None = None
    ) -> RecognizeStream:
        """See :meth:`stt_core.stt.STT.stream`."""
        return self.stt.stream(
            sample_rate=audio_format.sample_rate,
            channels=audio_format.channels,
            encoding=audio_format.encoding,
            language=language,
            source=None,
            **self.options(wishes),
        )

    def options(self, wishes: Mapping[str, object] | None) -> dict[str, object]:
        """The wishes that the model behind has an option for; ``None`` is no wish."""
        given = {name: value for name, value in (wishes or {}).items() if value is not None}
        taken = {name: value for name, value in given.items() if self.takes(name, value)}
        if given.keys() - taken.keys():
            left_out = ", ".join(sorted(given.keys() - taken.keys()))
            logger.debug("%r has no %s: left out", self.stt, left_out)
        return taken
