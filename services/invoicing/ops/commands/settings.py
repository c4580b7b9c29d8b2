"""`invoicing settings`: the settings in force."""

import re
from typing import Final

from invoicing.ops.support.options import AsJson

HIDDEN: Final = "********"
_CREDENTIALS: Final = re.compile(r"//[^/@\s]*@")


def settings(as_json: AsJson = False) -> None:
    """Show the settings in force, with secrets masked.

    Each line is NAME=VALUE; a setting at its default is marked. Settings are read from the
    environment, so run it where the service runs.
    """
    import orjson
    from pydantic import SecretStr

    from invoicing.ops.support.console import print_line
    from invoicing.runtime.settings import PREFIX, read_settings

    in_force = read_settings()
    rows = []
    for field in type(in_force).model_fields:
        value = getattr(in_force, field)
        if isinstance(value, SecretStr):
            text: str | None = HIDDEN
        else:
            text = None if value is None else _CREDENTIALS.sub(f"//{HIDDEN}@", str(value))
        rows.append(
            {
                "name": f"{PREFIX}{field.upper()}",
                "value": text,
                "default": field not in in_force.model_fields_set,
            }
        )
    if as_json:
        print_line(orjson.dumps(rows).decode())
        return
    width = max(len(f"{row['name']}={row['value'] or ''}") for row in rows)
    for row in rows:
        line = f"{row['name']}={row['value'] or ''}"
        print_line(f"{line:<{width}}  (default)" if row["default"] else line)
