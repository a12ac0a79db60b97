"""The server half: Speechmatics' batch API, with any provider behind it.

Jobs run one behind the other as far as there is room, and are kept for seven days. What Speechmatics documents of its
service on the internet is under ``/v2``, what it documents of its container for one's own premises under
``/container/v2``, and the minting of temporary keys under ``/v1``, where a client's URL of the management platform is
that of the mount point.

Where Speechmatics does more than the provider behind, the transcript says so in the vendor's own way: an analysis that
nobody made is among the errors of its metadata. Confidences, times and languages that the provider does not tell are
``null``. Headers of ``fetch_data`` and ``notification_config`` are left out of what is echoed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from stt_core.server import Refused, Response, Route

from .container import Container
from .desk import JobDesk
from .queries import read_dates, read_flag, read_format, read_key, read_list, read_wait
from .refusals import refusal, request_id_of
from .wire import API_KEYS_PATH, JOBS_PATH, KEY_TYPE, REQUEST_ID_HEADER, USAGE_PATH

if TYPE_CHECKING:
    from stt_core.server import Request, Services

    from .records import Record
    from .wire import Submitted

__all__ = ["SpeechmaticsServer"]

DEFAULT_WAIT = 2
"""Seconds that a question after a job, or its transcript, waits for its end where the client does not say."""

MAX_WAIT = 60
"""Seconds; a client that asks for more gets the answer that there is by then."""

Handler = Callable[["Request"], Awaitable[Response]]


class SpeechmaticsServer:
    """Speechmatics, as its batch clients see it.

    Keys of the server are API keys. A temporary key with a ``client_ref`` sees the jobs of the same one, and no usage.
    """

    base_path = "/v2"

    def __init__(self, services: Services) -> None:
        self._keys = services.keys
        self._desk = JobDesk(services)

    def routes(self) -> Sequence[Route]:
        """See :class:`stt_core.server.ServerHalf`, here and below."""
        base, job = f"{self.base_path}{JOBS_PATH}", f"{self.base_path}{JOBS_PATH}/{{id}}"
        routes = [
            Route("POST", base, self._submit),
            Route("POST", f"{base}/", self._submit),  # as the vendor's example for curl has it
            Route("GET", base, self._list),
            Route("GET", job, self._details),
            Route("DELETE", job, self._delete),
            Route("GET", f"{job}/transcript", self._transcript),
            Route("GET", f"{job}/log", self._log),
            Route("GET", f"{self.base_path}{USAGE_PATH}", self._report),
            Route("POST", f"/v1{API_KEYS_PATH}", self._temporary_key),
        ]
        routes += Container(self._desk, self.base_path).routes()
        return [replace(route, handler=_identified(route.handler)) for route in routes]

    def authorize(self, request: Request) -> None:  # noqa: D102
        on_premises = request.path.startswith(f"{Container.prefix}/")
        if on_premises and not self._keys:
            return  # a container asks for none
        if self._claims(request) and on_premises:
            raise Refused(403, "the container takes no temporary keys")

    def refusal(self, request: Request, refused: Refused) -> Response:  # noqa: D102
        return refusal(request, refused)

    def _claims(self, request: Request) -> Mapping[str, object]:
        """Of a temporary key; of an API key none."""
        credential = request.bearer
        if not self._keys.knows(credential):
            if self._keys.accept(credential):
                return {}
        elif (claims := self._keys.read_token(credential)) and claims.get("type") == KEY_TYPE:
            return claims
        raise Refused(401, "no valid key was sent")

    def _owner(self, request: Request) -> str | None:
        owner = self._claims(request).get("client_ref")
        return None if owner is None else str(owner)

    # -- keys and usage --------------------------------------------------------------------------------------------

    async def _temporary_key(self, request: Request) -> Response:
        if self._claims(request):
            raise Refused(403, "temporary keys are given out for an API key", title="Forbidden")
        asked = await read_key(request)
        claims: dict[str, object] = {"type": asked.kind}
        if asked.client_ref is not None:
            claims["client_ref"] = asked.client_ref
        key = self._keys.mint(claims, seconds=asked.ttl)
        return Response.json({"apikey_id": None, "key_value": key}, 201)

    async def _report(self, request: Request) -> Response:
        if self._owner(request) is not None:
            raise Refused(403, "a key of an end user sees no usage", title="Forbidden")
        today = self._desk.records.now().date()
        first, last = self._desk.usage.first_day(today), today - timedelta(days=1)
        since, until = read_dates(request, min(first, last), last)
        return Response.json(self._desk.usage.report(since, until, today))

    # -- jobs ------------------------------------------------------------------------------------------------------

    async def _submit(self, request: Request) -> Response:
        wait, form_of = read_wait(request, None), read_format(request)
        submission = await self._desk.read(await request.form())
        record, job = self._desk.submit(request, submission, owner=self._owner(request))
        answer: Submitted = {"id": record.id}
        if wait is not None:
            await job.wait(min(wait, MAX_WAIT))
            status = self._desk.records.status(record)
            answer["status"] = "created" if status == "running" else status
            with suppress(Refused):  # there is none, or not in this format: the job is taken all the same
                cast("dict[str, object]", answer)[form_of] = await self._desk.rendered(record, form_of)
        return Response.json(answer, 201)

    async def _list(self, request: Request) -> Response:
        found = self._desk.records.listed(read_list(request), owner=self._owner(request))
        return Response.json({"jobs": [self._desk.records.details(record) for record in found]})

    async def _details(self, request: Request) -> Response:
        await self._wait(self._find(request), read_wait(request, DEFAULT_WAIT))
        return Response.json({"job": self._desk.records.details(self._find(request))})

    async def _transcript(self, request: Request) -> Response:
        form_of = read_format(request)
        await self._wait(self._find(request, "File"), read_wait(request, DEFAULT_WAIT))
        return await self._desk.transcript(request, self._find(request, "File"), form_of)

    async def _log(self, request: Request) -> Response:
        return self._desk.log(self._find(request, "File"))

    async def _delete(self, request: Request) -> Response:
        record = self._find(request)
        self._desk.records.delete(record, force=read_flag(request, "force"))
        return Response.json({"job": self._desk.records.details(record)})

    def _find(self, request: Request, what: str = "Job") -> Record:
        return self._desk.find(request, what=what, owner=self._owner(request))

    async def _wait(self, record: Record, seconds: int | None) -> None:
        job = self._desk.records.job(record)
        if job is not None and seconds:
            await job.wait(min(seconds, MAX_WAIT))


def _identified(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        response = await handler(request)
        return replace(response, headers={**response.headers, REQUEST_ID_HEADER: request_id_of(request)})

    return handle
