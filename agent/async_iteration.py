"""An iterator that blocks, as one that an event loop can wait for."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TypeVar

__all__ = ["in_background"]

_Item = TypeVar("_Item")


async def in_background(begin: Callable[[], Iterator[_Item]]) -> AsyncGenerator[_Item, None]:
    """The items of an iterator that runs in a thread of its own; who stops listening stops it before its next item.

    Args:
        begin: Makes the iterator, in that thread. What it raises, there or later, is raised here.
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
            task.exception()  # asked for here, so that nobody complains where nobody listens any more
        items.put_nowait(None)

    task = asyncio.create_task(asyncio.to_thread(work))
    task.add_done_callback(ended)
    try:
        while item := await items.get():
            yield item[0]
        await task
    finally:
        is_over.set()
