"""A WebSocket server that costs about nothing: what the clients take is to be measured, not what it takes itself.

It speaks as much of three dialects as the benchmarks need (`cartesia`, with binary audio; `livekit` and `kotoba`, with
audio in base64), and counts what it hears and says. What it does is its plan, a mapping that is set from outside:

``burst``    so many interims at once after the first audio, between a first and a last text; ``words`` makes them
             longer, ``finals`` makes finals of them
``every``    an interim with the time of its sending every so many seconds, while there is audio
``final``    a final after every so many seconds of audio
``stall``    reading stops with the first audio
``mute``     the end of input is answered by a final and its acknowledgement, never by the end of the session
``abort``    the first connection is reset after so many seconds of audio, and ``away`` seconds long nobody listens
``content``  the audio is looked into: which frames came?
``hole``     handshakes are not answered
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BYTES_PER_SECOND = 32000
TURN = 20
"""Deltas of a turn, where pieces of text are said and not the whole."""

TICK = 0.01


class Counts:
    def __init__(self) -> None:
        self.connections = 0
        self.messages = 0
        self.audio = 0
        self.events = 0
        self.burst = 0
        self.frames: set[int] = set()
        self.final: set[int] = set()  # those that a final came behind, on the same connection
        self.aborted_at: float | None = None
        self.flowing_at: float | None = None
        self.acknowledged_at: float | None = None

    def told(self) -> dict[str, Any]:
        return {
            "connections": self.connections,
            "messages": self.messages,
            "audio": self.audio,
            "events": self.events,
            "burst": self.burst,
            "frames": len(self.frames),
            "final": len(self.final),
            "acknowledged_at": self.acknowledged_at,
            "gap": self.flowing_at - self.aborted_at if self.flowing_at and self.aborted_at else None,
        }


class Server:
    def __init__(self) -> None:
        self.plan: Mapping[str, Any] = {}
        self.counts = Counts()
        self.talking: list[Socket] = []
        self.port = 0
        self._listening: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(lambda: Socket(self), "127.0.0.1", self.port, backlog=4096)
        self.port = self._listening.sockets[0].getsockname()[1]

    def expect(self, plan: Mapping[str, Any]) -> None:
        self.plan, self.counts, self.talking = plan, Counts(), []
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        if plan.get("every"):
            self._ticking = asyncio.get_running_loop().create_task(self._tick(plan["every"]))

    async def _tick(self, every: float) -> None:
        """All streams have their turn within the interval, spread over it."""
        groups, turn = round(every / TICK), 0
        due = time.monotonic()
        while True:
            due += TICK
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for socket in self.talking[turn % groups :: groups]:
                socket.say_interim(f" {time.monotonic():.6f}")
            turn += 1

    async def away(self, seconds: float) -> None:
        if self._listening is not None and seconds:
            self._listening.close()
            await asyncio.sleep(seconds)
            await self.listen()


class Socket(asyncio.Protocol):
    """One client."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.plan = server.plan
        self.counts = server.counts
        self.transport: asyncio.Transport
        self.pending = b""
        self.open = False
        self.dialect = ""
        self.heard = 0
        self.frames: set[int] = set()
        self.final_at = self.plan.get("final") or 0.0
        self.said = 0
        self.number = -1
        self.writable = asyncio.Event()
        self.writable.set()
        self.bursting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.server.talking:
            self.server.talking.remove(self)
        if self.bursting is not None:
            self.bursting.cancel()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        if self.pending:
            data = self.pending + data
            self.pending = b""
        if not self.open:
            head, ends, data = data.partition(b"\r\n\r\n")
            if not ends:
                self.pending = head
                return
            if not self._shake_hands(head):
                return
        at, size = 0, len(data)
        while size - at >= 6:
            length, begin = data[at + 1] & 127, at + 6
            if length == 126:
                length, begin = int.from_bytes(data[at + 2 : at + 4], "big"), at + 8
            elif length == 127:
                length, begin = int.from_bytes(data[at + 2 : at + 10], "big"), at + 14
            if begin + length > size:
                break
            self._frame(data[at] & 15, data, begin, length)
            at = begin + length
        self.pending = data[at:]

    def _shake_hands(self, head: bytes) -> bool:
        if self.plan.get("hole"):
            return False
        lines = head.split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        target = lines[0].split()[1]
        accept = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + GUID).digest())  # noqa: S324
        offered = headers.get(b"sec-websocket-protocol")
        chosen = b"Sec-WebSocket-Protocol: " + offered.split(b",")[0] + b"\r\n" if offered else b""
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n" + chosen + b"\r\n"
        )
        self.open = True
        self.number = self.counts.connections
        self.counts.connections += 1
        path = target.partition(b"?")[0]
        self.dialect = (
            "cartesia" if path.endswith(b"/websocket") else "kotoba" if path.endswith(b"/realtime") else "livekit"
        )
        if self.dialect == "kotoba":
            self.say({"type": "transcription_session.created", "event_id": "e"})
        return True

    # -- what it hears -------------------------------------------------------------------------------------------------

    def _frame(self, opcode: int, data: bytes, begin: int, length: int) -> None:
        if opcode == 2:
            self.counts.messages += 1
            content = _unmask(data, begin, length) if self.plan.get("content") else b""
            self._heard(length, content)
        elif opcode == 1:
            self._text(_unmask(data, begin, length))
        elif opcode == 8:
            self.transport.write(_framed(_unmask(data, begin, length)[:2], 8))
            self.transport.close()
        elif opcode == 9:
            self.transport.write(_framed(_unmask(data, begin, length), 10))

    def _text(self, text: bytes) -> None:
        at = text.find(b'"audio"')
        if at >= 0:
            self.counts.messages += 1
            begin = text.index(b'"', at + 7) + 1
            end = text.index(b'"', begin)
            length = (end - begin) * 3 // 4 - text.count(b"=", end - 2, end)
            self._heard(length, base64.b64decode(text[begin:end]) if self.plan.get("content") else b"")
            return
        kind = text.decode() if text[:1] != b"{" else json.loads(text)["type"]
        if kind == "session.create":
            self.say({"type": "session.created", "session_id": "s"})
        elif kind == "transcription_session.update":
            self.say({"type": "transcription_session.updated", "event_id": "e", "session": {}})
        elif kind == "finalize":
            self.say({"type": "flush_done", "request_id": "r"})
        elif kind in ("close", "done"):
            self._goodbye({"type": "done", "request_id": "r"})
        elif kind == "input_audio_buffer.commit":
            self._goodbye({"type": "input_audio_buffer.committed", "event_id": "e"})
        elif kind == "session.finalize":
            self._last_words()
            self.say({"type": "session.finalized"})
            self.counts.acknowledged_at = time.monotonic()
        elif kind == "session.close":
            self._goodbye({"type": "session.closed"})

    def _heard(self, length: int, content: bytes) -> None:
        counts, plan = self.counts, self.plan
        first = not self.heard
        self.heard += length
        counts.audio += length
        if content:
            frames = (np.abs(np.frombuffer(content, "<i2").astype(int)) - 2000).tolist()
            self.frames.update(frames)
            counts.frames.update(frames)
            if first and self.number and counts.aborted_at is not None and counts.flowing_at is None:
                counts.flowing_at = time.monotonic()
        if first and plan.get("stall"):
            self.transport.pause_reading()
        if first and plan.get("burst"):
            self.bursting = asyncio.get_running_loop().create_task(self._burst())
        if first and plan.get("every"):
            self.server.talking.append(self)
        if self.final_at and self.heard >= self.final_at * BYTES_PER_SECOND:
            self._final("so far")
            self.final_at += plan["final"]
        if plan.get("abort") and not self.number and self.heard >= plan["abort"] * BYTES_PER_SECOND:
            counts.aborted_at = time.monotonic()
            self.transport.abort()
            self.away = asyncio.get_running_loop().create_task(self.server.away(plan.get("away") or 0.0))

    def _last_words(self) -> None:
        if self in self.server.talking:
            self.server.talking.remove(self)
        self._final("the end")

    def _goodbye(self, message: Mapping[str, object]) -> None:
        if self.dialect != "livekit":
            self._last_words()
        if self.plan.get("mute"):
            return
        self.counts.acknowledged_at = time.monotonic()
        self.say(message)
        self.transport.write(_framed((1000).to_bytes(2, "big"), 8))

    # -- what it says --------------------------------------------------------------------------------------------------

    def say(self, message: Mapping[str, object]) -> None:
        self.transport.write(_framed(json.dumps(message, separators=(",", ":")).encode(), 1))

    def _final(self, text: str) -> None:
        self.counts.events += 1
        self.counts.final |= self.frames
        self.say(result(self.dialect, text, final=True, end=self.heard / BYTES_PER_SECOND))

    def say_interim(self, text: str) -> None:
        # Where text comes in pieces, a turn is not to grow for ever.
        final = self.dialect == "kotoba" and self.said % TURN == TURN - 1
        self.said += 1
        self.counts.events += 1
        self.say(result(self.dialect, text, final=final))

    async def _burst(self) -> None:
        plan = self.plan
        self.say(result(self.dialect, " first", final=False))
        await asyncio.sleep(0.15)
        text, words, finals = " what was said so far, and more", plan.get("words", 0), plan.get("finals", False)

        def encoded(*, final: bool) -> bytes:
            return _framed(json.dumps(result(self.dialect, text, final=final, words=words)).encode(), 1)

        interim, final = encoded(final=finals), encoded(final=True)
        turn = interim * (TURN - 1) + (final if self.dialect == "kotoba" else interim)
        left = plan["burst"]
        while left:
            count = min(left, 10 * TURN)
            self.transport.write(turn * (count // TURN) + interim * (count % TURN))
            left -= count
            self.counts.burst += count
            await self.writable.wait()
        self.say(result(self.dialect, "last", final=True))


def result(dialect: str, text: str, *, final: bool, words: int = 0, end: float = 0.5) -> dict[str, object]:
    """A transcript, interim or final, as the vendor sends it; ``end`` in seconds of audio."""
    items = [{"word": f"word{at}", "start": at * 0.01, "end": at * 0.01 + 0.01} for at in range(words)]
    if dialect == "cartesia":
        return {
            "type": "transcript",
            "is_final": final,
            "request_id": "5c2f4d3a-0d4e-4d0b-9a67-2f3d3a7c9a10",
            "text": text,
            "duration": end,
            "language": "en",
            "words": items or [{"word": text.strip(), "start": max(end - 0.5, 0.0), "end": end}] if final else items,
        }
    if dialect == "kotoba":
        kind = "conversation.item.input_audio_transcription"
        if final:
            return {
                "type": f"{kind}.completed",
                "event_id": "event_1",
                "item_id": "item_1",
                "transcript": text.strip(),
                "start_ms": max(end - 0.5, 0.0) * 1000,
                "end_ms": end * 1000,
            }
        return {"type": f"{kind}.delta", "item_id": "item_1", "delta": text}
    return {
        "type": "final_transcript" if final else "interim_transcript",
        "session_id": "s",
        "transcript": text.strip(),
        "language": "en",
        "start": max(end - 0.5, 0.0),
        "duration": min(end, 0.5),
        "confidence": 0.9,
        "words": [{**item, "confidence": 0.9} for item in items],
    }


def _framed(payload: bytes, opcode: int) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((128 | opcode, size)) + payload
    if size < 65536:
        return bytes((128 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((128 | opcode, 127)) + size.to_bytes(8, "big") + payload


def _unmask(data: bytes, begin: int, length: int) -> bytes:
    mask = data[begin - 4 : begin] * (length // 4 + 1)
    masked = int.from_bytes(data[begin : begin + length], "big")
    return (masked ^ int.from_bytes(mask[:length], "big")).to_bytes(length, "big")
