"""Locks, limits and scripts: redis-py, limits, django-redis."""
import sys
import threading
import time

import redis
from limits import RateLimitItemPerMinute, storage, strategies

port = int(sys.argv[1])
client = redis.Redis(port=port, db=13)
client.flushdb()

# Locks of redis-py.
lock = client.lock("lock", timeout=10)
assert lock.acquire(blocking=False)
assert not client.lock("lock", timeout=10).acquire(blocking=False)
assert lock.extend(10) and lock.reacquire() and client.pttl("lock") > 9000
lock.release()
try:
    lock.release()
    raise AssertionError("the lock was released twice")
except redis.exceptions.LockError:
    pass
counter = {"value": 0}


def add():
    for _ in range(25):
        with client.lock("shared", timeout=10, sleep=0.001):
            seen = counter["value"]
            time.sleep(0.0005)
            counter["value"] = seen + 1


threads = [threading.Thread(target=add) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert counter["value"] == 100

# Registered scripts, alone and in a pipeline.
script = client.register_script("return {KEYS[1], ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[1])}")
assert script(keys=["n"], args=[5]) == [b"n", b"5", 5]
client.script_flush()
assert script(keys=["n"], args=[5]) == [b"n", b"5", 10]
with client.pipeline() as pipe:
    script(keys=["n"], args=[1], client=pipe)
    pipe.get("n")
    assert pipe.execute() == [[b"n", b"1", 11], b"11"]
try:
    client.eval("return redis.call('INCR', 'lock', 'x')", 0)
    raise AssertionError("the wrong call went through")
except redis.exceptions.ResponseError as error:
    assert "Wrong number of args calling Redis command from script" in str(error)

# Rate limits.
store = storage.storage_from_string(f"redis://127.0.0.1:{port}/13")
for name in ("FixedWindowRateLimiter", "MovingWindowRateLimiter", "SlidingWindowCounterRateLimiter"):
    limiter = getattr(strategies, name)(store)
    item = RateLimitItemPerMinute(10)
    assert [limiter.hit(item, name) for _ in range(15)] == [True] * 10 + [False] * 5, name
    assert limiter.get_window_stats(item, name).remaining == 0
    limiter.clear(item, name)
assert store.reset() is not None

# django-redis: counters and locks are scripts.
import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure(CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"redis://127.0.0.1:{port}/13"}})
django.setup()
from django.core.cache import cache  # noqa: E402

cache.set("count", 1)
assert cache.incr("count") == 2 and cache.decr("count", 2) == 0 and cache.incr_version("count") == 2
with cache.lock("django", timeout=5):
    assert not cache.lock("django", timeout=5).acquire(blocking=False)
print("locks")
