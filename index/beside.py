"""Work in threads of its own beside the caller's: a producer that works ahead, a task that runs meanwhile."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError
from typing import Any, Self, TypeVar

__all__ = ["Beside", "StoppedError", "ahead", "begun"]

_T = TypeVar("_T")
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


class Beside:
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


def ahead(items: Iterable[_T], room: int) -> Generator[_T, None, None]:
    """The same items, made in a thread of their own that works ahead by up to `room` of them.

    Closed early, it lets the thread end after the item it is at. What making an item raises is raised here.
    """
    made: queue.Queue[tuple[Any, ...]] = queue.Queue(room)
    stopped = threading.Event()

    def make() -> None:
        try:
            for item in items:
                made.put((item,))
                if stopped.is_set():
                    return
            made.put(())
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits for items)
            made.put((None, error))

    thread = threading.Thread(target=make, name="playhead-ahead", daemon=True)
    thread.start()
    try:
        while got := made.get():
            if len(got) == 2:
                raise got[1]
            yield got[0]
    finally:
        stopped.set()
        while thread.is_alive():
            try:
                made.get(timeout=_TICK_SECONDS / 10)
            except queue.Empty:
                continue
