"""Servers that do what networks and vendors do wrong, on the loopback, reproducibly and on record.

::

    plan = {0: [Drop(AudioSent(1.0), outage=1.0)], 1: [DelayResults(seed=7)]}
    async with FaultProxy(server_half.url, plan) as proxy:
        async with create_stt("cartesia/ink-whisper", base_url=proxy.url, api_key="k") as stt:
            ...
        assert proxy.connections[0].faults  # it did happen
        assert not proxy.places_of("k", allowed_headers={"X-API-Key"})

:class:`FaultProxy` stands in front of any server, :class:`ScriptedServer` answers by itself, :class:`ConnectProxy` is
an HTTP proxy, and :class:`ThrowawayCA` signs for the loopback. The faults and their plans are in :mod:`.plan`, what can
be asserted on in :mod:`.record`. Times are seconds of the audio that the client has sent, where audio can tell them;
elsewhere they are the event loop's, so that nothing takes long on a
:class:`~stt_core.testing.clock.VirtualTimeLoop`.
"""

from .backend import Peer, PeerGoneError
from .exchange import Answer
from .messages import (
    CORRUPTIONS,
    Corruption,
    Matching,
    Raw,
    anything,
    base64_audio,
    binary_audio,
    frame,
    leaves,
    matching,
)
from .plan import (
    BAD_GATEWAY,
    EVERY,
    Accepted,
    Alter,
    AudioSent,
    BlackHole,
    ClientSends,
    Close,
    Corrupt,
    CutResponse,
    CutUpload,
    Delay,
    DelayResults,
    Drop,
    Duplicate,
    HalfOpen,
    HttpPlan,
    KeepOpen,
    Moment,
    Plan,
    Refuse,
    Reorder,
    Repeat,
    Replace,
    Send,
    ServerSends,
    SlowResponse,
    SlowUpload,
    Stall,
    Status,
    StopReading,
    Swallow,
)
from .proxy import ConnectProxy, Tunnel
from .record import AudioWire, Connection, Exchange, Frame, RequestHead
from .server import FaultProxy, FaultServer, ScriptedServer
from .tls import ThrowawayCA

__all__ = [
    "BAD_GATEWAY",
    "CORRUPTIONS",
    "EVERY",
    "Accepted",
    "Alter",
    "Answer",
    "AudioSent",
    "AudioWire",
    "BlackHole",
    "ClientSends",
    "Close",
    "ConnectProxy",
    "Connection",
    "Corrupt",
    "Corruption",
    "CutResponse",
    "CutUpload",
    "Delay",
    "DelayResults",
    "Drop",
    "Duplicate",
    "Exchange",
    "FaultProxy",
    "FaultServer",
    "Frame",
    "HalfOpen",
    "HttpPlan",
    "KeepOpen",
    "Matching",
    "Moment",
    "Peer",
    "PeerGoneError",
    "Plan",
    "Raw",
    "Refuse",
    "Reorder",
    "Repeat",
    "Replace",
    "RequestHead",
    "ScriptedServer",
    "Send",
    "ServerSends",
    "SlowResponse",
    "SlowUpload",
    "Stall",
    "Status",
    "StopReading",
    "Swallow",
    "ThrowawayCA",
    "Tunnel",
    "anything",
    "base64_audio",
    "binary_audio",
    "frame",
    "leaves",
    "matching",
]
