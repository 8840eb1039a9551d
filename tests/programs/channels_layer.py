"""channels_redis: Django Channels' layer over sorted sets and scripts."""
import asyncio
import sys

from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer

hosts = [f"redis://127.0.0.1:{sys.argv[1]}/15"]


async def received(layer, channel):
    return await asyncio.wait_for(layer.receive(channel), timeout=5)


async def main():
    here, there = RedisChannelLayer(hosts=hosts, capacity=5), RedisChannelLayer(hosts=hosts, capacity=5)
    await here.flush()
    ann, bob = await here.new_channel(), await there.new_channel()
    await here.send(bob, {"type": "chat", "text": "hello"})
    assert await received(there, bob) == {"type": "chat", "text": "hello"}
    await here.group_add("room", ann)
    await there.group_add("room", bob)
    await here.group_send("room", {"type": "chat", "text": b"\x00\xff"})
    assert (await received(here, ann))["text"] == b"\x00\xff"
    assert (await received(there, bob))["text"] == b"\x00\xff"
    await here.group_discard("room", ann)
    await there.group_send("room", {"type": "chat", "n": 1})
    assert (await received(there, bob))["n"] == 1
    for n in range(5):
        await here.send("full", {"type": "chat", "n": n})
    try:
        await here.send("full", {"type": "chat", "n": 5})
        raise AssertionError("the channel takes more than its capacity")
    except ChannelFull:
        pass
    assert [(await received(there, "full"))["n"] for _ in range(5)] == list(range(5))
    await here.close_pools()
    await there.close_pools()
    print("channels_layer")


asyncio.run(main())
