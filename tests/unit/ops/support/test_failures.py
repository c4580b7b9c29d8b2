"""A failure that is no bug is one sentence, which says what to do."""

import asyncpg
import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    TransactionalIdAuthorizationFailed,
)

from invoicing.ops.support.failures import ForbiddenError, UnreachableError
from invoicing.ops.support.kafka import reaching_kafka
from invoicing.ops.support.postgres import reaching_postgres


@pytest.mark.parametrize(
    "refusal", [GroupAuthorizationFailedError("invoicing"), TransactionalIdAuthorizationFailed()]
)
def test_a_right_that_is_missing_on_kafka_is_not_taken_for_a_wrong_address(
    refusal: Exception,
) -> None:
    with pytest.raises(ForbiddenError, match=r"Authorization.*docs/security\.md"), reaching_kafka():
        raise refusal


def test_a_right_that_is_missing_on_postgres_is_no_bug() -> None:
    refusal = asyncpg.InsufficientPrivilegeError("must be owner of table invoices")

    with (
        pytest.raises(ForbiddenError, match=r"must be owner.*docs/security\.md"),
        reaching_postgres(),
    ):
        raise refusal


def test_a_broker_that_is_down_names_its_setting() -> None:
    with pytest.raises(UnreachableError, match="BOOTSTRAP_SERVERS"), reaching_kafka():
        raise KafkaConnectionError("localhost:1")
