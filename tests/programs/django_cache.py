"""Django: its own backend for Redis, and django-redis."""
import sys

import django
import django_redis
from django.conf import settings

url = f"redis://127.0.0.1:{sys.argv[1]}/1"
settings.configure(
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url},
        "other": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url[:-1] + "2"},
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    INSTALLED_APPS=["django.contrib.sessions"],
)
django.setup()
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import caches

for name in ["default", "other"]:
    cache = caches[name]
    cache.clear()
    assert cache.get("k") is None and cache.add("k", {"a": [1, 2]}, timeout=100) and not cache.add("k", 1)
    assert cache.get("k") == {"a": [1, 2]} and cache.touch("k", 50) and cache.has_key("k")
    cache.set_many({"x": 1, "y": 2, "z": "text"}, timeout=60)
    assert cache.get_many(["x", "y", "none"]) == {"x": 1, "y": 2}
    assert cache.get_or_set("lazy", lambda: "made") == "made"
    cache.delete_many(["x", "y"])
    assert cache.get("x", "gone") == "gone" and cache.delete("z") and not cache.delete("z")
    cache.set("forever", 1, timeout=None)
default, other = caches["default"], caches["other"]
default.set("n", 5)
assert default.incr("n") == 6 and default.decr("n", 3) == 3
assert other.ttl("forever") is None and other.ttl("lazy") > 0
assert other.expire("lazy", timeout=10) and other.persist("lazy")
assert sorted(other.keys("*")) == ["forever", "k", "lazy"] and set(other.iter_keys("l*")) == {"lazy"}
assert other.delete_pattern("l*") == 1
session = SessionStore()
session["user"] = 7
session.create()
assert SessionStore(session_key=session.session_key)["user"] == 7
session.flush()
default.clear()
assert other.get("forever") == 1, "a clear of one database must not touch another"
print("django", django.__version__, "django-redis", django_redis.__version__)
