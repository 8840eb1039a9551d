"""channels_redis: Django Channels' layer over publish and subscribe. Two layers, as of two processes of a chat, send to
channels and groups."""
import asyncio
import sys

from channels_redis.pubsub import RedisPubSubChannelLayer

hosts = [f"redis://127.0.0.1:{sys.argv[1]}/0"]


async def received(layer, channel):
    return await asyncio.wait_for(layer.receive(channel), timeout=5)


async def nothing(sender, layer, channel):
    """What the sender sends now is the next that comes, so nothing came before."""
    await sender.send(channel, {"type": "mark"})
    message = await received(layer, channel)
    assert message == {"type": "mark"}, f"{channel} got {message}"


async def main():
    here, there = RedisPubSubChannelLayer(hosts=hosts), RedisPubSubChannelLayer(hosts=hosts)
    ann, bob, carl = await here.new_channel(), await there.new_channel(), await there.new_channel()

    # To one channel of the other process, and back.
    await here.send(bob, {"type": "chat.message", "text": "hello"})
    assert await received(there, bob) == {"type": "chat.message", "text": "hello"}
    await there.send(ann, {"type": "chat.message", "text": b"\x00\xff"})
    assert (await received(here, ann))["text"] == b"\x00\xff"

    # To a group: all its members, in order, and nobody else.
    await here.group_add("room", ann)
    await there.group_add("room", bob)
    for n in range(100):
        await (here if n % 2 else there).group_send("room", {"type": "count", "n": n})
        for layer, channel in [(here, ann), (there, bob)]:
            assert await received(layer, channel) == {"type": "count", "n": n}
    await nothing(here, there, carl)

    # Who leaves hears no more.
    await there.group_discard("room", bob)
    await there.group_add("room", carl)
    await here.group_send("room", {"type": "last"})
    assert (await received(here, ann))["type"] == "last" and (await received(there, carl))["type"] == "last"
    await nothing(here, there, bob)
    for layer in [here, there]:
        await layer.flush()


asyncio.run(main())
print("channels_redis: publish and subscribe")
