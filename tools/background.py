"""Background threads: prefetch items, run several producers in order, run one task."""

import contextvars
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as NotYetError
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar

__all__ = ["BackgroundTask", "InTurn", "StoppedError", "in_order", "meanwhile", "prefetch", "run_in_thread"]

_T = TypeVar("_T")
_Task = TypeVar("_Task")
_Output = queue.Queue[tuple[Any, ...]]  # (item,) for each item; then () at the end, or (None, error)
_TICK_SECONDS = 0.2
_TURN_SECONDS = 0.0005  # that a thread keeps the interpreter while another one waits for it


def run_in_thread(work: Callable[[], _T]) -> "Future[_T]":
    """Run `work` in a daemon thread and return its future; the process does not wait for it at exit."""
    future: Future[_T] = Future()
    context = contextvars.copy_context()  # with the span of the caller

    def run() -> None:
        try:
            future.set_result(context.run(work))
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits for it)
            future.set_exception(error)

    threading.Thread(target=run, name="playhead-background", daemon=True).start()
    return future


@contextmanager
def meanwhile(work: Callable[[], _T]) -> Iterator[Callable[[], _T]]:
    """Run `work` in another thread during the block; yield a function that returns its result, or raises its error.

    The block ends when the work has ended, also after an error. From then on, Python's threads take turns after 0.5 ms in
    the whole process: with 5 ms, a query at 2,000 hours takes 41 ms instead of 32, because each of its two threads waits for
    the other whenever it returns from FAISS or SQLite.
    """
    if sys.getswitchinterval() > _TURN_SECONDS:
        sys.setswitchinterval(_TURN_SECONDS)
    future = run_in_thread(work)
    try:
        yield future.result
    finally:
        wait([future])


class StoppedError(Exception):
    """The caller of a background task has left. `check` raises this, and the task ends."""


class BackgroundTask:
    """A task in its own thread. It starts with the `with` block; leaving the block early asks it to stop.

    The block ends when the task has ended. A thread that is left in the code of a model when Python exits aborts the process
    ("terminate called without an active exception").
    """

    def __init__(self, task: Callable[[], None]) -> None:
        self._task = task
        self._stopped = threading.Event()
        self._future: Future[None] | None = None

    def __enter__(self) -> Self:
        self._future = run_in_thread(self._task)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._future is not None
        self._stopped.set()
        wait([self._future])

    def check(self) -> None:
        """Stop the task if the caller has left. The task calls this at intervals.

        Raises:
            StoppedError: The caller has left.
        """
        if self._stopped.is_set():
            raise StoppedError("the caller of this background task has left")

    def wait(self, on_tick: Callable[[], object]) -> None:
        """Wait for the task; call `on_tick` at intervals. An error of the task is raised here."""
        assert self._future is not None
        while True:
            try:
                self._future.result(_TICK_SECONDS)
            except NotYetError:
                on_tick()
            else:
                return


class InTurn:
    """Runs pieces of work in one background thread, one after the other.

    Args:
        name: Of the thread.
        waiting: Pieces that may run or wait; `run` waits while there are as many.
    """

    def __init__(self, name: str, waiting: int) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting = waiting
        self._begun: deque[Future[None]] = deque()

    def run(self, work: Callable[[], None]) -> None:
        """Add a piece of work. An error of an earlier one is raised here or by `finish`."""
        context = contextvars.copy_context()  # with the span of the caller
        self._begun.append(self._thread.submit(context.run, work))
        if len(self._begun) > self._waiting:
            self._begun.popleft().result()

    def finish(self) -> None:
        """Wait for all pieces."""
        while self._begun:
            self._begun.popleft().result()

    def close(self) -> None:
        """Wait for the piece that runs; drop those behind it."""
        self._thread.shutdown(cancel_futures=True)


def prefetch(items: Iterable[_T], room: int) -> Generator[_T, None, None]:
    """Yield the same items, produced in a background thread that is at most `room` items ahead.

    When the generator is closed early, the thread ends after its current item. An error in `items` is raised here.
    """
    return in_order([lambda task: task], [items], room)


def in_order(
    producers: Sequence[Callable[[_Task], Iterable[_T]]], tasks: Iterable[_Task], room: int
) -> Generator[_T, None, None]:
    """Yield the items of all tasks in the order of the tasks, while several tasks run at the same time.

    Each producer has its own thread and works on one task at a time. The caller's thread takes tasks from `tasks`, ahead of
    the current one: one for each producer, and one more. Up to `room` items of each task wait in a queue. When the generator
    is closed early, the threads end after their current items. An error in a task, or in `tasks` itself, is raised after the
    items of the earlier tasks.
    """
    started: queue.SimpleQueue[tuple[_Task, _Output] | None] = queue.SimpleQueue()
    waiting: deque[_Output] = deque()
    stopped = threading.Event()
    each = iter(tasks)

    def work(produce: Callable[[_Task], Iterable[_T]]) -> None:
        while (pair := started.get()) and not stopped.is_set():
            task, output = pair
            try:
                for item in produce(task):
                    output.put((item,))
                    if stopped.is_set():
                        return
                output.put(())
            except BaseException as error:  # noqa: BLE001 (raised in the thread that waits for items)
                output.put((None, error))

    def start_next() -> bool:
        """Start the next task; False if there is none."""
        output: _Output = queue.Queue(room)
        try:
            task = next(each)
        except StopIteration:
            return False
        except Exception as error:  # noqa: BLE001 (raised in the order of the tasks)
            output.put((None, error))
            waiting.append(output)
        else:
            waiting.append(output)
            started.put((task, output))
        return True

    threads = [
        threading.Thread(target=work, name="playhead-ahead", args=(produce,), daemon=True) for produce in producers
    ]
    for thread in threads:
        thread.start()
    try:
        has_more = True
        while has_more or waiting:
            if has_more and len(waiting) <= len(producers) + 1:
                has_more = start_next()
                continue
            while got := waiting[0].get():
                if len(got) == 2:
                    raise got[1]
                yield got[0]
            waiting.popleft()
    finally:
        stopped.set()
        for _ in threads:
            started.put(None)
        while any(thread.is_alive() for thread in threads):
            for output in waiting:
                with suppress(queue.Empty):
                    output.get_nowait()
            threads[0].join(_TICK_SECONDS / 100)
