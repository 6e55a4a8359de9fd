"""Threads beside the caller's: in order, bounded, and ended when nobody waits any more."""

import threading
import time

import pytest

from playhead.tools.beside import Beside, StoppedError, ahead


def until(true):
    """Wait until something is true, five seconds at most."""
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_items_come_in_order_and_no_more_than_there_is_room_for():
    made = []

    def items():
        for n in range(20):
            made.append(n)
            yield n

    each = ahead(items(), room=3)
    assert next(each) == 0
    until(lambda: len(made) >= 5)
    time.sleep(0.05)
    assert made == list(range(5))  # one was taken, three wait, one is held until there is room
    assert list(each) == list(range(1, 20))


def test_what_making_raises_is_raised_where_items_are_taken():
    def items():
        yield 1
        raise KeyError("gone")

    each = ahead(items(), room=4)
    assert next(each) == 1
    with pytest.raises(KeyError, match="gone"):
        next(each)


def test_whoever_leaves_early_leaves_no_thread():
    before = threading.active_count()
    each = ahead(iter(range(1_000_000)), room=2)
    assert next(each) == 0
    each.close()
    assert threading.active_count() == before


def test_a_task_runs_beside_and_its_error_is_raised_at_the_end():
    told, go = [], threading.Event()

    def task():
        go.wait(5)
        raise KeyError("boom")

    def tell():
        told.append(1)
        go.set()

    with Beside(task) as beside, pytest.raises(KeyError, match="boom"):
        beside.wait(tell)
    assert told


def test_a_task_that_nobody_waits_for_ends():
    ended = threading.Event()

    class Endless(Beside):
        def __init__(self):
            super().__init__(self.work)

        def work(self):
            try:
                while True:
                    self.check()
                    time.sleep(0.005)
            except StoppedError:
                ended.set()
                raise

    with pytest.raises(ZeroDivisionError), Endless():
        raise ZeroDivisionError
    assert ended.wait(5)
