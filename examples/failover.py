"""A call that survives the internet: a chain of three, of which the first two are killed in the middle of a sentence.

    python examples/failover.py tests/data/speech/garden.wav

Two vendors are emulated on this machine, each behind a network that breaks; the last member is the embedded engine,
which needs none. What is printed is who said what, and why the next one took over.
"""

from __future__ import annotations

import asyncio
import sys

from stt_core import SpeechEventType, create_stt
from stt_core.server import Host
from stt_core.testing.faults import AudioSent, AudioWire, Drop, FaultProxy, Refuse, base64_audio

LIVEKIT = AudioWire(audio_of=base64_audio("audio", type="input_audio"))


async def main(path: str) -> None:
    gone = {number: [Refuse()] for number in range(1, 100)}
    async with (
        Host("pocketsphinx/en-us") as vendors,
        FaultProxy(vendors.urls["cartesia"], {0: [Drop(AudioSent(1.2))], **gone}) as first,
        FaultProxy(vendors.urls["livekit"], {0: [Drop(AudioSent(1.6))], **gone}, audio=LIVEKIT) as second,
    ):
        config = (
            f"cartesia/ink-whisper:en?base_url={first.url}"
            f" | livekit/deepgram/nova-3:en?base_url={second.url}"
            " | pocketsphinx/en-us"
        )
        keys = {"cartesia": "any", "livekit": "any"}
        stt = create_stt(config, api_key=keys, api_secret={"livekit": "any" * 11})
        async with stt, stt.stream(source=path) as stream:
            async for event in stream:
                if event.type is SpeechEventType.PROVIDER_SWITCHED:
                    print(f"{event.previous_provider} -> {event.provider}: {event.error}")
                elif event.type is SpeechEventType.FINAL_TRANSCRIPT:
                    print(f"{event.provider}: {event.text}")
            print((await stream.transcript()).text)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
