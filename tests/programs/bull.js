// Bull: a thousand jobs, each done exactly once, with retries, delays and priorities.
const assert = require('node:assert');
const Bull = require('bull');

const JOBS = 1000;
(async () => {
  const queue = new Bull('jobs', { redis: { host: '127.0.0.1', port: Number(process.argv[2]), db: 11 } });
  const done = new Map();
  const tries = new Map();
  const options = (n) => ({ delay: n % 3 === 0 ? n % 300 : 0, priority: n % 3 === 1 ? n : undefined, attempts: 3 });
  await queue.addBulk(Array.from({ length: JOBS }, (_, n) => ({ data: { n }, opts: options(n) })));
  const all = new Promise((resolve) => queue.on('completed', (job) => {
    done.set(job.data.n, (done.get(job.data.n) || 0) + 1);
    if (done.size === JOBS) resolve();
  }));
  queue.process(20, async (job) => {
    tries.set(job.data.n, (tries.get(job.data.n) || 0) + 1);
    if (job.data.n % 10 === 0 && tries.get(job.data.n) < 3) throw new Error('as asked');
  });
  await all;
  assert([...done.values()].every((times) => times === 1));
  assert.equal([...tries.values()].reduce((sum, count) => sum + count), JOBS + 2 * JOBS / 10);
  assert.equal(await queue.getCompletedCount(), JOBS);
  await queue.close();
  console.log('bull');
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
