"""Fields of a vendor's JSON: of the right type, or absent, or an error that names them."""

from __future__ import annotations

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import ProtocolError
from stt_core.jsonfields import JsonFields

FIELDS = JsonFields("Acme", provider="acme")
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(values)
def test_a_field_is_what_it_is_read_as_or_absent_or_an_error(value: object) -> None:
    """Whatever the vendor sends; a boolean is no number."""
    message = FIELDS.parse(json.dumps({"field": value}))
    empty: dict[str, object] = {"text_of": "", "number_of": None, "object_of": {}, "items_of": None, "texts_of": ()}
    right = {
        "text_of": isinstance(value, str),
        "number_of": isinstance(value, int | float) and not isinstance(value, bool),
        "object_of": isinstance(value, dict),
        "items_of": isinstance(value, list) and all(isinstance(item, dict) for item in cast("list[object]", value)),
        "texts_of": isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value)),
    }
    for name, read in (
        ("text_of", FIELDS.text_of),
        ("number_of", FIELDS.number_of),
        ("object_of", FIELDS.object_of),
        ("items_of", FIELDS.items_of),
        ("texts_of", FIELDS.texts_of),
    ):
        assert read({}, "field") == read({"field": None}, "field") == empty[name]
        if value is None:
            continue
        if right[name]:
            assert read(message, "field") in (value, () if value == [] else value)
        else:
            with pytest.raises(ProtocolError, match=r"Acme sent .* as `field`") as caught:
                read(message, "field")
            assert caught.value.provider == "acme"


@pytest.mark.parametrize("body", ["", "[1]", "7", b"\xff{}", "{", '{"a": 1} x'])
def test_what_is_no_object_is_an_error(body: str | bytes) -> None:
    """With its beginning."""
    with pytest.raises(ProtocolError, match="Acme sent what is no JSON object"):
        FIELDS.parse(body)
