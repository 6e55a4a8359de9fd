"""The lock of the search index: in order, re-entrant, and free again after an error."""

import threading
import time

import pytest

from playhead.tools.fair_lock import FairLock


def test_threads_get_the_lock_in_the_order_in_which_they_asked():
    lock, got, threads = FairLock(), [], []

    def take(number: int) -> None:
        with lock:
            got.append(number)

    with lock:
        for number in range(20):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            while len(lock._waiting) <= number:
                time.sleep(0.001)
        assert got == []
    for thread in threads:
        thread.join(10)
    assert got == list(range(20))


def test_a_thread_may_take_it_again_and_the_others_wait_for_the_last_exit():
    lock, inside = FairLock(), threading.Event()

    def take() -> None:
        with lock:
            inside.set()

    with lock:
        with lock:
            pass
        thread = threading.Thread(target=take)
        thread.start()
        assert not inside.wait(0.05)
    assert inside.wait(10)
    thread.join(10)


def test_one_thread_at_a_time_and_none_is_lost():
    lock, total, threads = FairLock(), [0], []

    def add() -> None:
        for _ in range(500):
            with lock:
                seen = total[0]
                if seen % 50 == 0:
                    time.sleep(0)
                total[0] = seen + 1

    for _ in range(8):
        threads.append(threading.Thread(target=add))
        threads[-1].start()
    for thread in threads:
        thread.join(60)
    assert total == [4000]


def test_it_is_free_after_an_error():
    lock = FairLock()
    with pytest.raises(KeyError), lock:
        raise KeyError
    with lock:
        pass
