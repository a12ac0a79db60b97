"""What the server half knows of its jobs, from their submission until long after they are gone."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast

from stt_core.server import Refused

from .reading import format_time
from .wire import build_complaint, build_job

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from stt_core.server import Job, JobBoard, Upload
    from stt_core.transcript import Transcript

    from .asked import Asked
    from .document import JobOfTranscript
    from .queries import ListAsked
    from .wire import JobComplaint, JobDetails, VendorState

__all__ = ["Record", "Records", "utc_now"]

MAX_GONE = 1000
"""Jobs that are remembered as deleted or expired; of older ones nothing is known any more."""

_ID_LETTERS = string.ascii_lowercase + string.digits
_STATES: Mapping[str, VendorState] = {
    "running": "running",
    "done": "done",
    "failed": "rejected",
    "cancelled": "deleted",
}


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


@dataclass(slots=True, eq=False)
class Record:
    """A job.

    Attributes:
        id: ten letters and figures; on premises twenty hexadecimal ones.
        created_at: no two jobs have the same, as lists are continued from there.
        asked: what it is to do; of one that is gone nothing but whether it was to be fetched.
        data_name: of the upload; ``""`` where the recording is fetched.
        owner: the ``client_ref`` whose jobs it is among; ``None`` for none.
        request_id: of the submit.
        engines: on premises: how many it has; ``None`` elsewhere.
        duration: seconds of audio, as soon as they are known.
        finished_at: when it was done.
        complaints: what went wrong, the oldest first.
        log: what happened, line by line.
        gone: why there is nothing of it any more but this.
    """

    id: str
    created_at: datetime
    asked: Asked
    data_name: str
    owner: str | None
    request_id: str
    engines: int | None = None
    duration: float | None = None
    finished_at: datetime | None = None
    complaints: list[JobComplaint] = field(default_factory=list["JobComplaint"])
    log: list[str] = field(default_factory=list[str])
    gone: Literal["deleted", "expired"] | None = None


class Records:
    """All jobs of the half.

    Args:
        board: where they run and are kept.
        now: the time of day, UTC.
    """

    def __init__(self, board: JobBoard, *, now: Callable[[], datetime] = utc_now) -> None:
        self.now = now
        self._board = board
        self._records: dict[str, Record] = {}
        self._last_created = datetime.min.replace(tzinfo=UTC)

    def create(
        self, asked: Asked, *, data_name: str, owner: str | None, request_id: str, engines: int | None = None
    ) -> Record:
        """A job that does not run yet."""
        moment = self.now()
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        self._last_created = max(moment, self._last_created + timedelta(milliseconds=1))
        job_id = secrets.token_hex(10) if engines else "".join(secrets.choice(_ID_LETTERS) for _ in range(10))
        return Record(job_id, self._last_created, asked, data_name, owner, request_id, engines)

    def submit(
        self,
        record: Record,
        work: Callable[[], Awaitable[Transcript]],
        *,
        upload: Upload | None,
        then: Callable[[Job], Awaitable[None]] | None = None,
    ) -> Job:
        """Starts it; ``then`` is called once it is over.

        Raises:
            Refused: 429, too many jobs run.
        """
        if upload is not None:
            upload.take()
        holding = () if upload is None else (upload,)
        job = self._board.submit(record.id, work, about=record, holding=holding, then=then)
        self._records[record.id] = record
        self._bury()
        return job

    def find(self, job_id: str, *, owner: str | None, on_premises: bool, what: str = "Job") -> Record:
        """A job that runs, is over, or was deleted.

        Args:
            job_id: as the client gave it.
            owner: whose jobs the client may see; ``None`` for all.
            on_premises: which API is asked.
            what: is asked for, a ``Job`` or a ``File``; the error is called after it.

        Raises:
            Refused: 404, there is none; 410, it has expired.
        """
        record = self._records.get(job_id)
        if record is not None:
            self._settle(record)
        if record is None or not self._may_see(record, owner, on_premises=on_premises):
            raise Refused(404, "there is no job of this id", title="Job not found")
        if record.gone == "expired":
            raise Refused(410, "jobs are not kept for ever: this one is gone", title=f"{what} Expired")
        return record

    def job(self, record: Record) -> Job | None:
        """The job itself, as long as there is something of it."""
        return None if record.gone else self._board.get(record.id)

    def status(self, record: Record) -> VendorState:
        """How it stands."""
        job = self.job(record)
        return record.gone or ("expired" if job is None else _STATES[job.state])

    def listed(self, asked: ListAsked, *, owner: str | None) -> Sequence[Record]:
        """The newest first."""
        self._bury()
        found = [
            record
            for record in self._records.values()
            if self._may_see(record, owner, on_premises=False)
            and (asked.include_deleted or not record.gone)
            and (asked.created_before is None or record.created_at < asked.created_before)
        ]
        return sorted(found, key=lambda record: record.created_at, reverse=True)[: asked.limit]

    def active(self) -> Sequence[Record]:
        """Those that run on premises."""
        return [record for record in self._records.values() if record.engines and self.status(record) == "running"]

    def delete(self, record: Record, *, force: bool) -> None:
        """Forgets its transcript, and stops it if it runs.

        Raises:
            Refused: 404, it was deleted before; 423, it runs, and was not forced.
        """
        if record.gone:
            raise Refused(404, "the job was deleted before", title="Job not found")
        if self.status(record) == "running" and not force:
            raise Refused(423, "the job is running: force=true deletes it all the same", title="Resource Locked")
        self._board.delete(record.id)
        self.note(record, "deleted")
        record.gone = "deleted"

    # -- what is told of a job -------------------------------------------------------------------------------------

    def note(self, record: Record, what: str) -> None:
        """One more line of its log."""
        record.log.append(f"{format_time(self.now())} {what}")

    def complain(self, record: Record, what: str) -> None:
        """One more thing that went wrong."""
        record.complaints.append(build_complaint(what, self.now()))
        self.note(record, what)

    def details(self, record: Record) -> JobDetails:
        """The document of a job."""
        self._settle(record)
        known = record.duration is not None or record.asked.fetch is not None
        return build_job(
            record.id,
            self.status(record),
            record.created_at,
            data_name=record.data_name,
            duration=record.duration if known else 0,
            config=record.asked.echo or None,
            tracking=_tracking(record),
            errors=record.complaints,
            request_id=record.request_id if record.engines else None,
        )

    def block(self, record: Record) -> JobOfTranscript:
        """The block ``job`` of its transcript."""
        block: JobOfTranscript = {
            "id": record.id,
            "created_at": format_time(record.created_at),
            "data_name": record.data_name,
        }
        if record.duration is not None:
            block["duration"] = round(record.duration)
        if (tracking := _tracking(record)) is not None:
            block["tracking"] = tracking
        return block

    def _may_see(self, record: Record, owner: str | None, *, on_premises: bool) -> bool:
        return (record.engines is not None) == on_premises and owner in (None, record.owner)

    def _settle(self, record: Record) -> None:
        """Notices what the board did with it by itself."""
        if record.gone is not None:
            return
        job = self._board.get(record.id)
        if job is None:
            record.gone = "expired"
        elif job.error is not None and not record.complaints:
            self.complain(record, job.error.message)

    def _bury(self) -> None:
        """Forgets what belonged to jobs that are gone, and the oldest of these altogether."""
        kept = {job.id for job in self._board.all()}
        for record in self._records.values():
            if record.gone is None and record.id not in kept:
                record.gone = "expired"
        gone = [record for record in self._records.values() if record.gone is not None]
        for record in gone:
            if record.asked.config:
                record.asked = record.asked.forgotten()
        for record in gone[: max(len(gone) - MAX_GONE, 0)]:
            del self._records[record.id]


def _tracking(record: Record) -> Mapping[str, object] | None:
    tracking = record.asked.config.get("tracking")
    return cast("Mapping[str, object]", tracking) if isinstance(tracking, dict) else None
