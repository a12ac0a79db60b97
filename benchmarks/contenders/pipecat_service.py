"""Pipecat's CartesiaSTTService, in a pipeline with a sink."""

from __future__ import annotations

import asyncio
import sys

import client
from loguru import logger
from pipecat.frames.frames import EndFrame, Frame, InputAudioRawFrame, InterimTranscriptionFrame, TranscriptionFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.cartesia.stt import CartesiaSTTService

logger.remove()
logger.add(sys.stderr, level="CRITICAL")


class Sink(FrameProcessor):
    see: client.See

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterimTranscriptionFrame | TranscriptionFrame):
            self.see(frame.text)
        await self.push_frame(frame, direction)


class Session:
    def __init__(self, url: str) -> None:
        service = CartesiaSTTService(api_key="k", base_url=url.replace("http", "ws", 1), sample_rate=client.RATE)
        self.sink = Sink()
        self.sink.see = lambda text: None
        self.task = PipelineTask(
            Pipeline([service, self.sink]),
            params=PipelineParams(audio_in_sample_rate=client.RATE),
            idle_timeout_secs=None,
            enable_rtvi=False,
        )
        self.running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(self.task))

    @classmethod
    async def open(cls, url: str, dialect: str) -> Session:
        return cls(url)

    async def push(self, data: bytes) -> None:
        await self.task.queue_frame(InputAudioRawFrame(audio=data, sample_rate=client.RATE, num_channels=1))

    send = push

    async def end(self) -> None:
        await self.task.queue_frame(EndFrame())

    async def read(self, see: client.See) -> None:
        self.sink.see = see
        await self.running

    async def close(self) -> None:
        await self.task.cancel()


if __name__ == "__main__":
    client.serve(Session)
