"""The vendors' surfaces for files, which swallow any upload and know one transcript."""

from __future__ import annotations

import itertools
import json
from typing import Any

from aiohttp import web

TEXT = "good morning"
WORDS = [
    {
        "type": "word",
        "start_time": at,
        "end_time": at + 0.3,
        "alternatives": [{"content": word, "confidence": 1.0, "language": "en"}],
    }
    for at, word in enumerate(TEXT.split())
]
CREATED = "2026-03-02T10:00:00.123Z"


class Files:
    """A job is running when it is asked after for the first time, and done from then on."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._polled: set[str] = set()
        self.reset()
        self.port = 0

    def reset(self) -> None:
        self.uploads = self.polls = self.results = self.received = 0

    def told(self) -> dict[str, Any]:
        return {"uploads": self.uploads, "polls": self.polls, "results": self.results, "received": self.received}

    async def listen(self) -> None:
        app = web.Application(client_max_size=0)
        for base in ("/v2", ""):
            app.router.add_post(f"{base}/jobs", self._submit)
            app.router.add_get(f"{base}/jobs/{{id}}", self._status)
            app.router.add_get(f"{base}/jobs/{{id}}/transcript", self._transcript)
        app.router.add_post("/v1/transcription_jobs", self._submit_kotoba)
        app.router.add_get("/v1/transcription_jobs/{id}", self._status_kotoba)
        app.router.add_post("/stt", self._transcribe)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        self.port = runner.addresses[0][1]

    async def _swallow(self, request: web.Request) -> str:
        while chunk := await request.content.readany():
            self.received += len(chunk)
        self.uploads += 1
        return f"job{next(self._numbers)}"

    def _poll(self, request: web.Request) -> tuple[str, bool]:
        self.polls += 1
        job = request.match_info["id"]
        done = job in self._polled
        self._polled.add(job)
        return job, done

    async def _submit(self, request: web.Request) -> web.Response:
        return _answer({"id": await self._swallow(request)}, 201)

    async def _status(self, request: web.Request) -> web.Response:
        job, done = self._poll(request)
        return _answer({"job": {**_details(job), "status": "done" if done else "running"}})

    async def _transcript(self, request: web.Request) -> web.Response:
        self.results += 1
        job = request.match_info["id"]
        return _answer(
            {
                "format": "2.9",
                "job": _details(job),
                "metadata": {
                    "created_at": CREATED,
                    "type": "transcription",
                    "transcription_config": {"language": "en"},
                },
                "results": WORDS,
            }
        )

    async def _submit_kotoba(self, request: web.Request) -> web.Response:
        return _answer({"job_id": await self._swallow(request)}, 202)

    async def _status_kotoba(self, request: web.Request) -> web.Response:
        _, done = self._poll(request)
        if not done:
            return _answer({"state": "processing"}, 202)
        self.results += 1
        return _answer({"state": "done", "transcription": TEXT, "segments": None})

    async def _transcribe(self, request: web.Request) -> web.Response:
        await self._swallow(request)
        self.results += 1
        return _answer({"text": TEXT, "language": "en", "duration": 1.0, "type": "transcript", "is_final": True})


def _details(job: str) -> dict[str, object]:
    return {"id": job, "created_at": CREATED, "data_name": "a.wav", "duration": 1}


def _answer(document: object, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(document).encode(), status=status, content_type="application/json")
