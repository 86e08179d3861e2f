"""Background tasks: a failure is reported at once, and none outlives its owner."""

from __future__ import annotations

import asyncio

from pipeline.workers.background import BackgroundTasks


def test_a_failure_is_reported_at_once_and_the_other_tasks_go_on() -> None:
    async def work() -> None:
        reported = asyncio.get_running_loop().create_future()
        released, finished = asyncio.Event(), asyncio.Event()
        tasks = BackgroundTasks(reported.set_result)

        async def fail() -> None:
            raise OSError("no space left")

        async def go_on() -> None:
            await released.wait()
            finished.set()

        tasks.start(go_on())
        tasks.start(fail())
        failure = await reported
        assert str(failure) == "no space left"
        released.set()
        await finished.wait()
        assert await tasks.close() is failure
        assert await tasks.close() is None, "a failure is returned once"

    asyncio.run(asyncio.wait_for(work(), 30))


def test_close_cancels_the_tasks_that_remain_and_a_cancelled_task_is_not_a_failure() -> None:
    async def work() -> None:
        ended: list[str] = []

        async def wait_forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        tasks = BackgroundTasks(lambda failure: ended.append("failed"))
        tasks.start(wait_forever())
        await asyncio.sleep(0)
        assert await tasks.close() is None
        assert ended == ["cancelled"]

    asyncio.run(asyncio.wait_for(work(), 30))
