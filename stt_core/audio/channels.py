"""Several channels to one, and apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import AudioError

if TYPE_CHECKING:
    from .encodings import Samples

__all__ = ["mix", "remix", "split"]


def mix(samples: Samples) -> Samples:
    """One channel out of several, with equal weights.

    A voice on one side only comes out at half its level, and nothing can clip.

    Args:
        samples: ``(n, channels)``.

    Returns:
        ``(n,)``.
    """
    return samples.mean(axis=1, dtype=np.float32) if samples.shape[1] > 1 else samples[:, 0]


def split(samples: Samples) -> list[Samples]:
    """Each channel by itself.

    Args:
        samples: ``(n, channels)``.

    Returns:
        one ``(n,)`` per channel, contiguous.
    """
    return list(np.ascontiguousarray(samples.T))


def remix(samples: Samples, channels: int) -> Samples:
    """Another number of channels: mixed to one, or one repeated.

    Args:
        samples: ``(n, channels)``.
        channels: how many to have.

    Raises:
        AudioError: several channels to several others, which has no one meaning.
    """
    have = samples.shape[1]
    if have == channels:
        return samples
    if channels == 1:
        return mix(samples)[:, np.newaxis]
    if have == 1:
        return np.repeat(samples, channels, axis=1)
    raise AudioError(f"{have} channels can be kept or mixed to one, not turned into {channels}")
