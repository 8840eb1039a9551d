"""RQ: jobs, a dependency, a retry, a failure and a scheduled job."""
import sys
import time

import redis
from rq import Queue, Retry, SimpleWorker

port = int(sys.argv[1])


def add(a, b):
    return a + b


def fail():
    raise ValueError("as asked")


if __name__ == "__main__":
    import rq_app

    client = redis.Redis(port=port, db=6)
    client.flushdb()
    queue = Queue("jobs", connection=client)
    first = queue.enqueue(rq_app.add, 2, 3)
    second = queue.enqueue(rq_app.add, 1, 1, depends_on=first)
    failing = queue.enqueue(rq_app.fail, retry=Retry(max=2))
    many = [queue.enqueue(rq_app.add, n, n) for n in range(20)]
    worker = SimpleWorker([queue], connection=client)
    worker.work(burst=True, logging_level="CRITICAL")
    assert first.return_value() == 5 and second.return_value() == 2
    assert [job.return_value() for job in many] == [2 * n for n in range(20)]
    assert failing.get_status(refresh=True) == "failed" and failing.id in queue.failed_job_registry
    assert len(queue.finished_job_registry) == 22 and queue.count == 0
    print("ok rq: jobs, a dependency, retries, a failure")
