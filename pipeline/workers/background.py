"""Run the tasks of the dispatcher that no job awaits, and report the first one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine


class BackgroundTasks:
    """Tasks that no caller awaits: starts and ends of workers, and their measurement.

    `asyncio.TaskGroup` does not fit. When a task fails, a group cancels its other tasks and the task that opened it,
    and reports the failure only when all of them have ended. Here, a failure has to reach the queued jobs at once, for
    nothing else would end their wait, while a worker that is about to end must be ended all the same; and `close` has
    to cancel the tasks that remain, which a group does not offer.
    """

    def __init__(self, on_failure: Callable[[BaseException], None]) -> None:
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop itself holds only weak references
        self._failure: BaseException | None = None

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Start a task."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def close(self) -> BaseException | None:
        """Cancel the tasks, and wait for their end. Return the first failure since the start or the last call."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        failure, self._failure = self._failure, None
        return failure

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or not (failure := task.exception()):
            return
        self._failure = self._failure or failure
        self._on_failure(failure)
