"""What Cartesia's two realtime surfaces have in common as codecs: see :mod:`stt_core.transport.codec`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from stt_core.audio.frames import AudioFormat
from stt_core.errors import ConfigError, ProtocolError
from stt_core.transport.codec import CodecPolicy, Failed

from .errors import read_error
from .options import CARRIES, Surface, surface_of
from .wire import BASE_URL, SECRET_PARAMETERS, half_floats, parse, query

if TYPE_CHECKING:
    from stt_core.registry import Resolved
    from stt_core.transport.codec import Message

    from .wire import WireEncoding

__all__ = ["MAX_PACE", "RealtimeCodec", "vendor_fields"]

MAX_PACE = 1.5
"""Times real time. Third parties report that bursts of a second are fine and long ones are not."""

LOWEST_RATE, HIGHEST_RATE = 8000, 48000
"""Hz. Between them Cartesia names no closed list, and a wrong rate is heard as noise: no error tells."""

_CONNECTION = ("api_version", "idle_silence_after", "upstream_encoding")
"""Options beside the query that hold for a whole connection."""

_UNSPACED = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Scripts without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, kana, Chinese."""


class RealtimeCodec:
    """What both surfaces have in common.

    Args:
        settings: of the stream.
        pushed: the format of the audio as it is pushed.
        base_url: of the API.
    """

    surface: Surface
    path: str
    policy: CodecPolicy

    def __init__(self, settings: Resolved, pushed: AudioFormat, *, base_url: str = BASE_URL) -> None:
        rate = settings.stream["upstream_sample_rate"] or min(max(pushed.sample_rate, LOWEST_RATE), HIGHEST_RATE)
        chosen = cast("WireEncoding", settings.options.get("upstream_encoding", pushed.encoding))
        self.wire_encoding: WireEncoding = chosen
        self.audio_format = AudioFormat(rate, 1, "pcm_f32le" if chosen == "pcm_f16le" else chosen)
        self.carries = CARRIES[self.surface]
        self._base_url = base_url
        self.settings = settings
        self._sent = 0  # bytes
        self._ending = False
        self._worked = False  # whether an answer has shown that the settings are accepted
        self._attach: bool | None = None  # whether a space stands before the next text; None: it is the first

    @property
    def url(self) -> str:
        """Where to connect; it holds no secret."""
        scheme, _, rest = self._base_url.rstrip("/").partition("://")
        scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
        return f"{scheme}://{rest}{self.path}?{self._query(self.settings)}"

    def _query(self, settings: Resolved, *, without: Sequence[str] = ()) -> str:
        fields = {
            "model": settings.model,
            "encoding": self.wire_encoding,
            "sample_rate": self.audio_format.sample_rate,
            **self._own_fields(settings),
            **vendor_fields(settings),
        }
        return query((name, value) for name, value in fields.items() if name not in without)

    def _own_fields(self, settings: Resolved) -> dict[str, object]:
        raise NotImplementedError

    def opening(self) -> Iterable[Message]:
        """Nothing: the query has said everything."""
        return ()

    def audio(self, data: bytes) -> Message:
        """Bare samples in a binary frame."""
        self._sent += len(data)
        return half_floats(data) if self.wire_encoding == "pcm_f16le" else data

    def keep_alive(self) -> Message | None:
        """There is no such message; silence is sent instead."""
        return None

    def _in_place(self, settings: Resolved, *, without: Sequence[str] = ()) -> bool:
        """Whether these settings need no other connection."""
        before, after = self.settings, settings
        return (
            surface_of(after) == self.surface
            and self._query(after, without=without) == self._query(before, without=without)
            and after.stream["upstream_sample_rate"] == before.stream["upstream_sample_rate"]
            and all(after.options.get(name) == before.options.get(name) for name in _CONNECTION)
        )

    def _interims(self) -> bool:
        return self.settings.options.get("interim_results") is not False

    def _prefix(self, raw: str) -> str:
        """What attaches a text to the one before it, also to that of an earlier connection."""
        spaced = not _UNSPACED.match(raw) if self._attach is None else self._attach
        return " " if spaced or raw[:1].isspace() else ""

    def _fields(self, message: Message) -> Mapping[str, object]:
        if isinstance(message, bytes):
            raise ProtocolError(f"Cartesia sent a binary frame of {len(message)} bytes", provider="cartesia")
        return parse(message)

    def _failed(self, message: Mapping[str, object]) -> Failed:
        error = read_error(message)
        # What was refused once everything worked was a single request: the session goes on, or is closed with a reason.
        passing = error.status == 400 and self._worked and not self._ending
        return Failed(error.to_exception(retryable=self._worked), fatal=not passing)


def vendor_fields(settings: Resolved) -> Mapping[str, object]:
    """The fields of ``extra``, which go into the query or form as they are.

    Raises:
        ConfigError: one of them has no place there.
    """
    extra = settings.stt["extra"]
    for name, value in extra.items():
        if name in SECRET_PARAMETERS:
            raise ConfigError(
                f"extra: `{name}` would put a secret into a URL; pass it as api_key= or auth=", provider="cartesia"
            )
        items = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
        if not all(item is None or isinstance(item, str | int | float) for item in items):
            raise ConfigError(f"extra: `{name}` takes text, a number, true or false, or a list", provider="cartesia")
    return extra
