"""redis-py: a cache on the client's side, databases, events of keys, fields of hashes that expire, transactions,
scans."""
import sys
import time

import redis
from redis.cache import CacheConfig
from redis.commands.core import HashDataPersistOptions

port = int(sys.argv[1])
plain = redis.Redis(port=port, decode_responses=True)
plain.flushall()

# Client-side caching: the second GET does not ask the server, and a change is noticed.
cached = redis.Redis(port=port, protocol=3, cache_config=CacheConfig(), decode_responses=True)
plain.set("k", "1")
assert cached.get("k") == "1"
calls = plain.info("commandstats")["cmdstat_get"]["calls"]
assert cached.get("k") == "1"
assert plain.info("commandstats")["cmdstat_get"]["calls"] == calls, "the second GET came from the server"
plain.set("k", "2")
deadline = time.monotonic() + 5
while cached.get("k") != "2":
    assert time.monotonic() < deadline, "a changed key stayed in the cache"
plain.flushall()
while cached.get("k") is not None:
    assert time.monotonic() < deadline, "a flushed key stayed in the cache"

# Databases.
other = redis.Redis(port=port, db=3, decode_responses=True)
other.set("k", "three")
assert plain.get("k") is None and other.get("k") == "three"
assert other.move("k", 0) and plain.get("k") == "three"
assert plain.copy("k", "k", destination_db=5) and plain.swapdb(5, 6)

# Events of keys.
plain.config_set("notify-keyspace-events", "KEA")
listener = plain.pubsub()
listener.psubscribe("__keyevent@0__:*")
assert listener.get_message(timeout=5)["type"] == "psubscribe"
plain.set("e", "v", px=30)
heard = []
deadline = time.monotonic() + 5
while "expired" not in heard:
    assert time.monotonic() < deadline, heard
    message = listener.get_message(timeout=1)
    if message:
        heard.append(message["channel"].split(":")[-1])
assert heard == ["set", "expire", "expired"], heard
plain.config_set("notify-keyspace-events", "")

# Fields of a hash that expire one by one.
plain.hset("cart", mapping={"apple": 1, "pear": 2, "plum": 3})
assert plain.hexpire("cart", 100, "apple", "none") == [1, -2]
assert plain.httl("cart", "apple", "pear", "none") == [100, -1, -2]
assert plain.hexpire("cart", 50, "apple", gt=True) == [0] and plain.hexpire("cart", 50, "apple", lt=True) == [1]
assert plain.hpersist("cart", "apple", "pear") == [1, -1] and plain.httl("cart", "apple") == [-1]
assert plain.hsetex("cart", "fig", 4, ex=60) == 1 and plain.httl("cart", "fig") == [60]
assert plain.hsetex("cart", mapping={"fig": 5, "new": 6}, data_persist_option=HashDataPersistOptions.FNX) == 0
assert plain.hget("cart", "fig") == "4" and not plain.hexists("cart", "new")
assert plain.hgetex("cart", "fig", "pear", "none", px=30000) == ["4", "2", None]
assert all(0 < left <= 30000 for left in plain.hpttl("cart", "fig", "pear"))
assert plain.hexpiretime("cart", "pear")[0] > time.time() and plain.hgetex("cart", "pear", persist=True) == ["2"]
assert plain.hgetdel("cart", "pear", "none") == ["2", None] and not plain.hexists("cart", "pear")
plain.hpexpire("cart", 20, "plum")
deadline = time.monotonic() + 5
while plain.hlen("cart") != 2:
    assert time.monotonic() < deadline, plain.hgetall("cart")
assert plain.hgetall("cart") == {"apple": "1", "fig": "4"}
assert plain.hgetdel("cart", "apple", "fig") == ["1", "4"] and not plain.exists("cart")

# Transactions, pipelines, scans, bits, numbers.
with plain.pipeline() as pipe:
    pipe.watch("n")
    pipe.multi()
    pipe.incr("n").expire("n", 100)
    assert pipe.execute() == [1, True]
with plain.pipeline(transaction=False) as pipe:
    for n in range(1000):
        pipe.set(f"scan:{n}", n)
    pipe.execute()
assert len(set(plain.scan_iter("scan:*", count=100))) == 1000
assert plain.bitfield("bits").set("u8", 0, 255).incrby("u8", 0, 10).execute() == [0, 9]
assert plain.incrbyfloat("f", 0.1) == 0.1 and plain.getex("f", persist=True) == "0.1"
assert plain.object("encoding", "n") == "int" and plain.memory_usage("n") > 0
assert plain.wait(0, 0) == 0 and plain.role()[0] == "master"
assert plain.command_getkeys("MSET", "a", "1", "b", "2") == ["a", "b"]
plain.config_set("slowlog-log-slower-than", 0)
plain.ping()
assert any("PING" in str(entry["command"]) for entry in plain.slowlog_get()), plain.slowlog_get()
plain.config_set("slowlog-log-slower-than", 10000)
with plain.monitor() as monitor:
    other.get("seen")
    commands = [monitor.next_command()]
    assert commands[0]["command"] == "GET seen" and commands[0]["db"] == 3, commands
print("redis-py", redis.__version__)
