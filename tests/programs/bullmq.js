// BullMQ: a thousand jobs of each kind, and each of them is counted exactly once.
const assert = require('node:assert');
const { Queue, Worker, FlowProducer, QueueEvents } = require('bullmq');

const JOBS = 1000;
const connection = { host: '127.0.0.1', port: Number(process.argv[2]), db: 10, maxRetriesPerRequest: null };
const open = [];
const keep = (one) => { open.push(one); one.on('error', (error) => { throw error; }); return one; };

// Works on all jobs of a queue until `count` are done, and says how often each was done and in which order.
function work(name, count, options = {}, task = async () => {}) {
  const done = new Map();
  const order = [];
  return new Promise((resolve) => {
    const worker = keep(new Worker(name, task, { connection, concurrency: 20, ...options }));
    worker.on('completed', (job) => {
      done.set(job.name, (done.get(job.name) || 0) + 1);
      order.push(job.name);
      if (order.length === count) worker.close().then(() => resolve({ done, order }));
    });
  });
}
const once = ({ done }, count) => {
  assert.equal(done.size, count);
  for (const [name, times] of done) assert.equal(times, 1, name);
};
const jobs = (opts) => Array.from({ length: JOBS }, (_, n) => ({ name: `job${n}`, data: { n }, opts: opts(n) }));

(async () => {
  const queue = (name) => keep(new Queue(name, { connection }));

  const plain = queue('plain');
  const events = keep(new QueueEvents('plain', { connection }));
  await events.waitUntilReady();
  let heard = 0;
  const allHeard = new Promise((resolve) => events.on('completed', () => { if (++heard === JOBS) resolve(); }));
  await plain.addBulk(jobs(() => ({})));
  once(await work('plain', JOBS), JOBS);
  await allHeard;
  assert.deepEqual((await plain.getJobCounts('completed', 'waiting', 'active')), { completed: JOBS, waiting: 0, active: 0 });

  await queue('delayed').addBulk(jobs((n) => ({ delay: n % 500 })));
  once(await work('delayed', JOBS), JOBS);

  await queue('ranked').addBulk(jobs((n) => ({ priority: JOBS - n })));
  const ranked = await work('ranked', JOBS, { concurrency: 1 });
  once(ranked, JOBS);
  assert.deepEqual(ranked.order, jobs(() => ({})).map((job) => job.name).reverse());

  const flows = keep(new FlowProducer({ connection }));
  for (let n = 0; n < 100; n++) {
    const children = Array.from({ length: 9 }, (_, m) => ({ name: `child${n}.${m}`, queueName: 'flow', data: { m } }));
    await flows.add({ name: `parent${n}`, queueName: 'flow', children });
  }
  const sums = [];
  const flow = await work('flow', JOBS, {}, async (job) => {
    if (job.name.startsWith('child')) return job.data.m;
    const values = Object.values(await job.getChildrenValues());
    sums.push(values.reduce((sum, value) => sum + value, 0));
  });
  once(flow, JOBS);
  assert.deepEqual(sums, Array(100).fill(36));

  await queue('limited').addBulk(jobs(() => ({})).slice(0, 50));
  const began = Date.now();
  once(await work('limited', 50, { limiter: { max: 10, duration: 200 } }), 50);
  assert(Date.now() - began >= 700, 'ten jobs in each fifth of a second');

  await queue('retried').addBulk(jobs(() => ({ attempts: 3, backoff: 10 })));
  const tries = new Map();
  once(await work('retried', JOBS, {}, async (job) => {
    tries.set(job.name, (tries.get(job.name) || 0) + 1);
    if (tries.get(job.name) < 3 && job.data.n % 10 === 0) throw new Error('as asked');
  }), JOBS);
  assert.equal([...tries.values()].reduce((sum, count) => sum + count), JOBS + 2 * JOBS / 10);

  // A worker takes jobs and never ends them: they stall, and another worker finishes them.
  await queue('stalled').addBulk(jobs(() => ({})).slice(0, 100));
  const lazy = keep(new Worker('stalled', () => new Promise(() => {}), { connection, concurrency: 100, lockDuration: 500, lockRenewTime: 1e6, skipStalledCheck: true }));
  await new Promise((resolve) => { let taken = 0; lazy.on('active', () => { if (++taken === 100) resolve(); }); });
  await lazy.close(true);
  once(await work('stalled', 100, { stalledInterval: 300, maxStalledCount: 5, lockDuration: 5000 }), 100);

  const repeated = queue('repeated');
  await repeated.upsertJobScheduler('tick', { every: 100 }, { name: 'tick' });
  const ticks = await work('repeated', 3);
  assert.equal(ticks.order.length, 3);
  await repeated.removeJobScheduler('tick');

  console.log('bullmq');
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
