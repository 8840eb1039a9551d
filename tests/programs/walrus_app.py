"""walrus: values of Redis as Python's containers, models with indexes, a cache, and streams with a group. (Queries for
a range need a script, and are not here.)"""
import sys
import time

import walrus

db = walrus.Walrus(port=int(sys.argv[1]), db=15)
db.flushdb()

# Containers.
profile = db.Hash("profile")
profile.update(name="ann", age=30)
assert profile["name"] == b"ann" and len(profile) == 2 and sorted(profile.keys()) == [b"age", b"name"]
del profile["age"]
assert "age" not in profile
todo = db.List("todo")
todo.extend(["a", "b", "c", "d"])
assert todo[0] == b"a" and todo[1:3] == [b"b", b"c"] and todo.popright() == b"d" and len(todo) == 3
left, right = db.Set("left"), db.Set("right")
left.add("a", "b", "c")
right.add("b", "c", "d")
assert left & right == {b"b", b"c"} and left | right == {b"a", b"b", b"c", b"d"} and left - right == {b"a"}
scores = db.ZSet("scores")
scores.add({"ann": 30, "bob": 10, "carl": 20})
assert [name for name, _ in scores.range(0, -1, with_scores=True)] == [b"bob", b"carl", b"ann"]
assert scores.score("bob") == 10.0 and scores.rank("carl") == 1 and scores.incr("bob", 15) == 25.0
seen = db.HyperLogLog("seen")
seen.add(*(f"visitor {n}" for n in range(100)))
assert 95 <= len(seen) <= 105
bits = db.bit_field("bits")
assert bits.set("u8", "#1", 200).incrby("u8", "#1", 10).get("u8", "#1").execute() == [0, 210, 210]


# Models: queries are intersections, unions and differences of sets, put in order by SORT.
class Person(walrus.Model):
    __database__ = db
    __namespace__ = "people"
    name = walrus.TextField(primary_key=True)
    city = walrus.TextField(index=True)
    age = walrus.IntegerField(index=True)
    team = walrus.TextField(index=True)
    tags = walrus.SetField()


for n in range(30):
    person = Person.create(name=f"person {n:02}", city=["Oslo", "Rome", "Lima"][n % 3], age=20 + n, team="ab"[n % 2])
    person.tags.add("new", f"group {n % 2}")
found = Person.query((Person.city == "Rome") & (Person.team == "a"), order_by=Person.age.desc())
assert [person.age for person in found] == [48, 42, 36, 30, 24]
assert len(list(Person.query((Person.city == "Lima") | (Person.team == "b")))) == 20
assert len(list(Person.query((Person.city != "Lima") & (Person.team == "b")))) == 10
assert Person.load("person 07").tags.members() == {b"new", b"group 1"}
Person.load("person 07").delete()
assert Person.count() == 29 and Person.get(Person.name == "person 08").age == 28

# A cache.
cache = db.cache("cache", default_timeout=60)
calls = []


@cache.cached(timeout=30)
def slow(n):
    calls.append(n)
    return n * 2


assert [slow(2), slow(2), slow(3)] == [4, 4, 6] and calls == [2, 3]
slow.bust(2)
assert slow(2) == 4 and calls == [2, 3, 2]

# Two streams read as one group.
group = db.consumer_group("readers", ["clicks", "views"])
group.create()
group.set_id("$")
for n in range(5):
    group.clicks.add({"n": str(n)})
    group.views.add({"n": str(n)})
first = group.read(count=2)
assert sorted((stream, len(entries)) for stream, entries in first) == [(b"clicks", 2), (b"views", 2)]
for stream, entries in first:
    assert getattr(group, stream.decode()).ack(*(entry_id for entry_id, _ in entries)) == 2
other = group.consumer("another")
rest = [entry for _, entries in other.read() for entry in entries]
assert len(rest) == 6 and len(other.clicks.pending()) == 3
time.sleep(0.02)
ids = [entry["message_id"] for entry in other.clicks.pending()]
assert [entry_id for entry_id, _ in group.clicks.claim(*ids, min_idle_time=10)] == ids
assert group.clicks.ack(*ids) == 3 and len(other.clicks.pending()) == 0
group.destroy()
print("walrus", walrus.__version__)
