// node-redis: a queue of jobs in a stream. A worker dies with jobs in its hands; two others share the rest, and take
// over what the dead one left.
const assert = require('node:assert');
const { createClient } = require('redis');

const [STREAM, GROUP, JOBS, LEFT] = ['jobs', 'workers', 200, 7];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

(async () => {
  const client = await createClient({ socket: { port: Number(process.argv[2]) }, database: 8 }).connect();
  await client.flushDb();
  assert.equal(await client.xGroupCreate(STREAM, GROUP, '$', { MKSTREAM: true }), 'OK');
  await assert.rejects(client.xGroupCreate(STREAM, GROUP, '$'), /BUSYGROUP/);

  // The first jobs go to a worker that dies before it acknowledges them.
  for (let n = 0; n < LEFT; n++) await client.xAdd(STREAM, '*', { n: String(n) });
  const dying = await client.duplicate().connect();
  const [{ messages: lost }] = await dying.xReadGroup(GROUP, 'dead', { key: STREAM, id: '>' }, { COUNT: LEFT });
  assert.deepEqual(lost.map(({ message }) => message.n), [...Array(LEFT).keys()].map(String));
  dying.destroy();
  await sleep(50);

  const done = new Map();
  const note = (name, messages) => {
    for (const { message } of messages) done.set(message.n, [...(done.get(message.n) || []), name]);
  };
  let added = false;
  const worker = async (name) => {
    const own = await client.duplicate().connect();
    for (;;) {
      const all = added;
      const reply = await own.xReadGroup(GROUP, name, { key: STREAM, id: '>' }, { COUNT: 3, BLOCK: 200 });
      if (reply === null && all) break;
      if (reply === null) continue;
      const [{ messages }] = reply;
      note(name, messages);
      assert.equal(await own.xAck(STREAM, GROUP, messages.map(({ id }) => id)), messages.length);
      await sleep(1);
    }
    await own.close();
  };
  const workers = [worker('one'), worker('two')];
  await sleep(20);
  for (let n = LEFT; n < JOBS; n++) {
    await client.xAdd(STREAM, '*', { n: String(n) });
    if (n % 20 === 0) await sleep(5);
  }
  added = true;
  await Promise.all(workers);
  assert.equal(done.size, JOBS - LEFT);
  for (const [n, names] of done) assert.equal(names.length, 1, `job ${n} was done by ${names}`);
  assert.deepEqual(new Set([...done.values()].flat()), new Set(['one', 'two']));

  // Only what the dead worker had is pending.
  const pending = await client.xPending(STREAM, GROUP);
  assert.equal(pending.pending, LEFT);
  assert.equal(pending.firstId, lost[0].id);
  assert.equal(pending.lastId, lost[LEFT - 1].id);
  assert.deepEqual(pending.consumers.map((one) => ({ ...one })), [{ name: 'dead', deliveriesCounter: LEFT }]);
  const details = await client.xPendingRange(STREAM, GROUP, '-', '+', 100, { consumer: 'dead' });
  assert(details.every((one) => one.consumer === 'dead' && one.deliveriesCounter === 1));
  assert(details.every((one) => one.millisecondsSinceLastDelivery >= 50));
  assert.equal((await client.xPendingRange(STREAM, GROUP, '-', '+', 100, { IDLE: 3600000 })).length, 0);

  // Two others claim it, page by page. No job is claimed twice, because a claim makes it young again.
  const claim = async (name) => {
    let cursor = '0-0';
    do {
      const page = await client.xAutoClaim(STREAM, GROUP, name, 50, cursor, { COUNT: 2 });
      cursor = page.nextId;
      note(name, page.messages);
      assert.deepEqual(page.deletedMessages, []);
      if (page.messages.length > 0) {
        const [{ id }] = page.messages;
        const [{ consumer, deliveriesCounter }] = await client.xPendingRange(STREAM, GROUP, id, id, 1);
        assert.deepEqual([consumer, deliveriesCounter], [name, 2]);
        await client.xAck(STREAM, GROUP, page.messages.map((one) => one.id));
      }
    } while (cursor !== '0-0');
  };
  await Promise.all([claim('one'), claim('two')]);
  assert.equal(done.size, JOBS);
  for (const [n, names] of done) assert.equal(names.length, 1, `job ${n} was done by ${names}`);
  assert.equal((await client.xPending(STREAM, GROUP)).pending, 0);

  const [group] = await client.xInfoGroups(STREAM);
  assert.deepEqual([group.name, group.consumers, group.pending, group['entries-read'], group.lag],
    [GROUP, 3, 0, JOBS, 0]);
  const names = (await client.xInfoConsumers(STREAM, GROUP)).map(({ name }) => name);
  assert.deepEqual(names, ['dead', 'one', 'two']);
  assert.equal(await client.xGroupDelConsumer(STREAM, GROUP, 'dead'), 0);
  assert.equal(await client.xTrim(STREAM, 'MAXLEN', 10), JOBS - 10);
  assert.equal(await client.xLen(STREAM), 10);
  assert.equal(await client.xGroupDestroy(STREAM, GROUP), 1);
  await client.close();
  console.log('node-redis: streams with a group');
})().catch((error) => { console.error(error); process.exit(1); });
