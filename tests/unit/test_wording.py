"""A wrong field is told in people's words, not in those of the library that found it."""

import msgspec
import pytest

from services.api.models.schemas import NewModel
from services.api.versions.schemas import NewVersion, WantedParts
from services.api.wording import field_and_words, in_words

ID = '"model_id": "01a20e50-eedf-7719-b828-39fbd374dfef"'


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (NewVersion, f'{{{ID}, "version_number": "v 1"}}', "must be 1 to 64 of the characters A-Z a-z 0-9 . _ + -"),
        (NewVersion, '{"model_id": "v", "version_number": "1"}', "is no id; ids look like"),
        (NewModel, '{"name": ""}', "may not be empty"),
        (NewModel, '{"name": "  "}', "must have a character that can be seen"),
        (NewModel, '{"name": "a\\u0000"}', "U+0000, which cannot be kept"),
        (NewModel, f'{{"name": "{"x" * 201}"}}', "must have at most 200 characters"),
        (NewModel, '{"name": 7}', "must be a text, not a whole number"),
        (NewModel, '{"name": "x", "is_public": "yes"}', "must be true or false, not a text"),
        (NewModel, "[]", "must be an object, not a list"),
        (WantedParts, '{"numbers": [0]}', "must be 1 or more"),
        (WantedParts, '{"numbers": []}', "may not be empty"),
        (WantedParts, f'{{"numbers": {[1] * 101}}}', "must have at most 100 entries"),
        (WantedParts, '{"size": 1, "part_size": 5}', "must be 5242880 or more"),
    ],
)
def test_what_msgspec_finds(kind: type[msgspec.Struct], body: str, told: str) -> None:
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.json.decode(body, type=kind)
    said = in_words(str(found.value).partition(" - at ")[0])
    assert told in said
    assert "`" not in said


def test_the_field_is_named() -> None:
    assert field_and_words("data", "Object missing required field `model_id`") == ("model_id", "is missing")
    assert field_and_words("data", "'data'") == ("body", "is missing; send a JSON object")
    assert field_and_words("data", "Expected `object`, got `array`") == ("body", "must be an object, not a list")
    assert field_and_words("limit", "Expected `int` >= 1") == ("limit", "must be 1 or more")


def test_what_is_not_known_stays() -> None:
    assert in_words("Something new") == "Something new"
