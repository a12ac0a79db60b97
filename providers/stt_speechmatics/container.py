"""The API as Speechmatics' container for one's own premises has it (section 12 of the facts).

The same jobs and transcripts under longer ids; it holds no answer back, deletes nothing and reports no usage. It has a
number of engines, of which a job may ask for several, and refuses what it has no engines for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stt_core.server import Refused, Response, Route

from .queries import read_engines, read_format
from .refusals import BUSY
from .wire import JOBS_PATH, ActiveJobs

if TYPE_CHECKING:
    from stt_core.server import Request

    from .desk import JobDesk

__all__ = ["Container"]

ENGINES = 4
"""As many as the board has places."""


class Container:
    """The container.

    Args:
        desk: where its jobs are.
        base_path: of the API, behind :attr:`prefix`.
    """

    prefix = "/container"

    def __init__(self, desk: JobDesk, base_path: str) -> None:
        self._desk = desk
        self._base_path = base_path

    def routes(self) -> Sequence[Route]:
        """See :class:`stt_core.server.ServerHalf`."""
        base = f"{self.prefix}{self._base_path}{JOBS_PATH}"
        job = f"{base}/{{id}}"
        return [
            Route("POST", base, self._submit),
            Route("POST", f"{base}/", self._submit),
            Route("GET", base, self._active),
            Route("GET", job, self._details),
            Route("GET", f"{job}/transcript", self._transcript),
            Route("GET", f"{job}/log", self._log),
            Route("GET", f"{self.prefix}/live", self._probe, public=True),
            Route("GET", f"{self.prefix}/ready", self._probe, public=True),
        ]

    async def _submit(self, request: Request) -> Response:
        engines = read_engines(request)
        submission = await self._desk.read(await request.form())
        unused = ENGINES - self._used()
        if engines > unused:
            raise Refused(
                503, f"Server busy: {engines} engines were asked for, and {unused} of {ENGINES} are free", code=BUSY
            )
        record, _ = self._desk.submit(request, submission, engines=engines)
        return Response.json({"id": record.id}, 201)

    async def _active(self, request: Request) -> Response:
        active = self._desk.records.active()
        answer: ActiveJobs = {
            "active_jobs": [{"job_id": record.id, "parallel_engines": record.engines or 1} for record in active],
            "max_engines": ENGINES,
            "unused_engines": ENGINES - self._used(),
        }
        return Response.json(answer)

    async def _details(self, request: Request) -> Response:
        return Response.json({"job": self._desk.records.details(self._desk.find(request, on_premises=True))})

    async def _transcript(self, request: Request) -> Response:
        form_of = read_format(request)
        return await self._desk.transcript(request, self._desk.find(request, what="File", on_premises=True), form_of)

    async def _log(self, request: Request) -> Response:
        return self._desk.log(self._desk.find(request, what="File", on_premises=True))

    async def _probe(self, request: Request) -> Response:
        return Response()

    def _used(self) -> int:
        return sum(record.engines or 0 for record in self._desk.records.active())
