"""A worker in which every decision fails, as a defect would cause.

python -m tests.support.service.defective_worker worker
"""

from typing import Any

from invoicing.domain import handling
from invoicing.ops.main import main


def decide(*_: Any) -> Any:
    raise ZeroDivisionError("a defect")


if __name__ == "__main__":
    handling.decide = decide
    main()
