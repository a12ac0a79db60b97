"""The contract kit: what every stream promises, checked for one provider.

Each promise has one or more checks, which drive the provider through its public interface and nothing else::

    report = await prove_all(subject)
    print(report)                              # a table: promise, PROVEN or BROKEN or NOT PROVEN, why
    (await prove(subject, Promise.NO_LOSS)).require()

``pytest --stt-provider NAME`` runs them over a provider; see :mod:`stt_core.testing.plugin`.

A :class:`Subject` says how to make the provider's STT, what speech it gets right, and how it can be disturbed;
:func:`~stt_core.testing.contract.sockets.socket_subject` makes one of a provider's two halves. What a subject cannot be
put to is reported as NOT PROVEN, which is never a pass. The checks run on virtual time (:mod:`stt_core.testing.clock`)
as well as on real time: they wait for events, and their deadlines are the subject's.
"""

from __future__ import annotations

from .kit import CHECKS, prove, prove_all, prove_now
from .report import NotProven, Outcome, Promise, PromiseBroken, Report, State
from .scripted import subjects
from .subject import Disturbance, Received, Refusal, Sample, Subject, Update

__all__ = [
    "CHECKS",
    "Disturbance",
    "NotProven",
    "Outcome",
    "Promise",
    "PromiseBroken",
    "Received",
    "Refusal",
    "Report",
    "Sample",
    "State",
    "Subject",
    "Update",
    "prove",
    "prove_all",
    "prove_now",
    "subjects",
]
