from __future__ import annotations

import numpy as np
import pytest

from stt_core.audio.channels import mix, remix, split
from stt_core.errors import AudioError

THREE = np.array([[0.3, 0.6, 0.9], [-0.3, 0.0, 0.3]], np.float32)


def test_mix_is_the_mean() -> None:
    """Equal weights: full scale on all channels is full scale, and nothing can clip."""
    np.testing.assert_allclose(mix(THREE), [0.6, 0.0], atol=1e-7)
    assert mix(THREE).dtype == np.float32
    assert mix(np.ones((5, 3), np.float32)).max() == 1


def test_split_gives_each_channel() -> None:
    """One contiguous array per channel, in order."""
    parts = split(THREE)
    assert len(parts) == 3
    for index, part in enumerate(parts):
        np.testing.assert_array_equal(part, THREE[:, index])
        assert part.flags.c_contiguous


def test_remix() -> None:
    """Kept, mixed to one, or one repeated; three to two is refused rather than guessed."""
    assert remix(THREE, 3) is THREE
    np.testing.assert_array_equal(remix(THREE, 1)[:, 0], mix(THREE))
    np.testing.assert_array_equal(remix(THREE[:, :1], 2), THREE[:, [0, 0]])
    with pytest.raises(AudioError, match="3 channels can be kept or mixed to one"):
        remix(THREE, 2)
