"""What stands for a number until there is one."""

from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from invoicing.store.placeholders import fill, placeholders


def test_each_placeholder_is_another() -> None:
    one, other = placeholders(), placeholders()

    assert len({one(), one(), other(), other()}) == 4


def test_every_placeholder_in_a_text_gets_its_number() -> None:
    following = placeholders()
    first, second = following(), following()

    text = fill(f'["{first}", "{second}", "{first}"]', {first: "INV-1", second: "INV-2"})

    assert text == '["INV-1", "INV-2", "INV-1"]'


def test_the_tenth_placeholder_is_not_taken_for_the_first() -> None:
    following = placeholders()
    made = [following() for _ in range(12)]

    text = fill(" ".join(made), {made[1]: "one", made[11]: "eleven"})

    assert text.split()[1] == "one"
    assert text.split()[11] == "eleven"


def test_a_text_that_only_looks_like_a_placeholder_stays() -> None:
    known, unknown = placeholders()(), placeholders()()

    assert fill(unknown, {known: "INV-1"}) == unknown


@pytest.mark.parametrize("text", ["{0}", "\x7f{0}\x7f", "\x7f\x7fa{0}b\x7f{0}", "é{0}", "€\x7f{0}"])
def test_what_a_client_wrote_around_a_placeholder_stays(text: str) -> None:
    placeholder = placeholders()()

    assert fill(text.format(placeholder), {placeholder: "INV-1"}) == text.format("INV-1")


@given(st.lists(st.sampled_from([0, 1, 2, "\x7f", "-", "0", "a", "€", "\U0001f600"])))
def test_numbers_replace_all_placeholders_and_nothing_else(parts: list[int | str]) -> None:
    following = placeholders()
    known, unknown = [following(), following()], following()
    numbers = dict(zip(known, ["INV-1", "INV-2"], strict=True))

    def text(*three: str) -> str:
        return "".join(part if isinstance(part, str) else three[part] for part in parts)

    assert fill(text(*known, unknown), numbers) == text("INV-1", "INV-2", unknown)


@pytest.mark.parametrize("to_json", [to_json, orjson.dumps])
def test_no_writer_of_json_escapes_a_placeholder(to_json: Callable[[str], bytes]) -> None:
    placeholder = placeholders()()

    assert to_json(placeholder) == f'"{placeholder}"'.encode()
