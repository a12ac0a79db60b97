"""``stt jobs``: recordings that a vendor recognises in its own time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self, cast, get_args

import click

from ..transcript import TranscriptFormat
from .inplace import note
from .outcome import Commands, carry_out, model_option, verbose_option

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from ..jobs import Job, JobInfo, JobProgress
    from ..stt import STT
    from .stopping import Stop

__all__ = ["jobs"]


@click.group(cls=Commands, no_args_is_help=False)
def jobs() -> None:
    """Submit recordings, and pick up what became of them.

    For models that recognise by jobs; stt providers NAME says which do. A job needs nothing but its id: any process
    with the same key can ask after it.
    """


_id_argument = click.argument("job_id", metavar="ID")
_form_option = click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(get_args(TranscriptFormat)),
    default="txt",
    show_default=True,
    help="What to write.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


@jobs.command()
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@model_option
@verbose_option
def submit(file: Path, config: str | None, verbose: bool) -> int:
    """Upload FILE as a job, and print the job's id.

    The options of CONFIG are those of the job.
    """

    async def run(stt: STT, stop: Stop) -> int:
        from .progress import Ticking

        try:
            with Ticking(lambda seconds: f"stt: uploading {file.name}, {seconds:.0f} s so far") as ticking:
                ticking.show()
                job = await stt.submit(file)
        finally:
            if stop.asked:
                note("stopped: whether the upload became a job is not known; stt jobs list may tell")
        click.echo(job.id)
        note(f"what it recognises is printed by: {_again('wait', job.id, config)}")
        return 0

    return _carry_out(run, config, verbose=verbose)


@jobs.command()
@_id_argument
@model_option
@_json_option
@verbose_option
def status(job_id: str, config: str | None, as_json: bool, verbose: bool) -> int:
    """Tell where the job ID is.

    That is processing, done or error, and the vendor's own word for it.
    """

    async def run(stt: STT, stop: Stop) -> int:
        from .layout import Page

        info = await stt.job(job_id).info()
        if as_json:
            click.echo(_document(info))
        else:
            page = Page()
            page.rows(_rows(info))
            page.show()
        return 0

    return _carry_out(run, config, verbose=verbose)


@jobs.command()
@_id_argument
@model_option
@_form_option
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Wait no longer.")
@click.option(
    "--poll-interval",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Between the first two questions.  [default: as the vendor's own client]",
)
@verbose_option
def wait(
    job_id: str, config: str | None, form: str, timeout: float | None, poll_interval: float | None, verbose: bool
) -> int:
    """Wait until the job ID is done, and write what was recognised.

    Ctrl-C ends the waiting and not the job.
    """

    async def run(stt: STT, stop: Stop) -> int:
        try:
            with _Waiting(job_id) as waiting:
                transcript = await stt.job(job_id).wait(
                    timeout=timeout, poll_interval=poll_interval, on_progress=waiting.hear
                )
        finally:
            if stop.asked:
                note(f"stopped waiting; the job goes on, and is found again by: {_again('wait', job_id, config)}")
        click.echo(transcript.to(cast("TranscriptFormat", form)).removesuffix("\n"))
        return 0

    return _carry_out(run, config, verbose=verbose)


@jobs.command()
@_id_argument
@model_option
@_form_option
@click.option("--vendor", metavar="NAME", help="The vendor's own document or rendering instead: json, srt ...")
@verbose_option
def result(job_id: str, config: str | None, form: str, vendor: str | None, verbose: bool) -> int:
    """Write what the job ID recognised, if it is done."""

    async def run(stt: STT, stop: Stop) -> int:
        job = stt.job(job_id)
        if vendor is None:
            text = (await job.result()).to(cast("TranscriptFormat", form))
        else:
            text = await _vendors(job, vendor)
        click.echo(text.removesuffix("\n"))
        return 0

    return _carry_out(run, config, verbose=verbose)


@jobs.command("list")
@model_option
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, metavar="N", help="No more than so many."
)
@click.option("--deleted", is_flag=True, help="Those that are deleted, too.")
@_json_option
@verbose_option
def list_jobs(config: str | None, limit: int, deleted: bool, as_json: bool, verbose: bool) -> int:
    """List the jobs of the account, the newest first.

    Of each: its id, the vendor's word for where it is, when it was submitted, how long the audio is, and the file.
    """

    async def run(stt: STT, stop: Stop) -> int:
        async for info in stt.list_jobs(limit=limit, include_deleted=deleted):
            click.echo(_document(info) if as_json else _line(info))
        return 0

    return _carry_out(run, config, verbose=verbose)


@jobs.command()
@_id_argument
@model_option
@click.option("--force", is_flag=True, help="Also while it runs.")
@verbose_option
def delete(job_id: str, config: str | None, force: bool, verbose: bool) -> int:
    """Delete the job ID at the vendor, with what it recognised."""

    async def run(stt: STT, stop: Stop) -> int:
        await stt.job(job_id).delete(force=force)
        note(f"{job_id} is deleted")
        return 0

    return _carry_out(run, config, verbose=verbose)


def _carry_out(work: Callable[[STT, Stop], Coroutine[None, None, int]], config: str | None, *, verbose: bool) -> int:
    async def run(stop: Stop) -> int:
        from ..factory import create_stt

        async with create_stt(config) as stt:
            return await work(stt, stop)

    return carry_out(run, verbose=verbose)


def _again(command: str, job_id: str, config: str | None) -> str:
    """A command that goes on with a job, to be typed as it is."""
    import shlex

    return shlex.join(["stt", "jobs", command, job_id, *(() if config is None else ("-m", config))])


async def _vendors(job: Job, name: str) -> str:
    found = await job.result(name)
    if isinstance(found, str):
        return found
    import json

    return json.dumps(found, ensure_ascii=False, indent=2)


class _Waiting:
    """What is shown while a job is waited for: the vendor's word for where it is, and since when. A context manager."""

    def __init__(self, job_id: str) -> None:
        from .progress import Ticking

        self._job_id = job_id
        self._said = ""
        self._ticking = Ticking(lambda seconds: f"stt: job {job_id} is {self._said}, {seconds:.0f} s so far")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ticking.__exit__()

    def hear(self, progress: JobProgress) -> None:
        """Takes an answer in."""
        if progress.status.vendor_state == self._said:
            return
        self._said = progress.status.vendor_state
        self._ticking.show()
        if not self._ticking.works:
            note(f"job {self._job_id} is {self._said}, {progress.elapsed:.0f} s so far")


def _document(info: JobInfo) -> str:
    import json

    return json.dumps(
        {
            "id": info.id,
            "state": info.state,
            "vendor_state": info.vendor_state,
            "created_at": info.created_at and info.created_at.isoformat(),
            "name": info.name,
            "duration": info.duration,
            "errors": list(info.errors),
        },
        ensure_ascii=False,
    )


def _rows(info: JobInfo) -> Iterator[tuple[str, str]]:
    yield "state", info.state if info.state == info.vendor_state else f"{info.state} ({info.vendor_state})"
    if info.created_at is not None:
        yield "created", info.created_at.isoformat(sep=" ", timespec="seconds")
    if info.name is not None:
        yield "file", info.name
    if info.duration is not None:
        yield "audio", f"{info.duration:.1f} s"
    for error in info.errors:
        yield "error", error


def _line(info: JobInfo) -> str:
    created = "-" if info.created_at is None else info.created_at.isoformat(sep=" ", timespec="seconds")
    duration = "-" if info.duration is None else f"{info.duration:.1f} s"
    return f"{info.id}  {info.vendor_state:10}  {created:25}  {duration:>10}  {info.name or '-'}"
