"""aiohttp-session: sessions of an aiohttp application, many visitors at once."""
import asyncio
import sys

import aiohttp_session
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer
from aiohttp_session.redis_storage import RedisStorage
from redis.asyncio import Redis


async def visit(request):
    session = await aiohttp_session.get_session(request)
    session["visits"] = session.get("visits", 0) + 1
    return web.Response(text=str(session["visits"]))


async def leave(request):
    session = await aiohttp_session.get_session(request)
    session.invalidate()
    return web.Response(text="bye")


async def visitor(server, visits):
    async with ClientSession(server.make_url("/"), cookie_jar=CookieJar(unsafe=True)) as client:
        for n in range(1, visits + 1):
            assert await (await client.get("/visit")).text() == str(n)
        assert await (await client.get("/leave")).text() == "bye"
        assert await (await client.get("/visit")).text() == "1"


async def main():
    client = Redis(port=int(sys.argv[1]), db=12)
    await client.flushdb()
    app = web.Application()
    app.add_routes([web.get("/visit", visit), web.get("/leave", leave)])
    aiohttp_session.setup(app, RedisStorage(client, max_age=100))
    async with TestServer(app) as server:
        await asyncio.gather(*(visitor(server, visits) for visits in range(1, 21)))
    keys = [key async for key in client.scan_iter("AIOHTTP_SESSION_*")]
    assert len(keys) >= 20 and all([0 < await client.ttl(key) <= 100 for key in keys]), keys
    await client.aclose()


asyncio.run(main())
print("aiohttp-session")
