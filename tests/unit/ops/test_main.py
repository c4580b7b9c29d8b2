"""The command line's last resort: a bug is located, and its message is not printed."""

import pytest

from invoicing.ops import main


def test_a_bug_is_located_without_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> None:
        token = "Kanarienvogel"
        raise LookupError(token)

    monkeypatch.setattr(main, "app", crash)

    with pytest.raises(SystemExit) as end:
        main.main()

    assert "LookupError raised at" in str(end.value)
    assert "in crash" in str(end.value)
    assert "Kanarienvogel" not in str(end.value)
