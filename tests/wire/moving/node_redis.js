// node-redis under load while its server stops: it walks over to the announced one, and no command fails.
//
// The first line that it prints says that the load has begun. It ends when its input ends, and prints how many commands have
// succeeded.
const { createClient } = require('redis');

async function main() {
    const socket = { host: '127.0.0.1', port: Number(process.argv[2]), reconnectStrategy: false };
    const client = createClient({ RESP: 3, socket, disableOfflineQueue: false });
    client.on('error', (error) => { throw error; });
    await client.connect();
    let stop = false, done = 0;
    const work = async (nth) => {
        while (!stop) {
            await client.set(`k${nth}`, done);
            await client.get(`k${nth}`);
            done += 2;
        }
    };
    const all = [1, 2, 3, 4, 5].map(work);
    await client.ping();
    console.log('ready');
    process.stdin.resume();
    process.stdin.on('end', () => { stop = true; });
    await Promise.all(all);
    console.log(done);
    client.destroy();
    process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
