"""Makes a blocking iterator asynchronous."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TypeVar

__all__ = ["in_background"]

_Item = TypeVar("_Item")


async def in_background(begin: Callable[[], Iterator[_Item]]) -> AsyncGenerator[_Item, None]:
    """Yield the items of an iterator that runs in its own thread. Closing this generator stops it after its next item.

    Args:
        begin: Makes the iterator, in that thread. Its exceptions are raised here.
    """
    loop = asyncio.get_running_loop()
    items: asyncio.Queue[tuple[_Item] | None] = asyncio.Queue()
    is_over = threading.Event()

    def work() -> None:
        for item in begin():
            if is_over.is_set():
                return
            loop.call_soon_threadsafe(items.put_nowait, (item,))

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # read it, else asyncio logs an exception that was never retrieved
        items.put_nowait(None)

    task = asyncio.create_task(asyncio.to_thread(work))
    task.add_done_callback(ended)
    try:
        while item := await items.get():
            yield item[0]
        await task
    finally:
        is_over.set()
