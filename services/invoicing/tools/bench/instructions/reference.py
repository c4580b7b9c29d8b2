"""Work of a fixed amount, of what a command is made of: what an interpreter's instructions mean.

Another interpreter or another build of it takes other counts for the same work, and so does another
release of pydantic or orjson. Divided by what this takes in the same run, the counts of commands
can be compared. It uses nothing of the service, and any change of it makes older ratios void.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, StringConstraints

ORDER: Final = orjson.dumps(
    {
        "id": "7f3a1c5e9d2b4860a1c3e5f70b2d4f68",
        "customer": "cus_42",
        "placed_at": "2030-11-20T10:00:00Z",
        "lines": [
            {"name": "Pro plan", "number": "1", "price": "20.00", "rate": "0.2"},
            {"name": "Pro plan", "number": "2", "price": "35.50", "rate": "0.2"},
            {"name": "Pro plan", "number": "3", "price": "100.00", "rate": "0.2"},
            {"name": "Support", "number": "4", "price": "20.00"},
            {"name": "Support", "number": "5", "price": "35.50"},
            {"name": "Support", "number": "6", "price": "100.00"},
        ],
    }
)
TIMES_WORKED_OUT: Final = 3
"""As often as brings what 3.12 and 3.13 take to 3.11's, divided by this, nearest to commands."""
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_EXACT: Final = Context(prec=60)
_CENT: Final = Decimal("0.01")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Line(_Model):
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    number: Decimal
    price: Decimal
    rate: Decimal | None = None


class _Order(_Model):
    id: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    customer: str
    placed_at: datetime
    note: str | None = None
    lines: tuple[_Line, ...]


class _Sum(_Model):
    """A line with its amounts."""

    name: str
    number: Decimal
    net: Decimal
    tax: Decimal
    gross: Decimal


@dataclass(frozen=True, slots=True)
class _State:
    order: str
    version: int
    total: Decimal
    paid: Decimal
    facts: Mapping[str, object]


def reference() -> list[bytes]:
    """Read an order, work its amounts out, and write what follows from it."""
    digest, order = _read(ORDER)
    for _ in range(TIMES_WORKED_OUT):
        sums, total = _worked_out(order)
    states = _states(order, total)
    return [digest, *_written(order, sums, states)]


def _read(value: bytes) -> tuple[bytes, _Order]:
    parsed = orjson.loads(value)
    if not _ID.fullmatch(parsed["id"]) or not all(_is_printable(name) for name in parsed):
        raise ValueError("the reference's own order is read")
    digest = hashlib.sha256(orjson.dumps(parsed, option=orjson.OPT_SORT_KEYS)).digest()
    return digest, _Order.model_validate(parsed)


def _is_printable(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 256 and value.isprintable()


def _worked_out(order: _Order) -> tuple[list[_Sum], Decimal]:
    sums = []
    with localcontext(_EXACT):
        for line in order.lines:
            net = line.number * line.price
            tax = (net * (line.rate or 0)).quantize(_CENT, ROUND_HALF_EVEN)
            known = {name: getattr(line, name) for name in ("name", "number")}
            sums.append(_Sum(**known, net=net, tax=tax, gross=net + tax))
        return sums, sum((one.gross for one in sums), Decimal(0))


def _states(order: _Order, total: Decimal) -> list[_State]:
    """The states after each of a few small steps."""
    state = _State(order.id, 1, total, Decimal(0), {})
    states = [state]
    for step in range(5):
        facts: dict[str, object] = {**state.facts, f"step_{step}": str(state.paid)}
        given = {name: value for name, value in facts.items() if value is not None}
        paid = min(state.paid + total / 20, total)
        state = _State(state.order, state.version + 1, total, paid, given)
        states.append(state)
    return states


def _written(order: _Order, sums: list[_Sum], states: list[_State]) -> list[bytes]:
    now = datetime(2030, 11, 20, 10, 0, tzinfo=UTC).isoformat()
    lines = ",".join(one.model_dump_json() for one in sums)
    written = [f'{{"order":{order.model_dump_json()},"sums":[{lines}]}}'.encode()]
    for state in states[-4:]:
        id_ = hashlib.sha1(f"{state.order}/{state.version}".encode(), usedforsecurity=False)
        document: dict[str, Any] = {"id": id_.hexdigest(), "time": now, "total": str(state.total)}
        written.append(orjson.dumps(document | {"facts": dict(state.facts)}))
    return written
