// ioredis: events of orders in a stream, read by two groups. In one group two workers share the events, one crashes in
// the middle of its work and comes back; what it never finishes, the other one claims.
const assert = require('node:assert');
const Redis = require('ioredis');

const EVENTS = 100;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const fields = (list) => Object.fromEntries(list.flatMap((_, at) => (at % 2 ? [] : [[list[at], list[at + 1]]])));

(async () => {
  const port = Number(process.argv[2]);
  const redis = new Redis({ port, db: 9 });
  await redis.flushdb();
  assert.equal(await redis.xgroup('CREATE', 'orders', 'mail', '$', 'MKSTREAM'), 'OK');
  assert.equal(await redis.xgroup('CREATE', 'orders', 'audit', '0'), 'OK');

  const mailed = [];
  let added = false;
  const mail = async (name, crashAfter) => {
    const own = new Redis({ port, db: 9 });
    for (let count = 0; ;) {
      const all = added;
      const reply = await own.xreadgroup('GROUP', 'mail', name, 'COUNT', 4, 'BLOCK', 200, 'STREAMS', 'orders', '>');
      if (reply === null && all) break;
      if (reply === null) continue;
      const [[stream, events]] = reply;
      assert.equal(stream, 'orders');
      for (const [id, list] of events) {
        count += 1;
        if (count === crashAfter) return own.disconnect();
        mailed.push(fields(list).order);
        assert.equal(await own.xack('orders', 'mail', id), 1);
      }
      await sleep(1);
    }
    return own.quit();
  };
  const workers = [mail('steady'), mail('shaky', 10)];
  await sleep(20);
  const ids = [];
  for (let n = 0; n < EVENTS; n++) {
    const pipeline = redis.pipeline();
    pipeline.xadd('orders', 'MAXLEN', '~', 10000, '*', 'order', n, 'sum', n * 10);
    ids.push(...(await pipeline.exec()).map(([error, id]) => { assert.equal(error, null); return id; }));
    if (n % 10 === 0) await sleep(2);
  }
  added = true;
  await Promise.all(workers);
  assert.equal(new Set(mailed).size, mailed.length, 'an event was mailed twice');

  // What the crashed worker had in its hands is still its own.
  const [count, first, last, owners] = await redis.xpending('orders', 'mail');
  assert(count >= 1 && count <= 4 && count === EVENTS - mailed.length, `${count} events are pending`);
  assert.deepEqual(owners, [['shaky', String(count)]]);
  const details = await redis.xpending('orders', 'mail', '-', '+', 10);
  assert.deepEqual([details[0][0], details[count - 1][0]], [first, last]);
  assert(details.every(([, owner, , deliveries]) => owner === 'shaky' && deliveries === 1));

  // It comes back, reads its own pending events again and finishes one. The other worker claims the rest.
  const [[, again]] = await redis.xreadgroup('GROUP', 'mail', 'shaky', 'STREAMS', 'orders', '0');
  assert.deepEqual(again.map(([id]) => id), details.map(([id]) => id));
  mailed.push(fields(again[0][1]).order);
  assert.equal(await redis.xack('orders', 'mail', again[0][0]), 1);
  await sleep(30);
  assert.deepEqual(await redis.xautoclaim('orders', 'mail', 'steady', 3600000, '0-0'), ['0-0', [], []]);
  const [next, claimed, deleted] = await redis.xautoclaim('orders', 'mail', 'steady', 20, '0-0', 'COUNT', 100);
  assert.deepEqual([next, claimed.length, deleted], ['0-0', count - 1, []]);
  for (const [id, list] of claimed) {
    mailed.push(fields(list).order);
    assert.equal(await redis.xack('orders', 'mail', id), 1);
  }
  assert.deepEqual(mailed.map(Number).sort((a, b) => a - b), [...Array(EVENTS).keys()]);
  assert.deepEqual(await redis.xpending('orders', 'mail'), [0, null, null, null]);

  // The other group has its own place in the stream: it reads all of it, in one order.
  const [[, audited]] = await redis.xreadgroup('GROUP', 'audit', 'a', 'NOACK', 'STREAMS', 'orders', '>');
  assert.deepEqual(audited.map(([id]) => id), ids);
  assert.equal((await redis.xpending('orders', 'audit'))[0], 0);
  const [[lastId, lastFields]] = await redis.xrevrange('orders', '+', '-', 'COUNT', 1);
  assert.deepEqual([lastId, fields(lastFields)], [ids[EVENTS - 1], { order: '99', sum: '990' }]);
  const groups = (await redis.xinfo('GROUPS', 'orders')).map(fields);
  assert.deepEqual(groups.map((one) => [one.name, one.pending, one.lag]), [['audit', 0, 0], ['mail', 0, 0]]);

  // A reader that waits without a group hears of a new event at once.
  const reader = new Redis({ port, db: 9 });
  const heard = reader.xread('BLOCK', 5000, 'STREAMS', 'orders', '$');
  await sleep(30);
  const id = await redis.xadd('orders', '*', 'order', 'late');
  assert.deepEqual(await heard, [['orders', [[id, ['order', 'late']]]]]);

  // An entry that was deleted before anybody finished it is told of, and no longer pending.
  await redis.xreadgroup('GROUP', 'mail', 'shaky', 'STREAMS', 'orders', '>');
  await redis.xdel('orders', id);
  assert.deepEqual(await redis.xautoclaim('orders', 'mail', 'steady', 0, '0-0'), ['0-0', [], [id]]);
  assert.equal((await redis.xpending('orders', 'mail'))[0], 0);
  for (const one of [reader, redis]) await one.quit();
  console.log('ioredis: streams with two groups');
})().catch((error) => { console.error(error); process.exit(1); });
