"""Flask-Caching: pages and the results of functions, kept for a while and forgotten when asked."""
import sys
import time

import redis
from flask import Flask
from flask_caching import Cache

client = redis.Redis(port=int(sys.argv[1]), db=5)
client.flushdb()
client.set("not of the cache", 1)
app = Flask(__name__)
cache = Cache(app, config={
    "CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": "127.0.0.1", "CACHE_REDIS_PORT": sys.argv[1], "CACHE_REDIS_DB": 5,
    "CACHE_KEY_PREFIX": "page:", "CACHE_DEFAULT_TIMEOUT": 60,
})
calls = []


@app.route("/slow")
@cache.cached(timeout=30, query_string=True)
def slow():
    calls.append("slow")
    return str(len(calls))


@cache.memoize()
def square(n):
    calls.append(n)
    return {"square": n * n}


with app.test_client() as visitor, app.app_context():
    assert [visitor.get("/slow").text for _ in range(3)] == ["1", "1", "1"]
    assert [visitor.get(f"/slow?{query}").text for query in ["a=1&b=2", "b=2&a=1", "a=2"]] == ["2", "2", "3"]
    assert all(0 < client.ttl(key) <= 60 for key in client.scan_iter("page:*"))
    calls.clear()
    assert [square(n) for n in [2, 3, 2, 3]] == [{"square": 4}, {"square": 9}] * 2 and calls == [2, 3]
    cache.delete_memoized(square, 2)
    assert square(2) == {"square": 4} and square(3) == {"square": 9} and calls == [2, 3, 2]
    cache.delete_memoized(square)
    square(3)
    assert calls == [2, 3, 2, 3]

    assert cache.set_many({"a": 1, "b": [2], "c": None}) and cache.get_many("a", "b", "none") == [1, [2], None]
    assert cache.get_dict("a", "b") == {"a": 1, "b": [2]} and cache.has("c") and not cache.has("none")
    assert cache.add("new", 1) and not cache.add("new", 2) and cache.get("new") == 1
    assert cache.delete_many("a", "b") and cache.get("a") is None
    assert cache.cache.inc("n", 5) == 5 and cache.cache.dec("n", 2) == 3
    cache.set("brief", "v", timeout=1)
    assert cache.get("brief") == "v"
    deadline = time.monotonic() + 5
    while cache.get("brief") is not None:
        assert time.monotonic() < deadline, "the entry did not expire"
        time.sleep(0.05)
    cache.clear()
    assert client.keys() == [b"not of the cache"], client.keys()
print("flask-caching")
