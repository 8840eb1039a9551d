"""Dramatiq: actors with retries, delays, results and a group."""
import sys
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

port = int(sys.argv[1])
backend = RedisBackend(port=port, db=14)
broker = RedisBroker(port=port, db=14)
broker.add_middleware(Results(backend=backend))
dramatiq.set_broker(broker)
broker.flush_all()
tries = []


@dramatiq.actor(store_results=True)
def add(a, b):
    return a + b


@dramatiq.actor(max_retries=3, min_backoff=50, max_backoff=100)
def stubborn():
    tries.append(time.monotonic())
    if len(tries) < 3:
        raise ValueError("as asked")


worker = dramatiq.Worker(broker, worker_timeout=100)
worker.start()
messages = [add.send(n, n) for n in range(200)]
assert [message.get_result(block=True, timeout=20000) for message in messages] == [2 * n for n in range(200)]
together = dramatiq.group(add.message(n, 1) for n in range(10)).run()
assert list(together.get_results(block=True, timeout=20000)) == [n + 1 for n in range(10)]
assert add.send_with_options(args=(1, 1), delay=300).get_result(block=True, timeout=20000) == 2
stubborn.send()
until = time.monotonic() + 20
while len(tries) < 3 and time.monotonic() < until:
    time.sleep(0.02)
assert len(tries) == 3
broker.join("default")
worker.stop()
print("dramatiq")
