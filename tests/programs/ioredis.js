// ioredis: pipelines, transactions, databases, scans, MONITOR.
const assert = require('node:assert');
const Redis = require('ioredis');

(async () => {
  const port = Number(process.argv[2]);
  const redis = new Redis({ port, db: 8 });
  await redis.flushall();
  assert.equal(await redis.set('k', 'v', 'PX', 100000, 'NX'), 'OK');
  assert.equal(await redis.set('k', 'v', 'NX'), null);
  assert.deepEqual(await redis.pipeline().get('k').incr('n').mget('k', 'none').exec(),
    [[null, 'v'], [null, 1], [null, ['v', null]]]);
  assert.deepEqual(await redis.multi().set('t', '1').append('t', '2').exec(), [[null, 'OK'], [null, 2]]);
  await redis.hset('h', { f: '1', g: '2' });
  assert.deepEqual(await redis.hgetall('h'), { f: '1', g: '2' });
  const found = [];
  for await (const keys of redis.scanStream({ count: 2 })) found.push(...keys);
  assert.deepEqual([...new Set(found)].sort(), ['h', 'k', 'n', 't']);
  assert.equal(await redis.getBuffer('k').then(String), 'v');
  const other = new Redis({ port, db: 9 });
  assert.equal(await other.get('k'), null);
  await redis.move('k', 9);
  assert.equal(await other.get('k'), 'v');
  const monitor = await redis.monitor();
  const seen = new Promise((resolve) => monitor.on('monitor', (time, args, source, db) => resolve([args, db])));
  await other.get('watched');
  assert.deepEqual(await seen, [['get', 'watched'], '9']);
  for (const one of [monitor, other, redis]) one.disconnect();
  console.log('ioredis');
})().catch((error) => { console.error(error); process.exit(1); });
