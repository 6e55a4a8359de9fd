"""Work in threads of its own beside the caller's: a producer that works ahead, a task that runs meanwhile."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError
from contextlib import suppress
from typing import Any, Self, TypeVar

__all__ = ["BackgroundTask", "StoppedError", "begun", "in_order", "prefetch"]

_T = TypeVar("_T")
_Given = TypeVar("_Given")
_Made = queue.Queue[tuple[Any, ...]]  # items; at the end nothing, or an error
_TICK_SECONDS = 0.2


def begun(work: Callable[[], _T]) -> "Future[_T]":
    """Work in a thread of its own, which a process that ends does not wait for."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits for it)
            future.set_exception(error)

    threading.Thread(target=run, name="playhead-beside", daemon=True).start()
    return future


class StoppedError(Exception):
    """What a task throws in itself once nobody waits for it any more."""


class BackgroundTask:
    """A task in a thread of its own, from `with` on; left early, it is told to stop."""

    def __init__(self, task: Callable[[], None]) -> None:
        self._task = task
        self._stopped = threading.Event()
        self._future: Future[None] | None = None

    def __enter__(self) -> Self:
        self._future = begun(self._task)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def check(self) -> None:
        """For the task, now and then.

        Raises:
            StoppedError: Nobody waits for it.
        """
        if self._stopped.is_set():
            raise StoppedError("nobody waits for this any more")

    def wait(self, tell: Callable[[], object]) -> None:
        """Until the task is done; `tell` is called now and then. What it raises is raised here."""
        assert self._future is not None
        while True:
            try:
                self._future.result(_TICK_SECONDS)
            except NotYetError:
                tell()
            else:
                return


def prefetch(items: Iterable[_T], room: int) -> Generator[_T, None, None]:
    """The same items, made in a thread of their own that works ahead by up to `room` of them.

    Closed early, it lets the thread end after the item it is at. What making an item raises is raised here.
    """
    return in_order([lambda given: given], [items], room)


def in_order(
    makers: Sequence[Callable[[_Given], Iterable[_T]]], tasks: Iterable[_Given], room: int
) -> Generator[_T, None, None]:
    """What all tasks make, one task after the other, though as many are worked at as there are makers.

    Each maker has a thread of its own and works at one task at a time. Tasks are taken in the caller's thread, one for
    each maker and one more beyond the one whose items are given; of each up to `room` items wait. Closed early, it lets the
    threads end after the items they are at. What a task raises, or taking one, is raised after all that is before it.
    """
    begun_tasks: queue.SimpleQueue[tuple[_Given, _Made] | None] = queue.SimpleQueue()
    waiting: deque[_Made] = deque()
    stopped = threading.Event()
    each = iter(tasks)

    def work(make: Callable[[_Given], Iterable[_T]]) -> None:
        while (task := begun_tasks.get()) and not stopped.is_set():
            given, made = task
            try:
                for item in make(given):
                    made.put((item,))
                    if stopped.is_set():
                        return
                made.put(())
            except BaseException as error:  # noqa: BLE001 (raised in the thread that waits for items)
                made.put((None, error))

    def begin() -> bool:
        """Whether there was one more task."""
        made: _Made = queue.Queue(room)
        try:
            given = next(each)
        except StopIteration:
            return False
        except Exception as error:  # noqa: BLE001 (raised in its turn)
            made.put((None, error))
            waiting.append(made)
        else:
            waiting.append(made)
            begun_tasks.put((given, made))
        return True

    threads = [threading.Thread(target=work, name="playhead-ahead", args=(make,), daemon=True) for make in makers]
    for thread in threads:
        thread.start()
    try:
        has_more = True
        while has_more or waiting:
            if has_more and len(waiting) <= len(makers) + 1:
                has_more = begin()
                continue
            while got := waiting[0].get():
                if len(got) == 2:
                    raise got[1]
                yield got[0]
            waiting.popleft()
    finally:
        stopped.set()
        for _ in threads:
            begun_tasks.put(None)
        while any(thread.is_alive() for thread in threads):
            for made in waiting:
                with suppress(queue.Empty):
                    made.get_nowait()
            threads[0].join(_TICK_SECONDS / 100)
