"""Where both of Speechmatics' APIs bring their jobs, and get what became of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from stt_core.audio.decode import open_audio
from stt_core.errors import AudioError, MissingExtraError, STTError
from stt_core.server import Refused, Response

from .asked import read_job, rejected
from .fetching import fetch
from .notifying import notify
from .reading import dump
from .records import Records
from .refusals import request_id_of
from .replies import document_of, srt_of, txt_of
from .usage import UsageBook
from .wire import CONTENT_TYPES, FILE_FIELD

if TYPE_CHECKING:
    from stt_core.server import Form, Job, Request, Services, Upload
    from stt_core.transcript import Transcript

    from .asked import Asked, Callback
    from .records import Record
    from .wire import TranscriptFormat

__all__ = ["JobDesk", "Submission"]

logger = logging.getLogger("stt_speechmatics.server")


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that may come about.

    Attributes:
        asked: what is to be done.
        upload: the recording; ``None`` where it is fetched.
        duration: of the upload, in seconds, where it says so itself.
    """

    asked: Asked
    upload: Upload | None
    duration: float | None


class JobDesk:
    """Jobs of any provider.

    Attributes:
        records: all of them.
        usage: what was recognised.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.records = Records(services.jobs)
        self.usage = UsageBook()

    async def read(self, form: Form) -> Submission:
        """What a form asks for, as far as the provider behind and the operator allow it.

        Raises:
            Refused: 400, it makes no job.
        """
        asked = read_job(form)
        upload = form.file(FILE_FIELD)
        if upload is not None and asked.fetch is not None:
            raise rejected("there is a `data_file`, and `fetch_data` in the config: one of them is enough")
        if upload is None and asked.fetch is None:
            raise Refused(400, "send the recording as `data_file`, with a file name", title="Missing data_file")
        if asked.language is not None and not self._services.backend.speaks(asked.language):
            raise rejected(f"the provider behind this server does not speak `{asked.transcription['language']}`")
        if asked.fetch is not None:
            self._check_place("fetch_data.url", asked.fetch)
        for notification in asked.notifications:
            self._check_place("notification_config.url", notification.callback)
        duration = None if upload is None else await asyncio.to_thread(_duration, upload)
        return Submission(asked, upload, duration)

    def submit(
        self, request: Request, submission: Submission, *, owner: str | None = None, engines: int | None = None
    ) -> tuple[Record, Job]:
        """Starts a job.

        Raises:
            Refused: 429, there is no room.
        """
        asked, upload = submission.asked, submission.upload
        record = self.records.create(
            asked,
            data_name="" if upload is None else upload.name,
            owner=owner,
            request_id=request_id_of(request),
            engines=engines,
        )
        record.duration = submission.duration
        self.records.note(record, "created")
        then = self._notify if asked.notifications else None
        job = self.records.submit(record, lambda: self._recognize(record, upload), upload=upload, then=then)
        return record, job

    def find(
        self, request: Request, *, what: str = "Job", owner: str | None = None, on_premises: bool = False
    ) -> Record:
        """The job of the path.

        Raises:
            Refused: 404 or 410, there is none.
        """
        return self.records.find(request.params["id"], owner=owner, on_premises=on_premises, what=what)

    async def transcript(self, request: Request, record: Record, form_of: TranscriptFormat) -> Response:
        """The transcript of a job that is done.

        Raises:
            Refused: 404, it is not; 400, the provider's transcript cannot be had in this format.
        """
        found = await self.rendered(record, form_of)
        if isinstance(found, str):
            return Response(200, found.encode(), CONTENT_TYPES[form_of])
        # In a thread as well: the document of a day has about fifty million bytes.
        body = (await asyncio.to_thread(dump, found)).encode()
        plain = request.headers.get("Accept", "").startswith("application/json")
        return Response(200, body, "application/json" if plain else CONTENT_TYPES[form_of])

    async def rendered(self, record: Record, form_of: TranscriptFormat) -> str | Mapping[str, object]:
        """What is in it: text, or a document.

        Raises:
            Refused: as :meth:`transcript`.
        """
        job = self.records.job(record)
        if job is None or job.transcript is None:
            status = self.records.status(record)
            raise Refused(404, f"the job is {status}, and has no transcript", title="Job not found")
        return await asyncio.to_thread(self._render, record, job.transcript, form_of)

    def log(self, record: Record) -> Response:
        """What happened to a job."""
        return Response.text("".join(f"{line}\n" for line in record.log))

    def _check_place(self, what: str, callback: Callback) -> None:
        try:
            self._services.fetcher.check(callback.url)
        except Refused as refused:
            raise rejected(f"`{what}`: {refused.message}") from None

    async def _recognize(self, record: Record, upload: Upload | None) -> Transcript:
        told, asked = {"job_id": record.id}, record.asked
        try:
            self.records.note(record, "running")
            if upload is None:
                with closing(await fetch(self._services.fetcher, record, self.records)) as fetched:
                    transcript = await self._heard(asked, fetched)
            else:
                transcript = await self._heard(asked, upload)
        except STTError as error:
            if not record.complaints or record.complaints[-1]["message"] != error.message:
                self.records.complain(record, error.message)
            logger.warning("the job %s is rejected: %s", record.id, error, extra=told)
            raise
        if transcript.duration is not None:
            record.duration = transcript.duration
        record.finished_at = self.records.now()
        self.records.note(record, "done")
        self.usage.add(record.finished_at.date(), asked, record.duration or 0.0)
        logger.info("the job %s is done", record.id, extra=told)
        return transcript

    async def _notify(self, job: Job) -> None:
        record = cast("Record", job.about)
        await notify(self._services.fetcher, record, self.records, self._sent)

    async def _sent(self, record: Record, form_of: TranscriptFormat) -> str:
        found = await self.rendered(record, form_of)
        return found if isinstance(found, str) else dump(found)

    async def _heard(self, asked: Asked, upload: Upload) -> Transcript:
        backend = self._services.backend
        # Speechmatics behind takes the document as it is; others what they share with it.
        wishes = {"job_config": asked.document} if backend.takes("job_config", asked.document) else asked.wishes
        return await backend.recognize(upload.audio, language=asked.language, wishes=wishes)

    def _render(self, record: Record, transcript: Transcript, form_of: TranscriptFormat) -> str | Mapping[str, object]:
        if form_of == "txt":
            return txt_of(transcript, record.asked)
        if form_of == "srt":
            return srt_of(transcript, record.asked)
        finished = record.finished_at or self.records.now()
        return cast("Mapping[str, object]", document_of(transcript, record.asked, self.records.block(record), finished))


def _duration(upload: Upload) -> float | None:
    """Seconds of audio as the file says; ``None`` where only recognising it will tell.

    Raises:
        Refused: 400, it is no recording.
    """
    file = upload.audio[1]
    try:
        with open_audio(upload.audio) as reader:
            return reader.duration
    except MissingExtraError:
        return None
    except AudioError as error:
        raise Refused(400, error.message, title="Job rejected due to invalid audio") from None
    finally:
        file.seek(0)
