"""``stt serve``: the providers' own protocols on this machine, with any provider behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .inplace import note
from .outcome import carry_out, model_option, verbose_option

if TYPE_CHECKING:
    from ..server import Host
    from .stopping import Stop

__all__ = ["serve"]

_MIB = 1 << 20


@click.command()
@model_option
@click.option("--host", metavar="ADDRESS", help="Where to listen.  [default: 127.0.0.1 and ::1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes one that is free."
)
@click.option("--root", metavar="PROVIDER", help="Serve this provider's protocol at / as well.")
@click.option(
    "--api-key",
    "api_keys",
    metavar="KEY",
    multiple=True,
    envvar="STT_SERVE_API_KEYS",
    show_envvar=True,
    help="What clients have to present; may be repeated. Needed to let others in by --host.",
)
@click.option(
    "--allow-origin",
    "allow_origins",
    metavar="ORIGIN",
    multiple=True,
    help="A web page's origin that may use the server, such as https://app.example; may be repeated.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    metavar="NAME",
    multiple=True,
    help="A name that the server may be addressed by, beside localhost; may be repeated.",
)
@click.option(
    "--fetch-host",
    "fetch_hosts",
    metavar="HOST[:PORT]",
    multiple=True,
    help="Where recordings may be fetched from, for clients that send a URL; may be repeated.",
)
@click.option(
    "--max-upload", type=click.IntRange(1), default=2048, show_default=True, metavar="MIB", help="Size of an upload."
)
@click.option("--max-sessions", type=click.IntRange(1), default=64, show_default=True, help="At once.")
@click.option("--max-jobs", type=click.IntRange(1), default=1000, show_default=True, help="Kept, per provider.")
@verbose_option
def serve(
    config: str | None,
    host: str | None,
    port: int,
    root: str | None,
    api_keys: tuple[str, ...],
    allow_origins: tuple[str, ...],
    allow_hosts: tuple[str, ...],
    fetch_hosts: tuple[str, ...],
    max_upload: int,
    max_sessions: int,
    max_jobs: int,
    verbose: bool,
) -> int:
    """Speak every provider's protocol to its own clients.

    CONFIG recognises. The base URL of each is printed on stderr. Ctrl-C lets open sessions come to their end; a
    second one does not.
    """

    async def run(stop: Stop) -> int:
        from ..server import Host

        server = Host(
            config,
            host=host,
            port=port,
            root=root,
            api_keys=api_keys,
            allow_origins=allow_origins,
            allow_hosts=allow_hosts,
            fetch_hosts=fetch_hosts,
            max_upload=max_upload * _MIB,
            max_sessions=max_sessions,
            max_jobs=max_jobs,
        )
        return await _serve(server, stop)

    return carry_out(run, verbose=verbose)


async def _serve(server: Host, stop: Stop) -> int:
    import asyncio

    asked = asyncio.Event()
    async with server:
        stop.calls(asked.set)  # before anybody is told that there is something to stop
        for name, url in server.urls.items():
            note(f"{name} at {url}")
        await asked.wait()
        note("stopping")
    return 0
