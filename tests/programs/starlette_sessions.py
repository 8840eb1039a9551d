"""starsessions: sessions of a Starlette application, with redis-py's asyncio client."""
import sys

import redis
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starsessions import SessionAutoloadMiddleware, SessionMiddleware, regenerate_session_id
from starsessions.stores.redis import RedisStore

plain = redis.Redis(port=int(sys.argv[1]), db=11)
plain.flushdb()


async def visit(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return PlainTextResponse(str(request.session["visits"]))


async def login(request):
    request.session["user"] = request.query_params["name"]
    regenerate_session_id(request)
    return PlainTextResponse("welcome")


async def leave(request):
    request.session.clear()
    return PlainTextResponse("bye")


store = RedisStore(connection=Redis(port=int(sys.argv[1]), db=11), prefix="session:")
app = Starlette(
    routes=[Route("/visit", visit), Route("/login", login), Route("/leave", leave)],
    middleware=[
        Middleware(SessionMiddleware, store=store, lifetime=100, rolling=True, cookie_https_only=False),
        Middleware(SessionAutoloadMiddleware),
    ],
)
with TestClient(app) as client:
    assert [client.get("/visit").text for _ in range(3)] == ["1", "2", "3"]
    (key,) = plain.keys("session:*")
    assert 0 < plain.ttl(key) <= 100
    assert client.get("/login?name=ann").text == "welcome"
    (renewed,) = set(plain.keys("session:*")) - {key}
    assert b"ann" in plain.get(renewed) and plain.delete(key) == 1, "a login gives the session a new name"
    assert client.get("/visit").text == "4"
    client.cookies.clear()
    assert client.get("/visit").text == "1" and plain.dbsize() == 2
    assert client.get("/leave").text == "bye" and plain.dbsize() == 1
    assert client.get("/visit").text == "1"
print("starsessions")
