"""Huey: two workers with a plain queue and with a queue of priorities. Results, a retry, a task taken back, a chain,
a lock. (Tasks for later need a script, and are not here.)"""
import logging
import sys
import threading
import time

import redis
from huey import PriorityRedisHuey, RedisHuey
from huey.exceptions import TaskException

PORT = int(sys.argv[1])
logging.disable()


def with_queue(kind):
    client = redis.Redis(port=PORT, db=7)
    client.flushdb()
    huey = kind("shop", port=PORT, db=7, notify_result=True)
    order, tries = [], []

    @huey.task()
    def add(a, b):
        return a + b

    @huey.task()
    def note(name):
        order.append(name)

    @huey.task(retries=2)
    def shaky():
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")
        return "at last"

    @huey.task()
    def fail():
        raise ValueError("as asked")

    @huey.task()
    @huey.lock_task("only one")
    def alone():
        time.sleep(0.02)
        return "done"

    # Before a worker is there: the order of the queue, and a task that is taken back.
    for priority, name in [(1, "low"), (9, "high"), (5, "middle")]:
        huey.enqueue(note.s(name, priority=priority) if kind is PriorityRedisHuey else note.s(name))
    taken_back = note("never")
    taken_back.revoke()
    assert len(huey) == 4 and taken_back.is_revoked()

    stop = threading.Event()
    consumer = huey.create_consumer(workers=2, periodic=False)
    workers = [threading.Thread(target=run, args=(consumer._create_worker(), stop), daemon=True)
               for _ in range(2)]
    workers[0].start()
    deadline = time.monotonic() + 10
    while len(order) < 3 or len(huey):
        assert time.monotonic() < deadline, order
        time.sleep(0.01)
    assert order == (["high", "middle", "low"] if kind is PriorityRedisHuey else ["low", "high", "middle"]), order
    workers[1].start()

    results = [add(n, n) for n in range(100)]
    assert [result.get(blocking=True, timeout=10) for result in results] == [2 * n for n in range(100)]
    waiting = shaky()
    assert in_the_end(waiting) == "at last" and len(tries) == 3
    try:
        fail().get(blocking=True, timeout=10)
        raise AssertionError("the task should have failed")
    except TaskException as error:
        assert "as asked" in str(error)
    chain = huey.enqueue(add.s(1, 2).then(add, 3).then(add, 4))
    assert [result.get(blocking=True, timeout=10) for result in chain] == [3, 6, 10]
    with huey.lock_task("only one"):
        try:
            alone().get(blocking=True, timeout=10)
            raise AssertionError("the lock should have been held")
        except TaskException as error:
            assert "TaskLockedException" in str(error)
    assert alone().get(blocking=True, timeout=10) == "done"
    stop.set()
    for worker in workers:
        worker.join()
    assert len(huey) == 0 and "never" not in order


def in_the_end(result):
    """Asks again and again: a task that fails leaves its error as the result until it has been tried again."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if result.get() is not None:
                return result.get()
        except TaskException:
            result.reset()
        time.sleep(0.01)


def run(worker, stop):
    worker.initialize()
    while not stop.is_set():
        worker.loop()


for kind in [RedisHuey, PriorityRedisHuey]:
    with_queue(kind)
print("huey: a plain queue, a queue of priorities")
