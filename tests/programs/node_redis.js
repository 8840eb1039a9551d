// node-redis: databases, transactions, fields of hashes that expire, events of keys, client-side caching.
const assert = require('node:assert');
const { createClient } = require('redis');

(async () => {
  const port = Number(process.argv[2]);
  const client = await createClient({ socket: { port }, database: 6 }).connect();
  await client.flushAll();
  await client.set('k', 'v', { EX: 100 });
  assert.equal(await client.get('k'), 'v');
  assert.equal(await client.ttl('k'), 100);
  await client.select(7);
  assert.equal(await client.get('k'), null);
  await client.select(6);
  assert.deepEqual(await client.multi().set('a', '1').incr('a').get('a').exec(), ['OK', 2, '2']);
  await client.hSet('h', { f: 'v', g: 'w' });
  assert.deepEqual({ ...(await client.hGetAll('h')) }, { f: 'v', g: 'w' });
  assert.deepEqual(await client.hExpire('h', ['f', 'none'], 100), [1, -2]);
  assert.deepEqual(await client.hTTL('h', ['f', 'g']), [100, -1]);
  assert.deepEqual(await client.hExpire('h', 'f', 200, 'NX'), [0]);
  assert.deepEqual(await client.hPersist('h', 'f'), [1]);
  assert.equal(await client.hSetEx('h', { brief: '1' }, { expiration: { type: 'PX', value: 20 } }), 1);
  assert.deepEqual(await client.hGetEx('h', 'g', { expiration: { type: 'EX', value: 60 } }), ['w']);
  assert.deepEqual(await client.hTTL('h', 'g'), [60]);
  assert.deepEqual(await client.hGetDel('h', ['g', 'none']), ['w', null]);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual(await client.hTTL('h', ['brief', 'g']), [-2, -2]);
  assert.deepEqual({ ...(await client.hGetAll('h')) }, { f: 'v' });
  const found = [];
  for await (const keys of client.scanIterator({ MATCH: '*' })) found.push(...[].concat(keys));
  assert.deepEqual(found.sort(), ['a', 'h', 'k']);

  const listener = await client.duplicate().connect();
  await client.configSet('notify-keyspace-events', 'Ex');
  const expired = new Promise((resolve) => listener.subscribe('__keyevent@6__:expired', resolve).then(() =>
    client.set('brief', 'v', { PX: 20 })));
  assert.equal(await expired, 'brief');
  await client.configSet('notify-keyspace-events', '');

  const cached = await createClient({
    RESP: 3, socket: { port }, database: 6, clientSideCache: { ttl: 0, maxEntries: 100 },
  }).connect();
  assert.equal(await cached.get('a'), '2');
  await client.set('a', '3');
  const deadline = Date.now() + 5000;
  while ((await cached.get('a')) !== '3') {
    assert(Date.now() < deadline, 'a changed key stayed in the cache');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const one of [listener, cached, client]) await one.close();
  console.log('node-redis');
})().catch((error) => { console.error(error); process.exit(1); });
