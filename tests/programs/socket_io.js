// Socket.IO: two servers of one chat that hear of each other through Redis, with each of its adapters: publish and
// subscribe, shard channels, a stream. And a process without a server that speaks to the clients of both.
const assert = require('node:assert');
const { once } = require('node:events');
const { createClient } = require('redis');
const Ioredis = require('ioredis');
const { Server } = require('socket.io');
const { io } = require('socket.io-client');
const { createAdapter, createShardedAdapter } = require('@socket.io/redis-adapter');
const streams = require('@socket.io/redis-streams-adapter');
const { Emitter } = require('@socket.io/redis-emitter');

const port = Number(process.argv[2]);
const clients = [];
const nodeRedis = async () => {
  const client = await createClient({ socket: { port } }).connect();
  clients.push(() => client.destroy());
  return client;
};
const ioredis = () => {
  const client = new Ioredis({ port });
  clients.push(() => client.disconnect());
  return client;
};
const adapters = {
  'publish and subscribe': async () => createAdapter(await nodeRedis(), await nodeRedis()),
  'publish and subscribe with ioredis': async () => createAdapter(ioredis(), ioredis()),
  'shard channels': async () => createShardedAdapter(await nodeRedis(), await nodeRedis()),
  'a stream': async () => streams.createAdapter(await nodeRedis()),
};

async function chat(name) {
  const servers = [];
  const visitors = [];
  for (let n = 0; n < 2; n++) {
    const server = new Server(0, { adapter: await adapters[name](), transports: ['websocket'] });
    server.on('connection', (socket) => {
      socket.on('join', (room, done) => { socket.join(room); done(); });
      socket.on('say', (text) => socket.to('lobby').emit('said', text));
      socket.on('question', (answer) => answer(`of ${n}`));
    });
    servers.push(server);
    const visitor = io(`http://127.0.0.1:${server.httpServer.address().port}`, { transports: ['websocket'] });
    await once(visitor, 'connect');
    await visitor.timeout(5000).emitWithAck('join', 'lobby');
    visitors.push(visitor);
  }
  const [ann, bob] = visitors;
  // The servers know of each other as soon as both count two visitors.
  const deadline = Date.now() + 10000;
  for (const server of servers) {
    while ((await server.fetchSockets().catch(() => [])).length < 2) assert(Date.now() < deadline, 'alone');
  }

  // What one says, the visitor of the other server hears, and not the one who said it.
  ann.on('said', (text) => assert(!text.startsWith('ann'), text));
  for (let n = 0; n < 20; n++) {
    const heard = once(bob, 'said');
    ann.emit('say', `ann ${n}`);
    assert.deepEqual(await heard, [`ann ${n}`]);
  }
  const all = [once(ann, 'said'), once(bob, 'said')];
  servers[0].emit('said', 'to all', Buffer.from([0, 255]));
  for (const [text, bytes] of await Promise.all(all)) {
    assert.deepEqual([text, [...Buffer.from(bytes)]], ['to all', [0, 255]]);
  }

  // A server asks all visitors, sends one of the other server into a room, and sends it away.
  ann.on('ask', (answer) => answer('ann'));
  bob.on('ask', (answer) => answer('bob'));
  assert.deepEqual((await servers[0].timeout(5000).emitWithAck('ask')).sort(), ['ann', 'bob']);
  servers[0].in(bob.id).socketsJoin('back room');
  while ((await servers[0].in('back room').fetchSockets()).length < 1) {
    assert(Date.now() < deadline, 'bob did not join');
  }
  const whispered = once(bob, 'said');
  servers[0].to('back room').emit('said', 'a whisper');
  assert.deepEqual(await whispered, ['a whisper']);
  if (name.startsWith('publish')) {
    const news = [once(ann, 'said'), once(bob, 'said')];
    new Emitter(await nodeRedis()).to('lobby').emit('said', 'news');
    assert.deepEqual(await Promise.all(news), [['news'], ['news']]);
  }
  const gone = once(bob, 'disconnect');
  servers[0].in(bob.id).disconnectSockets();
  assert.equal((await gone)[0], 'io server disconnect');
  ann.disconnect();
  for (const server of servers) await server.close();
}

(async () => {
  for (const name of Object.keys(adapters)) {
    await chat(name);
    console.log(`socket.io: ${name}`);
  }
  for (const end of clients) end();
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
