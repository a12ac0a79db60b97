"""The forms that clients of the server half upload: a file, and what is to be made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stt_core.audio.frames import AudioFormat
from stt_core.server import Refused

from .asked import Invalid, language_of, terms_of, wishes_of
from .documents import RAW_FORMAT
from .wire import KANA

if TYPE_CHECKING:
    from stt_core.server import Backend, Form, Upload

__all__ = ["FileAsked", "Unprocessable", "read_job", "read_one_shot"]

_FLAGS = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
_RAW = AudioFormat(16000)


class Unprocessable(Refused):
    """A field of a form is missing, or is not what its type says: 422, in the words of FastAPI.

    Args:
        field: its name.
        message: what was wrong, and what is accepted.
        kind: FastAPI's type of the problem.
    """

    def __init__(self, field: str, message: str, kind: str) -> None:
        super().__init__(422, message)
        self.field = field
        self.kind = kind


@dataclass(frozen=True, slots=True)
class FileAsked:
    """The settings of an upload.

    Attributes:
        upload: the file.
        audio_format: of bare samples; ``None`` for a file that says itself what it is.
        language: BCP-47, ``None`` if not said.
        wishes: see :class:`stt_core.server.Backend`.
        timestamps: whether times are wanted.
        diarization: whether speakers are wanted.
    """

    upload: Upload
    audio_format: AudioFormat | None
    language: str | None
    wishes: Mapping[str, object]
    timestamps: bool
    diarization: bool


def read_job(form: Form, backend: Backend) -> FileAsked:
    """The form of ``POST /transcription_jobs``.

    Raises:
        Unprocessable: a field is missing, or of the wrong type.
        Invalid: it is not accepted.
    """
    upload = _file(form)
    timestamps = _flag(form, "with_timestamps")
    kana = _choice(form, "human_name", "", KANA) == KANA
    wishes = wishes_of(backend, [], kana=kana, timestamps=timestamps, own="with_timestamps")
    return FileAsked(upload, None, _language(form, backend), wishes, timestamps, diarization=False)


def read_one_shot(form: Form, backend: Backend) -> FileAsked:
    """The form of ``POST /speech-to-text``.

    Raises:
        Unprocessable: a field is missing, or of the wrong type.
        Invalid: it is not accepted.
    """
    upload = _file(form)
    raw = _choice(form, "file_format", "other", RAW_FORMAT) == RAW_FORMAT
    timestamps, diarization = _flag(form, "with_timestamps"), _flag(form, "diarization")
    if diarization and not backend.takes("diarization", value=True):
        raise Invalid("this deployment cannot tell speakers apart: leave `diarization` out", "diarization")
    keywords, kana = terms_of(form.values("keywords")), _flag(form, "kana")
    wishes = wishes_of(backend, keywords, kana=kana, timestamps=timestamps, own="with_timestamps")
    wishes["diarization"] = diarization or None
    return FileAsked(upload, _RAW if raw else None, _language(form, backend), wishes, timestamps, diarization)


def _file(form: Form) -> Upload:
    upload = form.file("file")
    if upload is None:
        raise Unprocessable("file", "Field required: the audio, as a file with a name", "missing")
    if not upload.size:
        raise Invalid("`file` is empty", "file")
    return upload


def _language(form: Form, backend: Backend) -> str | None:
    code = form.field("language")
    return language_of(code, backend, "language") if code else None


def _flag(form: Form, name: str) -> bool:
    text = form.field(name)
    if not text:
        return False
    if (value := _FLAGS.get(text.lower())) is None:
        raise Unprocessable(name, f"Input should be true or false, not {text[:40]!r}", "bool_parsing")
    return value


def _choice(form: Form, name: str, default: str, *others: str) -> str:
    text = form.field(name) or default
    if text not in (default, *others):
        raise Unprocessable(name, f"Input should be {' or '.join(filter(None, (default, *others)))}", "literal_error")
    return text
