"""Template's protocol, both directions, without a socket, an event loop or a clock.

``{base_url}/v1/live`` is a WebSocket. The client's messages, and what the server says to them:

==================  ===============================================================================
``start``           ``ready``, with the session's id. Settings that are left out are Template's own
binary              samples as ``start`` said; ``partial`` with the text so far, ``final`` with words
``flush``           the ``final`` of everything before it, then ``flushed``
``set``             nothing; ``end_silence`` is another from here on
``alive``           nothing; without any message for four seconds the session is over
``end``             the last ``final``, then ``done``
anything wrong      ``error``, and the socket is closed
==================  ===============================================================================

``POST {base_url}/v1/files`` takes a form with ``file``, ``model`` and ``language``, and answers with a
:class:`Transcription`. Whatever is refused over HTTP is answered with a :class:`Refusal`. Both are signed with
``Authorization: Bearer KEY``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NotRequired, Required

from pydantic import TypeAdapter
from pydantic_core import to_json
from typing_extensions import TypedDict

from stt_core.audio.frames import AudioFormat
from stt_core.errors import APIError
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, Word
from stt_core.transport.codec import Acknowledged, CodecPolicy, Failed, Finished, IdlePolicy, Opened

from .options import CARRIES

if TYPE_CHECKING:
    from stt_core.audio.frames import Encoding
    from stt_core.registry import Resolved
    from stt_core.transport.codec import Incoming, Message

__all__ = [
    "BASE_URL",
    "CLIENT",
    "DECODED",
    "ENCODINGS",
    "FILE_PATH",
    "IDLE_SECONDS",
    "LIVE_PATH",
    "REFUSAL",
    "REQUEST_ID_HEADER",
    "TRANSCRIPTION",
    "ClientMessage",
    "Refusal",
    "ServerMessage",
    "TemplateCodec",
    "Transcription",
    "WireError",
    "WireWord",
    "dump",
    "to_exception",
    "to_words",
]

BASE_URL = "https://api.template.example"
LIVE_PATH = "/v1/live"
FILE_PATH = "/v1/files"
REQUEST_ID_HEADER = "X-Request-Id"

IDLE_SECONDS = 4.0
"""Without a message for so long the server takes the session to be over."""

LOWEST_RATE, HIGHEST_RATE = 8000, 48000
"""Hz. Between them Template takes any."""

WireEncoding = Literal["s16le", "mulaw"]
ENCODINGS: Mapping[Encoding, WireEncoding] = {"pcm_s16le": "s16le", "pcm_mulaw": "mulaw"}
DECODED: Mapping[WireEncoding, Encoding] = {theirs: ours for ours, theirs in ENCODINGS.items()}


class ClientMessage(TypedDict, total=False):
    """From the client. Everything but the type is for ``start``, and ``end_silence`` for ``set`` too."""

    type: Required[Literal["start", "flush", "set", "alive", "end"]]
    model: str | None
    language: str | None
    encoding: WireEncoding
    sample_rate: int
    end_silence: float | None


class WireWord(TypedDict):
    """Times in seconds since the session's first sample."""

    text: str
    start: float
    end: float


class WireError(TypedDict):
    """``status`` as in HTTP."""

    status: int
    code: str
    message: str


class ServerMessage(TypedDict, total=False):
    """From the server: ``session`` for ``ready``, ``text`` and ``words`` for texts, ``error`` for ``error``."""

    type: Required[str]
    session: str
    text: str
    words: list[WireWord]
    error: WireError


class Transcription(TypedDict):
    """The answer to a file."""

    text: str
    words: NotRequired[list[WireWord]]


class Refusal(TypedDict):
    """The body of any answer that is not 200."""

    error: WireError


CLIENT, SERVER = TypeAdapter(ClientMessage), TypeAdapter(ServerMessage)
TRANSCRIPTION, REFUSAL = TypeAdapter(Transcription), TypeAdapter(Refusal)


def dump(message: Mapping[str, object]) -> str:
    """As it goes over the wire."""
    return to_json(message).decode()


def to_words(words: Sequence[WireWord] | None) -> list[Word] | None:
    """As the library has them."""
    return None if words is None else [Word(word["text"], word["start"], word["end"]) for word in words]


def to_exception(error: WireError) -> APIError:
    """As the library raises it."""
    kind = APIError.for_status(error["status"])
    return kind(f"Template: {error['message']}", status=error["status"], code=error["code"], provider="template")


class TemplateCodec:
    """One session; see :class:`stt_core.transport.codec.Codec` for what each method is for.

    Args:
        settings: of the stream.
        pushed: the format of the audio as it is pushed.
    """

    carries = CARRIES
    policy = CodecPolicy(
        ready="message",
        flush="native",
        ends="message",
        idle=IdlePolicy(IDLE_SECONDS / 2, silence=0.0),
        end_close_codes=frozenset(),  # `done` is the acknowledgement: a close without it has kept words to itself
    )

    def __init__(self, settings: Resolved, pushed: AudioFormat) -> None:
        self._pushed = pushed
        self._settings = settings
        encoding: Encoding = pushed.encoding if pushed.encoding in ENCODINGS else "pcm_s16le"
        self.audio_format = AudioFormat(self._rate(settings), 1, encoding)

    def opening(self) -> Iterable[Message]:
        """Everything that there is to say about the session."""
        return (dump({"type": "start", **self._fields(self._settings)}),)

    def audio(self, data: bytes) -> Message:
        """Bare samples."""
        return data

    def flush(self) -> Iterable[Message]:
        """Template says ``flushed`` when it has said the finals."""
        return (dump(ClientMessage(type="flush")),)

    def end(self) -> Iterable[Message]:
        """Template says ``done`` when it has said everything."""
        return (dump(ClientMessage(type="end")),)

    def keep_alive(self) -> Message | None:
        """Sent by ``policy.idle`` while no audio comes."""
        return dump(ClientMessage(type="alive"))

    def update(self, settings: Resolved) -> Iterable[Message] | None:
        """In band for what ``set`` takes; all else is for ``start``, and so for another connection."""
        before, after = self._fields(self._settings), self._fields(settings)
        changed = {name: value for name, value in after.items() if value != before.get(name)}
        if changed.keys() - {"end_silence"}:
            return None
        self._settings = settings
        return (dump({"type": "set", **changed}),)

    def receive(self, message: Message) -> Sequence[Incoming]:
        """What cannot be read raises, and costs the connection; an unknown type is nothing to complain about."""
        said = SERVER.validate_json(message)
        match said["type"]:
            case "ready":
                return (Opened(said.get("session")),)
            case "partial":
                return (_event(SpeechEventType.INTERIM_TRANSCRIPT, said),)
            case "final":
                return (_event(SpeechEventType.FINAL_TRANSCRIPT, said),)
            case "flushed":
                return (Acknowledged(),)
            case "done":
                return (Finished(),)
            case "error":
                return (Failed(to_exception(said.get("error", _UNEXPLAINED))),)
            case _:
                return ()

    def _rate(self, settings: Resolved) -> int:
        wanted = settings.stream["upstream_sample_rate"]
        return wanted or min(max(self._pushed.sample_rate, LOWEST_RATE), HIGHEST_RATE)

    def _fields(self, settings: Resolved) -> dict[str, object]:
        return {
            "model": settings.model,
            "language": settings.vendor_language,
            "encoding": ENCODINGS.get(self._pushed.encoding, "s16le"),
            "sample_rate": self._rate(settings),
            "end_silence": settings.options.get("end_silence"),
            **settings.stt["extra"],
        }


_UNEXPLAINED = WireError(status=500, code="unknown", message="an error without a reason")


def _event(kind: SpeechEventType, said: ServerMessage) -> SpeechEvent:
    text, words = said.get("text", "").strip(), to_words(said.get("words"))
    if not text:
        return SpeechEvent(kind)  # an interim that is taken back; the framework knows what to do with it
    data = SpeechData(text, " ", words=words)
    if words:
        data.start_time, data.end_time = words[0].start_time, words[-1].end_time
    return SpeechEvent(kind, (data,))
