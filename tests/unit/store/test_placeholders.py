"""What stands for a number until there is one."""

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
    text = "number-to-come-" + "0" * 32 + "-7"

    assert fill(text, {placeholders()(): "INV-1"}) == text
