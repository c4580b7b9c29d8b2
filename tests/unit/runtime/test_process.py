"""Work beside a block: it ends with the block, and the block with it."""

import asyncio

import pytest

from invoicing.runtime.process import background


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise LookupError("beside")


async def test_work_beside_a_block_ends_with_it() -> None:
    before = asyncio.all_tasks()
    async with background(wait_for_ever(), wait_for_ever()):
        assert len(asyncio.all_tasks() - before) == 2

    assert asyncio.all_tasks() == before


async def test_work_that_fails_ends_the_block_with_its_error() -> None:
    before = asyncio.all_tasks()
    with pytest.raises(LookupError, match="beside"):
        async with background(wait_for_ever(), fail()):
            await wait_for_ever()

    assert asyncio.all_tasks() == before


async def test_what_the_block_fails_with_is_told_as_it_is() -> None:
    cause = OSError("the cause")
    with pytest.raises(ValueError, match="the block") as raised:
        async with background(wait_for_ever()):
            raise ValueError("the block") from cause

    assert raised.value.__cause__ is cause
