from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stt_core.audio.encodings import Samples, decode, encode
from stt_core.audio.frames import ENCODINGS, SAMPLE_BYTES, Encoding
from stt_core.errors import AudioError

if TYPE_CHECKING:
    from conftest import SoundFileModule

SUBTYPES: dict[Encoding, str] = {
    "pcm_s16le": "PCM_16",
    "pcm_s32le": "PCM_32",
    "pcm_f32le": "FLOAT",
    "pcm_mulaw": "ULAW",
    "pcm_alaw": "ALAW",
}
EVERY_INT16 = np.arange(-32768, 32768).astype(np.int16)


def test_the_five_are_covered() -> None:
    """An encoding that is added is compared with libsndfile too."""
    assert set(SUBTYPES) == set(ENCODINGS) == set(SAMPLE_BYTES)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_decodes_as_libsndfile(encoding: Encoding, sf: SoundFileModule) -> None:
    """All codes of G.711 and all 16 bit values come out as libsndfile reads them; the wide ones on random samples."""
    if SAMPLE_BYTES[encoding] == 1:
        data = bytes(range(256))
    elif encoding == "pcm_s16le":
        data = EVERY_INT16.astype("<i2").tobytes()
    else:
        noise = np.random.default_rng(1).uniform(-1, 1, 10_000)
        data = (noise * 2**31).astype("<i4").tobytes() if encoding == "pcm_s32le" else noise.astype("<f4").tobytes()
    want, _ = sf.read(
        io.BytesIO(data), dtype="float32", samplerate=8000, channels=1, format="RAW", subtype=SUBTYPES[encoding]
    )
    got = decode(data, encoding)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodes_as_libsndfile(encoding: Encoding, sf: SoundFileModule) -> None:
    """Every 16 bit value is written byte for byte as libsndfile writes it."""
    file = io.BytesIO()
    samples = (EVERY_INT16 / 32768).astype(np.float32)
    given_ = samples if encoding == "pcm_f32le" else EVERY_INT16
    sf.write(file, given_, 8000, format="RAW", subtype=SUBTYPES[encoding])
    assert encode(samples, encoding) == file.getvalue()


@pytest.mark.parametrize("encoding", ["pcm_mulaw", "pcm_alaw"])
def test_g711_codes_survive(encoding: Encoding) -> None:
    """Decoding and encoding again changes no code but mu-law's negative zero, which is the same sample."""
    codes = bytes(range(256))
    again = encode(decode(codes, encoding), encoding)
    assert [c for c, a in zip(codes, again, strict=True) if c != a] == ([0x7F] if encoding == "pcm_mulaw" else [])
    np.testing.assert_array_equal(decode(again, encoding), decode(codes, encoding))


@given(st.binary(max_size=200), st.sampled_from(ENCODINGS))
def test_any_bytes_decode_to_finite_samples(data: bytes, encoding: Encoding) -> None:
    """Whole samples of any content decode to one float each, and never to NaN or infinity."""
    whole = data[: len(data) - len(data) % SAMPLE_BYTES[encoding]]
    for view in (whole, bytearray(whole), memoryview(whole)):
        samples = decode(view, encoding)
        assert samples.shape == (len(whole) // SAMPLE_BYTES[encoding],)
        assert np.isfinite(samples).all()
    if encoding != "pcm_f32le":
        assert np.abs(decode(whole, encoding)).max(initial=0) <= 1


@given(hnp.arrays(np.float32, st.integers(0, 50), elements=st.floats(width=32)), st.sampled_from(ENCODINGS))
def test_any_floats_encode(samples: Samples, encoding: Encoding) -> None:
    """Overshoots clip, what is no number is silence, nothing wraps around or warns."""
    data = encode(samples, encoding)
    assert len(data) == len(samples) * SAMPLE_BYTES[encoding]
    back = decode(data, encoding)
    step = {"pcm_s16le": 2**-15, "pcm_s32le": 2**-24, "pcm_f32le": 0.0}.get(encoding, 2**-5)
    meant = np.where(np.isfinite(samples) & (np.abs(samples) < 1e9), samples, 0)
    meant = meant if encoding == "pcm_f32le" else np.clip(meant, -1, 1)
    np.testing.assert_allclose(back, meant, rtol=0, atol=step + 2**-24)


def test_interleaves_channels() -> None:
    """``(n, channels)`` is written sample frame by sample frame, also from a transposed array."""
    samples = np.array([[0.25, 0.5], [-0.25, -0.5]], np.float32).T
    assert np.frombuffer(encode(samples, "pcm_s16le"), "<i2").tolist() == [8192, -8192, 16384, -16384]


@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_s32le", "pcm_f32le"])
def test_a_cut_sample_is_refused(encoding: Encoding) -> None:
    """Bytes that end inside a sample are an AudioError: whoever has them carries the rest."""
    with pytest.raises(AudioError, match="not whole samples"):
        decode(bytes(SAMPLE_BYTES[encoding] + 1), encoding)
