"""Drives inference.STT of livekit-agents, 1.2.x and newer: livekit_agents.py CALL URL WAV.

Prints each event of the stream, and the types of all messages that the gateway sent.
"""

import asyncio
import json
import logging
import sys
import wave

import aiohttp
from livekit import rtc
from livekit.agents import APIError, __version__, inference

KEY, SECRET, ANOTHER = "APIdevkey", 4 * "a-secret-of-the-api-", 4 * "another-secret-of-it"
FRAME = 0.02  # seconds, as rooms give them

CALLS = {
    "plain": {"model": "deepgram/nova-3", "language": "en"},
    "options": {
        "model": "deepgram/nova-3",
        "language": "en",
        "extra_kwargs": {"filler_words": True, "endpointing": 100, "keyterm": ["garden", "C++"]},
    },
    "no model": {},
    "refused": {"model": "deepgram/nova-3", "language": "en", "api_secret": ANOTHER},
    "update": {"model": "assemblyai/universal-streaming"},
    "fallback": {
        "model": "deepgram/flux-general",
        "fallback": ["cartesia/ink-whisper", {"model": "xai/stt-1", "extra_kwargs": {"diarize": True}}],
    },
}
UPDATES = {"update": {"language": "en", "extra": {"max_turn_silence": 700}}}
"""What changes in the middle of the audio."""

CONNECTIONS = 2 if __version__.startswith("1.2.") else 1
"""1.2.x connects twice when it starts, and what the first connection has been sent by then is lost."""

connected, answered = asyncio.Event(), asyncio.Event()
received: list[str] = []


class Recorded(aiohttp.ClientWebSocketResponse):
    made = 0

    def __init__(self, *arguments: object, **more: object) -> None:
        super().__init__(*arguments, **more)
        Recorded.made += 1
        if Recorded.made == CONNECTIONS:
            connected.set()
            received.clear()

    async def receive(self, timeout: float | None = None) -> aiohttp.WSMessage:
        message = await super().receive(timeout)
        is_text = message.type is aiohttp.WSMsgType.TEXT
        received.append(json.loads(message.data)["type"] if is_text else message.type.name.lower())
        answered.set()
        return message


def show(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def frames(path: str) -> list[rtc.AudioFrame]:
    with wave.open(path) as file:
        rate, data = file.getframerate(), file.readframes(file.getnframes())
    size = 2 * int(rate * FRAME)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [rtc.AudioFrame(piece, rate, 1, len(piece) // 2) for piece in pieces]


async def main(call: str, url: str, path: str) -> None:
    logging.getLogger("livekit").setLevel(logging.CRITICAL)
    async with aiohttp.ClientSession(ws_response_class=Recorded) as http:
        given = {"base_url": url, "api_key": KEY, "api_secret": SECRET, "http_session": http, **CALLS[call]}
        stream = inference.STT(**given).stream()
        if call != "refused":
            await connected.wait()
        audio = frames(path)
        for number, frame in enumerate(audio):
            stream.push_frame(frame)
            if call in UPDATES and number == len(audio) // 2:
                await answered.wait()
                stream.update_options(**UPDATES[call])
        stream.end_input()
        try:
            async for event in stream:
                data = event.alternatives[0] if event.alternatives else None
                show(
                    type=event.type.value,
                    text=data.text if data else "",
                    start=data.start_time if data else None,
                    end=data.end_time if data else None,
                    language=str(data.language) if data else None,
                    words=[str(word) for word in getattr(data, "words", None) or []],
                )
        except (APIError, aiohttp.ClientError) as error:
            show(error=type(error).__name__, status=getattr(error, "status_code", getattr(error, "status", None)))
        await stream.aclose()
    show(received=received)


asyncio.run(main(*sys.argv[1:]))
