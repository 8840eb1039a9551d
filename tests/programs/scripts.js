// Scripts as libraries use them: node-redis, ioredis, rate-limiter-flexible, redlock.
const assert = require('node:assert');
const Redis = require('ioredis');
const { createClient, defineScript } = require('redis');
const { RateLimiterRedis } = require('rate-limiter-flexible');
const Redlock = require('redlock').default;

(async () => {
  const port = Number(process.argv[2]);
  const redis = new Redis({ port, db: 12 });
  await redis.flushdb();
  redis.defineCommand('atMost', {
    numberOfKeys: 1,
    lua: "local n = tonumber(redis.call('GET', KEYS[1]) or 0) if n >= tonumber(ARGV[1]) then return redis.error_reply('FULL ' .. n) end return redis.call('INCR', KEYS[1])",
  });
  assert.equal(await redis.atMost('n', 2), 1);
  assert.equal(await redis.atMost('n', 2), 2);
  await assert.rejects(redis.atMost('n', 2), /FULL 2/);
  await redis.script('FLUSH');
  await assert.rejects(redis.atMost('n', 2), /FULL 2/);
  const piped = await redis.pipeline().set('n', 0).atMost('n', 9).atMost('n', 9).exec();
  assert.deepEqual(piped.map(([, value]) => value), ['OK', 1, 2]);

  const client = await createClient({
    url: `redis://127.0.0.1:${port}/12`,
    scripts: {
      add: defineScript({
        SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
        NUMBER_OF_KEYS: 1,
        parseCommand(parser, key, by) { parser.pushKey(key); parser.push(String(by)); },
        transformReply: (reply) => reply,
      }),
    },
  }).connect();
  assert.equal(await client.add('m', 5), 5);
  assert.equal(await client.add('m', 5), 10);
  assert.deepEqual(await client.multi().add('m', 1).get('m').exec(), [11, '11']);
  assert.deepEqual(await client.eval('return {1, ARGV[1], {ok="fine"}}', { arguments: ['x'] }), [1, 'x', 'fine']);

  const limiter = new RateLimiterRedis({ storeClient: redis, points: 5, duration: 100, keyPrefix: 'limit' });
  const asked = await Promise.allSettled(Array.from({ length: 20 }, () => limiter.consume('someone')));
  assert.equal(asked.filter((one) => one.status === 'fulfilled').length, 5);

  const redlock = new Redlock([redis], { retryCount: 0 });
  const lock = await redlock.acquire(['resource'], 5000);
  await assert.rejects(redlock.acquire(['resource'], 5000));
  const longer = await lock.extend(5000);
  await longer.release();
  await (await redlock.acquire(['resource'], 1000)).release();
  let inside = 0;
  const patient = new Redlock([redis], { retryCount: -1, retryDelay: 5 });
  await Promise.all(Array.from({ length: 10 }, () => patient.using(['shared'], 5000, async () => {
    assert.equal(++inside, 1);
    await new Promise((resolve) => setTimeout(resolve, 2));
    inside--;
  })));

  redis.disconnect();
  client.destroy();
  console.log('scripts');
})().catch((error) => { console.error(error); process.exit(1); });
