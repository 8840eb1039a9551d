"""python-socketio: two servers of one chat that hear of each other through Redis, and a process without a server."""
import asyncio
import sys

import socketio
from aiohttp import web

url = f"redis://127.0.0.1:{sys.argv[1]}/0"


def chat_server():
    server = socketio.AsyncServer(client_manager=socketio.AsyncRedisManager(url), async_mode="aiohttp")

    @server.event
    async def join(sid, room):
        await server.enter_room(sid, room)
        return "joined"

    @server.event
    async def say(sid, text):
        await server.emit("said", text, room="lobby", skip_sid=sid)

    return server


async def listen(server):
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def visitor(address):
    client = socketio.AsyncClient()
    client.heard = asyncio.Queue()
    client.on("said", client.heard.put)
    client.on("ask", lambda question: f"{question}: yes")
    await client.connect(address, transports=["websocket"])
    assert await client.call("join", "lobby", timeout=5) == "joined"
    return client


async def hears(client, text):
    heard = await asyncio.wait_for(client.heard.get(), timeout=5)
    assert heard == text, (heard, text)


async def main():
    servers = [chat_server(), chat_server()]
    places = [await listen(server) for server in servers]
    ann, bob = [await visitor(address) for _, address in places]
    # A server hears of the others once it has subscribed.
    outside = socketio.RedisManager(url, write_only=True)
    while outside.redis is None or outside.redis.pubsub_numsub("socketio")[0][1] < 2:
        await asyncio.to_thread(outside.emit, "warm", 0)
        await asyncio.sleep(0.05)

    # What a client of one server says, the client of the other one hears, and not the one who said it.
    for n in range(20):
        await ann.emit("say", f"ann {n}")
        await hears(bob, f"ann {n}")
        await bob.emit("say", f"bob {n}")
        await hears(ann, f"bob {n}")
    assert ann.heard.empty() and bob.heard.empty()

    # A process without clients of its own speaks to a room, and to one client.
    await asyncio.to_thread(outside.emit, "said", "news", room="lobby")
    await asyncio.gather(hears(ann, "news"), hears(bob, "news"))
    await asyncio.to_thread(outside.emit, "said", "for bob", room=bob.get_sid())
    await hears(bob, "for bob")
    assert ann.heard.empty()

    # A server asks a client of the other one, and its answer comes back through Redis.
    answered = asyncio.get_running_loop().create_future()
    await servers[0].emit("ask", "there", to=bob.get_sid(), callback=answered.set_result)
    assert await asyncio.wait_for(answered, timeout=5) == "there: yes"

    # The other server can close a room or send a client away.
    await servers[1].disconnect(ann.get_sid())
    await asyncio.wait_for(ann.wait(), timeout=5)
    assert not ann.connected and bob.connected
    await bob.disconnect()
    for runner, _ in places:
        await runner.cleanup()


asyncio.run(main())
print("python-socketio: two servers and an outside process")
