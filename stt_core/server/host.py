"""The server that the halves are mounted in."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from aiohttp import web

from ..errors import ConfigError, STTError, UnsupportedError
from ..factory import create_stt
from ..registry import get_provider, providers
from ..stt import STT
from .backend import Backend
from .fetch import Fetcher
from .guard import ANY, Guard, is_loopback
from .half import ServerHalf, Services
from .jobs import KEEP_SECONDS, JobBoard
from .keys import ApiKeys
from .mount import Mount
from .sessions import Sessions

if TYPE_CHECKING:
    from ..config import Config
    from ..provider import Provider

__all__ = ["Host"]

logger = logging.getLogger("stt_core.server")

# What aiohttp says of a broken request quotes it, and keys stand in URLs.
_silent = logging.getLogger("stt_core.server.http")
_silent.setLevel(logging.CRITICAL + 1)

_LOOPBACK = ("127.0.0.1", "::1")
_PORT_TRIES = 20
_MAX_LINE = 1 << 15  # beyond it there is not even a vendor's answer to a URL that is too long


class Host:
    """Serves every provider's server half under ``/<provider>``, with one provider behind all of them.

    ``async with Host(...)`` starts and stops it; :meth:`serve_forever` then waits. It listens on 127.0.0.1 and ::1,
    fetches no URL, and refuses pages in browsers unless told otherwise.

    Args:
        config: who recognises, as for :func:`stt_core.factory.create_stt`; an ``STT`` is used and not closed.
        host: another address or name to listen on. One that others can reach needs ``api_keys``.
        port: 0 chooses one.
        root: the provider whose half is mounted at ``/`` as well, for clients with fixed paths.
        api_keys: what clients have to present; without any, every credential that is not empty is accepted.
        allow_origins: pages that may use the server, as browsers write them (``https://app.example``); ``*`` for any.
        allow_hosts: names, beside localhost and IP addresses, that a request may be addressed to; ``*`` for any.
            Without it there is none, or any where ``api_keys`` are asked for.
        fetch_hosts: where recordings may be fetched from, ``files.example`` or ``files.example:8443``, for clients that
            send a URL in place of a file; without any, none is fetched.
        max_upload: bytes of one upload.
        max_sessions: sockets, and requests with a body, at once.
        max_jobs: jobs that each half keeps.
        keep_jobs: seconds for which a job is kept once it is over.
        idle_timeout: seconds of silence after which a socket is closed.
        drain_timeout: seconds that sessions have to come to their end when the server stops.

    Raises:
        ConfigError: something about them is wrong; nothing has been started.
        UnsupportedError: the provider for the root has no server half.
    """

    def __init__(
        self,
        config: Config | STT | None = None,
        *,
        host: str | None = None,
        port: int = 0,
        root: str | None = None,
        api_keys: Collection[str] = (),
        allow_origins: Collection[str] = (),
        allow_hosts: Collection[str] = (),
        fetch_hosts: Collection[str] = (),
        max_upload: int = 2 << 30,
        max_sessions: int = 64,
        max_jobs: int = 1000,
        keep_jobs: float = KEEP_SECONDS,
        idle_timeout: float = 300.0,
        drain_timeout: float = 10.0,
    ) -> None:
        self._keys = ApiKeys(api_keys)
        if host is not None and not is_loopback(host) and not self._keys:
            raise ConfigError(
                f"listening on {host} lets others in: give API keys that they have to present (--api-key)"
            )
        if max_jobs < 1 or max_upload < 1 or not keep_jobs >= 0:
            raise ConfigError("max_jobs and max_upload are at least 1, and keep_jobs at least 0")
        if not 0 <= port <= 65535:
            raise ConfigError(f"a port is a number from 0 to 65535, not {port}")
        if not allow_hosts and self._keys:
            allow_hosts = (ANY,)
        if root is not None and get_provider(root).server is None:
            raise UnsupportedError(f"the provider {root} has no server half", provider=root)
        self._guard = Guard(allow_origins=allow_origins, allow_hosts=allow_hosts)
        self._fetcher = Fetcher(fetch_hosts, max_bytes=max_upload)
        self._sessions = Sessions(max_sessions)
        self._config = config
        self._host = host
        self._port = port
        self._root = root
        self._max_upload = max_upload
        self._max_jobs = max_jobs
        self._keep_jobs = keep_jobs
        self._idle_timeout = idle_timeout
        self._drain_timeout = drain_timeout
        self._mounts: list[Mount] = []
        self._exit = AsyncExitStack()
        self.port = port
        """The port; after the start the one chosen."""

    @property
    def urls(self) -> Mapping[str, str]:
        """After the start, by provider: what to give its own client, and ours, as ``base_url``."""
        host = self._host or "localhost"
        host = f"[{host}]" if ":" in host else host
        return {
            mount.name: f"http://{host}:{self.port}{mount.prefix}{mount.half.base_path}"
            for mount in sorted(self._mounts, key=lambda mount: (mount.name, not mount.prefix))
        }

    async def start(self) -> None:
        """Starts listening.

        Raises:
            ConfigError: the config is wrong, or the address cannot be listened on.
            MissingExtraError: the provider behind, or the one at the root, needs a package that is not installed.
        """
        async with AsyncExitStack() as exit_stack:
            stt = self._config if isinstance(self._config, STT) else create_stt(self._config)
            if stt is not self._config:
                exit_stack.push_async_callback(stt.aclose)
            exit_stack.push_async_callback(self._fetcher.aclose)
            boards: list[JobBoard] = []
            self._mounts = []
            self._mount_all(Backend(stt), boards)
            for board in boards:
                exit_stack.push_async_callback(board.aclose)
            # A handler whose client has gone is cancelled, so that it holds no place and no provider.
            runner = web.AppRunner(
                self._app(),
                logger=_silent,
                access_log=None,
                handler_cancellation=True,
                shutdown_timeout=1.0,
                max_line_size=_MAX_LINE,
                max_field_size=_MAX_LINE,
            )
            await runner.setup()
            exit_stack.push_async_callback(runner.cleanup)
            await self._listen(runner)
            exit_stack.push_async_callback(self._stop, runner)
            self._exit = exit_stack.pop_all()

    async def serve_forever(self) -> None:
        """Waits until it is cancelled."""
        await asyncio.get_running_loop().create_future()

    async def aclose(self) -> None:
        """Stops: no more is read, what was said is still told, then everything is closed. Again does nothing."""
        await self._exit.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- starting and stopping -------------------------------------------------------------------------------------

    def _mount_all(self, backend: Backend, boards: list[JobBoard]) -> None:
        for provider in providers().values():
            if provider.server is None:
                continue
            at_root = provider.name == self._root
            try:
                make = _maker(provider)
            except STTError as error:
                if at_root:
                    raise
                logger.warning("%s is not served: %s", provider.name, error)
                continue
            jobs = JobBoard(max_jobs=self._max_jobs, log=logger, keep=self._keep_jobs)
            boards.append(jobs)
            half = make(Services(backend, self._keys, jobs, self._fetcher))
            for prefix in (f"/{provider.name}", "") if at_root else (f"/{provider.name}",):
                mount = Mount(
                    provider.name,
                    half,
                    prefix,
                    guard=self._guard,
                    sessions=self._sessions,
                    max_upload=self._max_upload,
                    idle_timeout=self._idle_timeout,
                )
                self._mounts.append(mount)

    def _app(self) -> web.Application:
        app = web.Application(logger=_silent, client_max_size=self._max_upload)
        # The root's last: what it makes of unknown paths takes all of them.
        for mount in sorted(self._mounts, key=lambda mount: not mount.prefix):
            mount.add_routes(app.router)
        if self._root is None:
            app.router.add_route("*", "/{tail:.*}", self._nothing_here)
        return app

    async def _nothing_here(self, raw: web.Request) -> web.StreamResponse:
        paths = ", ".join(sorted(mount.prefix for mount in self._mounts))
        return web.Response(status=404, text=f"There is nothing here. Look under {paths or '(no provider)'}.\n")

    async def _listen(self, runner: web.AppRunner) -> None:
        local = self._host is None or self._host.lower() == "localhost"
        addresses = _LOOPBACK if local else (self._host or "",)
        for attempt in range(_PORT_TRIES):
            try:
                self.port = await _listen_on(runner, addresses, self._port)
            except OSError as error:
                # The port that was free on the first address may be taken on the second.
                if error.errno == errno.EADDRINUSE and self._port == 0 and attempt < _PORT_TRIES - 1:
                    continue
                where = f"{' and '.join(addresses)}, port {self._port}"
                raise ConfigError(f"cannot listen on {where}: {error.strerror or error}") from error
            return

    async def _stop(self, runner: web.AppRunner) -> None:
        for site in list(runner.sites):
            await site.stop()
        await self._sessions.drain(self._drain_timeout)


async def _listen_on(runner: web.AppRunner, addresses: Sequence[str], port: int) -> int:
    """Listens on all of them at one port, and returns it. Of several, those that the machine does not have are left."""
    opened: list[web.TCPSite] = []
    try:
        for address in addresses:
            site = web.TCPSite(runner, address, port)
            try:
                await site.start()
            except OSError as error:
                await site.stop()
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) or address == addresses[0]:
                    raise
                logger.debug("not listening on %s: %s", address, error.strerror)
                continue
            opened.append(site)
            port = port or cast("int", runner.addresses[-1][1])
    except OSError:
        for site in opened:
            await site.stop()
        raise
    return port


def _maker(provider: Provider) -> Callable[[Services], ServerHalf]:
    half = provider.load_server()
    if not callable(half):
        raise ConfigError(f"`{provider.server}` of the provider {provider.name} makes no server half")
    return cast("Callable[[Services], ServerHalf]", half)
