"""Submitting a job so that it is there once, whatever becomes of the answer.

The API has no idempotency key, and a job that was submitted twice is billed twice. So each submission carries a token
in ``tracking``; when its answer does not come, the account's jobs are looked through for the token before anything is
sent again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

from stt_core.errors import (
    AudioError,
    ConfigError,
    ConnectionLostError,
    ConnectTimeoutError,
    ProtocolError,
    ServerError,
    STTError,
    STTTimeoutError,
)
from stt_core.retry import RetryBudget, RetryPolicy
from stt_core.transport.http import FormPart

from .api import REQUEST_SECONDS, is_on_prem
from .logs import log, log_of
from .reading import dump, object_of, parse, text_of
from .wire import CONFIG_FIELD, FILE_FIELD, JOBS_PATH, MAX_UPLOAD, PROCESSING_HEADER

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.jobs import JobInfo
    from stt_core.registry import Resolved

    from .api import Api

__all__ = ["TOKEN_DETAIL", "Submission"]

TOKEN_DETAIL = "stt_core_submission"  # noqa: S105  (a name)
"""Where the token is, among the ``details``, when the caller has a ``reference`` of his own."""

LOOKS = 2
"""How often the jobs are looked through, ``retry_interval`` apart: a server may still be at it when the connection is
lost."""

SLOWEST = 64 << 10
"""Bytes a second that an upload has to make at least."""

CLOCK_SKEW = timedelta(minutes=10)
"""By how much the server's clock may differ from ours."""

_REFUSED = frozenset(["audio/webm", "audio/aiff"])


@dataclass(frozen=True, slots=True)
class Submission:
    """One recording and the config of its job.

    Attributes:
        config: as it is sent.
        token: what finds the job again.
        file: what is uploaded; ``None`` where the server fetches it.
        rewindable: whether it can be sent twice.
        seconds: what the upload may take; ``None`` where nobody knows how long it is.
        settings: of the call.
    """

    config: Mapping[str, object] = field(repr=False)
    token: str
    file: FormPart | None
    rewindable: bool
    seconds: float | None
    settings: Resolved

    @classmethod
    def prepare(cls, audio: AudioInput, config: Mapping[str, object], settings: Resolved) -> Submission:
        """Looks into the recording, so it belongs into a thread.

        Raises:
            AudioError: the recording is of a kind, or a size, that Speechmatics does not take.
            ConfigError: there is both a recording and ``fetch_data``.
        """
        token = f"stt-core-{secrets.token_hex(12)}"
        config = _with_token(config, token)
        size = audio.size
        if "fetch_data" in config:
            if size != 0:
                raise ConfigError(
                    f"{settings.label}: `fetch_data` says where the audio is, and there is audio too: "
                    "give None in its place, or leave fetch_data out",
                    provider="speechmatics",
                )
            return cls(config, token, None, rewindable=True, seconds=REQUEST_SECONDS, settings=settings)
        content_type = audio.content_type
        if content_type in _REFUSED:
            raise AudioError(
                f"Speechmatics takes no {content_type}; it takes wav, mp3, aac, ogg, mpeg, amr, m4a, mp4 and flac"
            )
        if size is not None and size >= MAX_UPLOAD and settings.stt["base_url"] is None:
            raise AudioError(
                f"Speechmatics takes no upload of {size} bytes: what has 1 GB and more it fetches itself, from a URL "
                "in place of the audio, or from `fetch_data`"
            )
        return cls(
            config,
            token,
            FormPart(FILE_FIELD, audio.open_binary, _plain(audio.name), content_type),
            rewindable=audio.rewindable,
            seconds=None if size is None else REQUEST_SECONDS + size / SLOWEST,
            settings=settings,
        )

    async def send(self, api: Api, jobs: Callable[[], AsyncIterator[JobInfo]]) -> str:
        """Submits it; returns the job's id.

        Args:
            api: where to.
            jobs: those that are there, the newest first.

        Raises:
            STTError: it was refused, or nobody answered for longer than retries last. Where the job may be there
                nevertheless, a note on the error says by which reference.
        """
        stt = self.settings.stt
        budget = RetryBudget(RetryPolicy(max_retries=stt["max_retries"], interval=stt["retry_interval"]))
        started = datetime.now(UTC)
        while True:
            posted = False
            try:
                await api.headers(self.settings)  # what fails for want of a key has submitted nothing
                posted = True
                return await self._post(api)
            except STTError as error:
                failure = error
            unsure = posted and _may_be_taken(failure)
            if unsure:
                failure.add_note(f"if the job is there nevertheless, its tracking has the reference {self.token}")
            delay = budget.spend(failure)
            if delay is None or (unsure and is_on_prem(self.settings)):
                raise failure
            log.info("speechmatics: a submission failed (%s)", failure)
            await asyncio.sleep(delay)
            if unsure:
                found = await self._find(jobs, started, failure)
                if found is not None:
                    log_of(found).warning("was taken, though the answer was lost (%s)", failure)
                    return found
            if not self.rewindable:
                raise failure

    async def _post(self, api: Api) -> str:
        form = [FormPart(CONFIG_FIELD, dump(self.config))]
        if self.file is not None:
            form.append(self.file)
        response = await api.request(
            "POST",
            JOBS_PATH,
            self.settings,
            headers=self._processing(),
            form=form,
            seconds=self.seconds,
            again=self.rewindable,
        )
        job_id = text_of(parse(response.body), "id")
        if not job_id:
            raise ProtocolError("Speechmatics took a job and gave no id", provider="speechmatics")
        return job_id

    def _processing(self) -> Mapping[str, str]:
        wanted = {
            name: self.settings.options[name]
            for name in ("parallel_engines", "user_id")
            if name in self.settings.options
        }
        return {PROCESSING_HEADER: dump(wanted)} if wanted else {}

    async def _find(
        self, jobs: Callable[[], AsyncIterator[JobInfo]], started: datetime, failure: STTError
    ) -> str | None:
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(self.settings.stt["retry_interval"])
            try:
                async for job in jobs():
                    if _has_token(job.raw, self.token):
                        return job.id
                    if job.created_at is not None and job.created_at < started - CLOCK_SKEW:
                        break
            except STTError as error:
                # Without knowing, it must not be sent again.
                raise failure from error
        return None


def _with_token(config: Mapping[str, object], token: str) -> Mapping[str, object]:
    tracking = cast("Mapping[str, object]", config.get("tracking") or {})
    if "reference" not in tracking:
        return {**config, "tracking": {**tracking, "reference": token}}
    details = cast("Mapping[str, object]", tracking.get("details") or {})
    return {**config, "tracking": {**tracking, "details": {**details, TOKEN_DETAIL: token}}}


def _has_token(job: Mapping[str, object], token: str) -> bool:
    places = (object_of(job, "tracking"), object_of(object_of(job, "config"), "tracking"))
    return any(
        token in (tracking.get("reference"), object_of(tracking, "details").get(TOKEN_DETAIL)) for tracking in places
    )


def _may_be_taken(error: STTError) -> bool:
    """Whether the server may have taken the job: whenever its answer is not a refusal."""
    lost = isinstance(error, ConnectionLostError | STTTimeoutError | ProtocolError | ServerError)
    return lost and not isinstance(error, ConnectTimeoutError)


def _plain(name: str) -> str:
    """A name that every form parser reads."""
    plain = name.isascii() and name.isprintable() and not set(name) & set('"\\%')
    suffix = PurePath(name).suffix
    return name if plain else f"audio{suffix if suffix.isascii() else ''}"
