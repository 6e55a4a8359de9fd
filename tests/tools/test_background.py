"""Background threads: in order, bounded, and ended when the caller no longer waits."""

import sys
import threading
import time
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.tools.background import BackgroundTask, InTurn, StoppedError, in_order, meanwhile, prefetch


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

    each = prefetch(items(), room=3)
    assert next(each) == 0
    until(lambda: len(made) >= 5)
    time.sleep(0.05)
    assert made == list(range(5))  # one was taken, three wait, one is held until there is room
    assert list(each) == list(range(1, 20))


def test_what_making_raises_is_raised_where_items_are_taken():
    def items():
        yield 1
        raise KeyError("gone")

    each = prefetch(items(), room=4)
    assert next(each) == 1
    with pytest.raises(KeyError, match="gone"):
        next(each)


def test_whoever_leaves_early_leaves_no_thread():
    before = threading.active_count()
    each = prefetch(iter(range(1_000_000)), room=2)
    assert next(each) == 0
    each.close()
    assert threading.active_count() == before


@settings(max_examples=50)
@given(st.lists(st.integers(0, 4), max_size=12), st.integers(1, 4), st.integers(1, 3))
def test_what_several_make_comes_in_the_order_of_tasks(lengths, makers, room):
    def make(task):
        number, length = task
        for n in range(length):
            time.sleep(0.0005 * ((number + n) % 3))
            yield number, n

    before = threading.active_count()
    tasks = list(enumerate(lengths))
    assert list(in_order([make] * makers, tasks, room)) == [(n, m) for n, length in tasks for m in range(length)]
    assert threading.active_count() == before


def test_as_many_tasks_are_worked_at_as_there_are_makers_and_no_maker_is_called_twice_at_once():
    meeting, busy, taken = threading.Barrier(3), [0, 0, 0], []

    def maker(own):
        def make(task):
            assert busy[own] == 0
            busy[own] += 1
            meeting.wait(30)  # all three are here at once
            yield task
            busy[own] -= 1

        return make

    def tasks():
        for n in range(30):
            taken.append(n)
            yield n

    each = in_order([maker(n) for n in range(3)], tasks(), room=1)
    assert next(each) == 0
    assert taken == list(range(5))
    assert list(each) == list(range(1, 30))


def test_what_a_task_raises_is_raised_after_what_is_before_it():
    def make(task):
        yield task
        if task == 2:
            raise KeyError("second")

    def broken():
        yield from range(2)
        raise OSError("no more tasks")

    each = in_order([make, make], range(5), room=2)
    assert [next(each) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="second"):
        next(each)
    each = in_order([make, make], broken(), room=2)
    assert [next(each) for _ in range(2)] == [0, 1]
    with pytest.raises(OSError, match="no more tasks"):
        next(each)


def test_whoever_leaves_several_early_leaves_no_thread():
    before = threading.active_count()
    each = in_order([lambda n: iter(range(n, 1_000_000))] * 3, range(100), room=2)
    assert [next(each) for _ in range(5)] == list(range(5))
    each.close()
    assert threading.active_count() == before


def test_a_task_runs_in_the_background_and_its_error_is_raised_at_the_end():
    reports, go = [], threading.Event()

    def task():
        go.wait(30)
        raise KeyError("boom")

    def report():
        reports.append(1)
        go.set()

    with BackgroundTask(task) as running, pytest.raises(KeyError, match="boom"):
        running.wait(report)
    assert reports


def test_a_task_that_is_not_awaited_ends_before_the_block():
    ended = threading.Event()

    class Endless(BackgroundTask):
        def __init__(self):
            super().__init__(self.work)

        def work(self):
            try:
                while True:
                    self.check()
                    time.sleep(0.005)
            except StoppedError:
                time.sleep(0.1)  # as a model that is not asked between two chunks
                ended.set()
                raise

    with pytest.raises(ZeroDivisionError), Endless():
        raise ZeroDivisionError
    assert ended.is_set()


def test_work_in_a_thread_has_ended_after_the_block():
    ended = threading.Event()

    def work():
        time.sleep(0.1)
        ended.set()
        return threading.get_ident()

    with meanwhile(work) as result:
        pass
    assert ended.is_set()
    assert result() != threading.get_ident()
    ended.clear()
    with pytest.raises(KeyError), meanwhile(work):
        raise KeyError
    assert ended.is_set()


def test_an_error_of_work_in_a_thread_is_raised_by_its_result():
    with meanwhile(lambda: 1 // 0) as result:
        pass
    with pytest.raises(ZeroDivisionError):
        result()


def test_threads_take_turns_after_half_a_millisecond():
    before = sys.getswitchinterval()
    try:
        for set_before, expected in ((0.005, 0.0005), (0.0001, 0.0001)):
            sys.setswitchinterval(set_before)
            with meanwhile(lambda: None):
                assert sys.getswitchinterval() == pytest.approx(expected, abs=2e-6)
    finally:
        sys.setswitchinterval(before)


def test_pieces_of_work_run_in_turn_and_the_caller_waits_for_the_third():
    go, done = threading.Event(), []
    work = InTurn("work", 2)

    def piece(number):
        assert go.wait(10)
        done.append((number, threading.current_thread().name))

    for number in range(2):
        work.run(partial(piece, number))
    assert done == []
    go.set()
    work.run(partial(piece, 2))
    assert [number for number, _ in done][:1] == [0]
    work.finish()
    assert done == [(number, "work_0") for number in range(3)]
    work.close()


def test_an_error_of_a_piece_is_raised_when_the_work_is_finished():
    work = InTurn("work", 2)
    work.run(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work.finish()
    work.close()
