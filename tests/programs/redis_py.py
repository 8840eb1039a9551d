"""redis-py: a cache on the client's side, databases, events of keys, transactions, scans."""
import sys
import time

import redis
from redis.cache import CacheConfig

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
