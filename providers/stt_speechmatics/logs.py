"""Log records that know their job."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from typing_extensions import override

__all__ = ["log", "log_of"]

log = logging.getLogger("stt_speechmatics")

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class _JobLog(_Adapter):
    @override
    def process(self, msg: object, kwargs: MutableMapping[str, Any]) -> tuple[str, MutableMapping[str, Any]]:
        extra: Mapping[str, object] = self.extra or {}
        kwargs["extra"] = {**extra, **kwargs.get("extra", {})}
        return f"the job {extra['job_id']} {msg}", kwargs


def log_of(job_id: str) -> _JobLog:
    """Where to write what happens to a job: its id is in each message, and ``job_id`` of each record."""
    return _JobLog(log, {"job_id": job_id})
