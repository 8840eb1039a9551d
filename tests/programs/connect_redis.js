// connect-redis: sessions of an Express application.
const assert = require('node:assert');
const express = require('express');
const session = require('express-session');
const { createClient } = require('redis');
const { RedisStore } = require('connect-redis');

(async () => {
  const client = await createClient({ socket: { port: Number(process.argv[2]) }, database: 10 }).connect();
  await client.flushDb();
  const app = express();
  const store = new RedisStore({ client, prefix: 'app:', ttl: 60 });
  app.use(session({ store, secret: 'no secret', resave: false, saveUninitialized: false }));
  app.get('/visit', (request, reply) => {
    request.session.visits = (request.session.visits || 0) + 1;
    reply.send(String(request.session.visits));
  });
  app.get('/leave', (request, reply) => request.session.destroy(() => reply.send('bye')));
  const server = await new Promise((resolve) => { const s = app.listen(0, '127.0.0.1', () => resolve(s)); });
  const url = `http://127.0.0.1:${server.address().port}`;
  const first = await fetch(`${url}/visit`);
  const headers = { cookie: first.headers.get('set-cookie').split(';')[0] };
  assert.equal(await first.text(), '1');
  assert.equal(await (await fetch(`${url}/visit`, { headers })).text(), '2');
  const [id] = await store.ids();
  assert((await client.ttl(`app:${id}`)) > 0);
  assert.equal(await store.length(), 1);
  assert.equal(await (await fetch(`${url}/leave`, { headers })).text(), 'bye');
  assert.equal(await (await fetch(`${url}/visit`, { headers })).text(), '1');
  await store.clear();
  assert.equal(await store.length(), 0);
  server.close();
  server.closeAllConnections();
  await client.close();
  console.log('connect-redis');
})().catch((error) => { console.error(error); process.exit(1); });
