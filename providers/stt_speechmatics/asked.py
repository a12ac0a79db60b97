"""What a client of the server half asks for, checked as the client half checks its own jobs.

Fields that nobody knows are passed over, as Speechmatics' clients send some that its API does not have. A value that is
not accepted is refused with its path, before any audio is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from stt_core.errors import ConfigError
from stt_core.options import fields, validate
from stt_core.server import Refused

from .config import JobConfig, TranscriptionConfig
from .languages import LANGUAGES, MULTI, tag_of
from .wire import CONFIG_FIELD

if TYPE_CHECKING:
    from stt_core.options import OptionsType
    from stt_core.server import Form

__all__ = ["Asked", "Callback", "Notification", "read_job", "rejected"]

MAX_CONFIG = 1 << 18
"""Characters."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_NOT_ALLOWED = frozenset({"connection", "content-length", "content-type", "host", "transfer-encoding", "upgrade"})
"""Headers that a client cannot ask this server to send: they say where the request goes or ends."""

Config = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Callback:
    """A URL that a client wants to be opened, and the headers for it. Both are secrets."""

    url: str
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return "<Callback>"


@dataclass(frozen=True, slots=True)
class Notification:
    """Somebody who is to be told that the job is over.

    Attributes:
        callback: where.
        method: ``post`` or ``put``.
        contents: what is sent along; ``None`` where the client leaves that to the server.
    """

    callback: Callback
    method: str
    contents: Sequence[str] | None


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A job. It is not printed, because the headers in its config may hold keys.

    Attributes:
        config: as it came; what was null stays null.
        transcription: ``transcription_config`` in it, without the nulls.
        language: BCP-47; ``None`` where the server is to find out.
        fetch: where the recording is; ``None`` if it came along.
        notifications: who is told that it is over.
        wishes: see :class:`stt_core.server.Backend`.
        document: the config for a backend that is Speechmatics itself.
    """

    config: Config
    transcription: Config
    language: str | None
    fetch: Callback | None
    notifications: Sequence[Notification]
    wishes: Mapping[str, object]
    document: Config

    def wants(self, block: str) -> bool:
        """Whether this analysis was asked for."""
        return self.document.get(block, False) is not False

    @property
    def speakers(self) -> bool:
        """Whether they are told apart."""
        return self.transcription.get("diarization") == "speaker"

    @property
    def channels(self) -> Sequence[str] | None:
        """The labels of the channels, as far as they were given; ``None`` where channels are not told apart."""
        if self.transcription.get("diarization") != "channel":
            return None
        return cast("Sequence[str]", self.transcription.get("channel_diarization_labels", ()))

    @property
    def subtitles(self) -> tuple[int, int]:
        """Characters of a line, lines of a subtitle."""
        output = cast("Config", self.document.get("output_config", {}))
        layout = cast("Mapping[str, int]", output.get("srt_overrides", {}))
        return layout.get("max_line_length", 37), layout.get("max_lines", 2)

    @property
    def echo(self) -> Config:
        """The config as answers have it: all of it but headers, which may hold keys."""
        return {name: _without_headers(value) for name, value in self.config.items()}

    def forgotten(self) -> Asked:
        """What is left to know of a job that is gone; configs can be long."""
        return Asked({}, {}, None, self.fetch and Callback("", {}), (), {}, {})


def read_job(form: Form) -> Asked:
    """The config of a job.

    Raises:
        Refused: 400, it is missing, no JSON, or not accepted.
    """
    text, upload = form.field(CONFIG_FIELD), form.file(CONFIG_FIELD)
    if text is None and upload is not None:  # as curl sends `config=@job.json`
        text = upload.audio[1].read(MAX_CONFIG + 1).decode(errors="replace")
    if not text:
        raise rejected("the form has no `config`, the JSON document that says what to do")
    if len(text) > MAX_CONFIG:
        raise rejected(f"`config` has more than {MAX_CONFIG} characters")
    try:
        config: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise rejected(f"`config` is not JSON: {str(error)[:200]}") from None
    if not isinstance(config, dict):
        raise rejected("`config` is not a JSON object")
    return _asked(cast("Config", config))


def _asked(config: Config) -> Asked:
    known = _known(JobConfig, config)
    if known.get("type") != "transcription":
        raise rejected(f"`type` is `transcription`, not {known.get('type')!r:.40}")
    if isinstance(inside := known.get("transcription_config"), dict):
        known["transcription_config"] = _known(TranscriptionConfig, cast("Config", inside))
    try:
        document = validate(JobConfig, known, owner="config")
    except ConfigError as error:
        raise rejected(error.message) from None
    transcription = cast("Config", document.get("transcription_config", {}))
    language = transcription.get("language")
    if not isinstance(language, str):
        raise Refused(400, "`transcription_config.language` is required", title="No language selected")
    if language not in LANGUAGES and language != MULTI:
        raise rejected(f"`transcription_config.language` is {language[:40]!r}, and not one of {', '.join(LANGUAGES)}")
    if {"model", "operating_point"} <= transcription.keys():
        raise rejected("`model` and its older name `operating_point` are both there: one of them is enough")
    fetch = cast("Mapping[str, object] | None", document.pop("fetch_data", None))
    told = document.pop("notification_config", ())
    # Whoever is behind keeps notes of its own, by which jobs are found again.
    document.pop("tracking", None)
    return Asked(
        config,
        transcription,
        tag_of(language),
        None if fetch is None else _callback("fetch_data", fetch),
        _notifications(told),
        _wishes(transcription),
        document,
    )


def _known(declared: OptionsType, document: Config) -> dict[str, object]:
    names = fields(declared)
    return {name: _without_nulls(value) for name, value in document.items() if name in names and value is not None}


def _without_nulls(value: object) -> object:
    if not isinstance(value, dict):
        return value
    inside = cast("Config", value)
    return {name: _without_nulls(each) for name, each in inside.items() if each is not None}


def _without_headers(value: object) -> object:
    if isinstance(value, list):
        return [_without_headers(each) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in cast("Config", value).items() if name != "auth_headers"}


def _callback(where: str, given: Mapping[str, object]) -> Callback:
    headers: dict[str, str] = {}
    for line in cast("Sequence[str]", given.get("auth_headers", ())):
        name, _, value = line.partition(":")
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _NOT_ALLOWED or not value.strip().isprintable():
            raise rejected(f"`{where}.auth_headers` are lines such as `Authorization: Bearer ...`")
        headers[name] = value.strip()
    return Callback(str(given["url"]), headers)


def _notifications(given: object) -> Sequence[Notification]:
    listed = cast("Sequence[Config]", given if isinstance(given, list | tuple) else [given])
    return [_notification(each) for each in listed]


def _notification(given: Config) -> Notification:
    contents = cast("Sequence[str] | None", given.get("contents"))
    for wrong in {"data", "text"}.intersection(contents or ()):
        raise rejected(f"`notification_config.contents` is more than this server sends: `{wrong}` is not kept")
    return Notification(_callback("notification_config", given), str(given.get("method", "post")), contents)


def _wishes(transcription: Config) -> Mapping[str, object]:
    vocabulary = cast("Sequence[str | Mapping[str, str]]", transcription.get("additional_vocab", ()))
    terms = [item if isinstance(item, str) else item["content"] for item in vocabulary]
    marks = cast("Config", transcription.get("punctuation_overrides", {})).get("permitted_marks")
    diarization = transcription.get("diarization", "none")
    return {
        "word_timestamps": True,
        "keyterms": terms or None,
        "punctuation": False if marks == [] else None,
        "diarization": {"none": False, "speaker": True}.get(str(diarization), diarization),
    }


def rejected(detail: str) -> Refused:
    """A job that does not come about."""
    return Refused(400, detail, title="Job rejected")
