"""arq: jobs of asyncio with redis-py 5 and hiredis. Results, a retry, a failure, a job for later, one that is unique,
one that is aborted."""
import asyncio
import logging
import sys

from arq import Retry, create_pool
from arq.connections import RedisSettings
from arq.jobs import Job, JobStatus
from arq.worker import Worker

logging.disable()
settings = RedisSettings(port=int(sys.argv[1]), database=13)


async def add(context, a, b):
    return a + b


async def shaky(context):
    if context["job_try"] < 3:
        raise Retry(defer=0.05)
    return context["job_try"]


async def fail(context):
    raise ValueError("as asked")


async def endless(context):
    await asyncio.sleep(3600)


async def main():
    pool = await create_pool(settings)
    await pool.flushdb()
    first = await pool.enqueue_job("add", 2, 3)
    later = await pool.enqueue_job("add", 1, 1, _defer_by=0.5)
    assert await first.status() == JobStatus.queued and await later.status() == JobStatus.deferred
    assert await pool.enqueue_job("add", 0, 0, _job_id="one")
    assert await pool.enqueue_job("add", 0, 0, _job_id="one") is None
    assert len(await pool.queued_jobs()) == 3

    workers = [
        Worker([add, shaky, fail, endless], redis_settings=settings, poll_delay=0.05, handle_signals=False,
               allow_abort_jobs=True, keep_result=100)
        for _ in range(2)
    ]
    running = [asyncio.create_task(worker.async_run()) for worker in workers]
    many = [await pool.enqueue_job("add", n, n) for n in range(100)]
    assert [await job.result(timeout=20, poll_delay=0.02) for job in many] == [2 * n for n in range(100)]
    assert await first.result(timeout=20) == 5 and await later.result(timeout=20) == 2
    assert await (await pool.enqueue_job("shaky")).result(timeout=20) == 3
    try:
        await (await pool.enqueue_job("fail")).result(timeout=20)
        raise AssertionError("the job should have failed")
    except ValueError as error:
        assert str(error) == "as asked"
    job = await pool.enqueue_job("endless")
    while await job.status() != JobStatus.in_progress:
        await asyncio.sleep(0.02)
    assert await job.abort(timeout=20)
    results = await pool.all_job_results()
    assert len(results) == 106 and sum(result.success for result in results) == 104, len(results)
    assert sum(worker.jobs_complete for worker in workers) == 104
    assert await Job("one", pool).status() == JobStatus.complete and await pool.zcard("arq:queue") == 0
    for worker, task in zip(workers, running):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await worker.close()
    await pool.aclose()


asyncio.run(main())
print("arq")
