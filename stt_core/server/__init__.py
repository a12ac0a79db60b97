"""The host of the providers' server halves: `stt serve`, and the tests of everybody who talks to a provider.

A server half speaks a vendor's protocol to the vendor's own clients, with any provider behind it. It is written with
the types below and knows no HTTP library:

    class AcmeServer:
        base_path = "/v1"

        def __init__(self, services: Services) -> None:
            self._services = services

        def routes(self) -> Sequence[Route | SocketRoute]:
            return [Route("POST", "/v1/transcribe", self.transcribe), SocketRoute("/v1/live", self.live)]

        def authorize(self, request: Request) -> None:
            if not self._services.keys.accept(request.bearer):
                raise Refused(401, "no such key")

        def refusal(self, request: Request, refused: Refused) -> Response:
            return Response.json({"error": refused.message}, refused.status)

        async def transcribe(self, request: Request) -> Response:
            upload = (await request.form()).file("audio")
            return Response.json({"text": (await self._services.backend.recognize(upload.audio)).text})

        async def live(self, request: Request, socket: Socket) -> None:
            await socket.accept()
            async with self._services.backend.stream(AudioFormat(16000)) as stream:
                ...

The provider's registration names the class (``server="stt_acme.server:AcmeServer"``).
"""

from .backend import Backend
from .fetch import Fetcher
from .half import Response, Route, ServerHalf, Services, SocketRoute
from .host import Host
from .jobs import Job, JobBoard
from .keys import ApiKeys
from .refused import Refused
from .relay import Relay
from .request import Form, Request, Upload
from .socket import Socket, SocketClosed

__all__ = [
    "ApiKeys",
    "Backend",
    "Fetcher",
    "Form",
    "Host",
    "Job",
    "JobBoard",
    "Refused",
    "Relay",
    "Request",
    "Response",
    "Route",
    "ServerHalf",
    "Services",
    "Socket",
    "SocketClosed",
    "SocketRoute",
    "Upload",
]
