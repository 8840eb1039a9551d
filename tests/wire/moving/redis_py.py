"""redis-py under load while its server stops: it walks over to the announced one, and no command fails.

The first line that it prints says that the load has begun. It ends when its input ends, and prints how many commands have
succeeded."""
import sys
import threading

import redis

port = int(sys.argv[1])
client = redis.Redis(host="127.0.0.1", port=port, protocol=3, retry=None, socket_timeout=20)
stop, errors, done = threading.Event(), [], [0] * 5


def work(nth):
    while not stop.is_set() and not errors:
        try:
            client.set(f"k{nth}", done[nth])
            client.get(f"k{nth}")
            done[nth] += 2
        except Exception as error:
            errors.append(repr(error))


threads = [threading.Thread(target=work, args=(nth,)) for nth in range(len(done))]
for thread in threads:
    thread.start()
while min(done) == 0 and not errors:
    pass
print("ready", flush=True)
sys.stdin.read()
stop.set()
for thread in threads:
    thread.join()
print(sum(done), flush=True)
if errors:
    sys.exit(f"failed: {errors}")
