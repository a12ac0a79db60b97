"""The server half: Kotoba's two REST surfaces and its socket, with any provider behind them.

What a client sends is checked against what Kotoba documents, in both of its dialects. What the provider behind has no
option for is left out; a language that it does not speak is an error, and so are speakers that it cannot tell apart.
Where Kotoba's documents disagree on what a server does, :class:`KotobaServer` says what this one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from stt_core.server import Refused, Response, Route, SocketRoute

from .documents import JOBS_PATH, ONE_SHOT_PATH, build_job_done, build_job_error, build_one_shot
from .forms import FileAsked, Unprocessable, read_job, read_one_shot
from .live import LiveSession
from .refusals import refusal
from .replies import job_segments, language_code, one_shot_words
from .wire import REALTIME_PATH, VERSION_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stt_core.server import Form, Request, Services, Socket
    from stt_core.transcript import Transcript

__all__ = ["KotobaServer"]

_SCHEMES = frozenset({"bearer", "key"})


class KotobaServer:
    """Kotoba, as its clients see it: all three surfaces at once, which no deployment of Kotoba's own has.

    A key is taken as ``Authorization: Bearer``, and as ``Key``, which is what clients say to fal.ai.

    Attributes:
        turns_by_default: whether turns are detected where the client does not say, as fal.ai documents it; the
            container of AWS does not.
        completed_after_commit: whether a session without turns ends with one ``completed`` for all of it. Kotoba's API
            reference says so, AWS's says not; SDK 0.1.x then gives every word twice.
    """

    base_path = VERSION_PATH
    turns_by_default = True
    completed_after_commit = False

    def __init__(self, services: Services) -> None:
        self._backend = services.backend
        self._keys = services.keys
        self._jobs = services.jobs

    def routes(self) -> Sequence[Route | SocketRoute]:
        """See :class:`stt_core.server.ServerHalf`, here and below."""
        return [
            Route("POST", VERSION_PATH + JOBS_PATH, self._submit),
            Route("GET", VERSION_PATH + JOBS_PATH + "/{id}", self._job),
            Route("POST", VERSION_PATH + ONE_SHOT_PATH, self._transcribe),
            SocketRoute(VERSION_PATH + REALTIME_PATH, self._realtime),
        ]

    def authorize(self, request: Request) -> None:  # noqa: D102
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in _SCHEMES or not self._keys.accept(credential.strip()):
            raise Refused(401, "Unauthorized")

    def refusal(self, request: Request, refused: Refused) -> Response:  # noqa: D102
        return refusal(refused)

    async def _submit(self, request: Request) -> Response:
        asked = read_job(await _form(request), self._backend)
        job_id = str(uuid4())
        asked.upload.take()
        self._jobs.submit(job_id, lambda: self._recognize(asked), about=asked.timestamps, holding=[asked.upload])
        return Response.json({"job_id": job_id}, 202)

    async def _job(self, request: Request) -> Response:
        job = self._jobs.get(request.params["id"])
        if job is None or job.state == "cancelled":
            return Response.json({"detail": "Job not found"}, 404)
        if job.error is not None:
            return Response.json(build_job_error(job.error.message))
        if job.transcript is None:
            return Response.json({"detail": "still processing"}, 202)
        segments = job_segments(job.transcript) if job.about else None
        return Response.json(build_job_done(job.transcript.text, segments))

    async def _transcribe(self, request: Request) -> Response:
        asked = read_one_shot(await _form(request), self._backend)
        transcript = await self._recognize(asked)
        told = asked.language or self._backend.language
        answer = build_one_shot(
            transcript.text,
            one_shot_words(transcript, timestamps=asked.timestamps) if asked.timestamps or asked.diarization else (),
            language_code=language_code(transcript.language or told),
            language_probability=1.0 if told else 0.0,
            duration=transcript.duration,
        )
        return Response.json(answer)

    async def _recognize(self, asked: FileAsked) -> Transcript:
        raw = asked.audio_format
        return await self._backend.recognize(
            asked.upload.audio,
            language=asked.language,
            sample_rate=None if raw is None else raw.sample_rate,
            encoding=None if raw is None else raw.encoding,
            wishes=asked.wishes,
        )

    async def _realtime(self, request: Request, socket: Socket) -> None:
        await socket.accept()
        session = LiveSession(socket, self._backend, turns=self.turns_by_default, completes=self.completed_after_commit)
        await session.run()


async def _form(request: Request) -> Form:
    try:
        return await request.form()
    except Refused as refused:
        if refused.status != 415:
            raise
        raise Unprocessable("file", "Field required: the body is multipart/form-data", "missing") from None
