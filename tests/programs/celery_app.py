"""Celery: tasks with a retry and a chord, over the broker and the result backend of redis-py."""
import subprocess
import sys
import time

from celery import Celery, chord, group

port = sys.argv[1]
app = Celery("celery_app", broker=f"redis://127.0.0.1:{port}/4", backend=f"redis://127.0.0.1:{port}/5")
app.conf.update(task_acks_late=True, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)


@app.task(name="add")
def add(a, b):
    return a + b


@app.task(name="total")
def total(numbers):
    return sum(numbers)


@app.task(name="stubborn", bind=True, max_retries=3)
def stubborn(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.2)
    return self.request.retries


if __name__ == "__main__":
    # The worker imports this file by its name and gets the port as this process does.
    here = __file__.rsplit("/", 1)[0]
    start = f"import sys; sys.argv[1] = {port!r}; sys.path.insert(0, {here!r}); import celery_app as c; c.app.worker_main("
    start += "['worker', '--pool=threads', '--concurrency=2', '--loglevel=ERROR', '--without-gossip'])"
    worker = subprocess.Popen([sys.executable, "-c", start, port])
    try:
        began = time.monotonic()
        assert add.delay(2, 3).get(timeout=30) == 5
        many = group(add.s(n, n) for n in range(50))().get(timeout=30)
        assert many == [2 * n for n in range(50)]
        assert chord(add.s(n, 1) for n in range(10))(total.s()).get(timeout=30) == 55
        assert stubborn.delay().get(timeout=30) == 2
        late = add.apply_async((1, 1), countdown=1)
        assert not late.ready() and late.get(timeout=30) == 2
        print(f"ok celery: tasks, a group, a chord, retries, a countdown ({time.monotonic() - began:.1f} s)")
    finally:
        worker.terminate()
        worker.wait(timeout=20)
