"""Flask-Session: sessions of a web application."""
import sys

import redis
from flask import Flask, session
from flask_session import Session

app = Flask(__name__)
app.config.update(SESSION_TYPE="redis", SESSION_REDIS=redis.Redis(port=int(sys.argv[1]), db=4))
Session(app)


@app.route("/visit")
def visit():
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@app.route("/leave")
def leave():
    session.clear()
    return "bye"


with app.test_client() as client:
    assert [client.get("/visit").text for _ in range(3)] == ["1", "2", "3"]
with app.test_client() as another:
    assert another.get("/visit").text == "1"
    assert another.get("/leave").text == "bye" and another.get("/visit").text == "1"
keys = app.config["SESSION_REDIS"].keys("session:*")
assert keys and all(app.config["SESSION_REDIS"].ttl(key) > 0 for key in keys)
print("flask-session")
