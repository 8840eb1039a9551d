<?php
// phpredis: PHP's sessions, a queue, a leaderboard, scans, pipelines, transactions, messages, a stream, and values that
// PHP has serialized.
error_reporting(E_ALL);
set_error_handler(function ($level, $message, $file, $line) {
    throw new ErrorException($message, 0, $level, $file, $line);
});
$port = (int) $argv[1];

function connection(): Redis
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', $GLOBALS['port'], 5);
    $redis->select(10);
    return $redis;
}

function same($expected, $found)
{
    if ($expected !== $found) {
        throw new Exception('expected ' . var_export($expected, true) . ', got ' . var_export($found, true));
    }
}

$redis = connection();
$redis->flushDB();

// Sessions: three visits, a new name of the session, an end.
ini_set('session.save_handler', 'redis');
ini_set('session.save_path', "tcp://127.0.0.1:$port?database=10&prefix=session:");
ini_set('session.use_cookies', '0');
ini_set('session.cache_limiter', '');
ini_set('session.gc_maxlifetime', '100');
session_id('firstvisitor');
foreach ([1, 2, 3] as $visit) {
    session_start();
    $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
    same($visit, $_SESSION['visits']);
    session_write_close();
}
same(true, $redis->ttl('session:firstvisitor') > 90);
session_start();
session_regenerate_id(true);
$renamed = session_id();
session_write_close();
same([0, 1], [$redis->exists('session:firstvisitor'), $redis->exists("session:$renamed")]);
session_start();
same(3, $_SESSION['visits']);
session_destroy();
same(0, $redis->exists("session:$renamed"));

// Keys and strings, also binary ones.
same(true, $redis->set('k', "\0\xff", ['nx', 'ex' => 100]));
same(false, $redis->set('k', 'other', ['nx']));
same(["\0\xff", 100], [$redis->get('k'), $redis->ttl('k')]);
same([5, 3.5], [$redis->incrBy('n', 5), $redis->incrByFloat('f', 3.5)]);
same(true, $redis->mSet(['a' => '1', 'b' => '2']));
same(['1', '2', false], $redis->mGet(['a', 'b', 'none']));
same([2, 3, 'bc'], [$redis->append('text', 'ab'), $redis->append('text', 'c'), $redis->getRange('text', 1, 2)]);
same([Redis::REDIS_STRING, Redis::REDIS_NOT_FOUND], [$redis->type('k'), $redis->type('none')]);
same([0, 1, 1], [$redis->setBit('bits', 7, true), $redis->getBit('bits', 7), $redis->bitCount('bits')]);

// A list as a queue: what a worker takes stays in a list of its own until it is done.
foreach (['one', 'two', 'three'] as $job) {
    $redis->lPush('queue', $job);
}
same('one', $redis->rPopLPush('queue', 'taken'));
same('two', $redis->brpoplpush('queue', 'taken', 1));
same(['two', 'one'], $redis->lRange('taken', 0, -1));
same(1, $redis->lRem('taken', 'one', 1));
same(['queue', 'three'], $redis->brPop(['empty', 'queue'], 1));
same([], $redis->blPop(['empty'], 1));

// A sorted set as a leaderboard.
same(3, $redis->zAdd('leaders', 30, 'ann', 10, 'bob', 20.5, 'carl'));
same(35.0, $redis->zIncrBy('leaders', 25, 'bob'));
same(['bob' => 35.0, 'ann' => 30.0], $redis->zRevRange('leaders', 0, 1, true));
same([0, 2], [$redis->zRevRank('leaders', 'bob'), $redis->zCount('leaders', '25', '+inf')]);
same(['carl' => 20.5], $redis->zRangeByScore('leaders', '-inf', '(30', ['withscores' => true, 'limit' => [0, 5]]));
same(['carl' => 20.5], $redis->zPopMin('leaders'));

// Sets.
$redis->sAdd('left', 'a', 'b', 'c');
$redis->sAdd('right', 'b', 'c', 'd');
$both = $redis->sInter('left', 'right');
sort($both);
same(['b', 'c'], $both);
same([4, true], [$redis->sUnionStore('all', 'left', 'right'), $redis->sIsMember('all', 'd')]);

// Iterators over large values.
$redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
$fields = $members = [];
for ($n = 0; $n < 1000; $n++) {
    $fields["field $n"] = (string) $n;
    $redis->zAdd('large zset', $n, "member $n");
    $redis->sAdd('large set', "member $n");
}
$redis->hMSet('large hash', $fields);
$found = [];
for ($cursor = null; $page = $redis->hScan('large hash', $cursor, 'field *', 50);) {
    $found += $page;
}
ksort($found);
ksort($fields);
same($fields, $found);
$found = [];
for ($cursor = null; $page = $redis->zScan('large zset', $cursor, '*9', 50);) {
    $found += $page;
}
same([100, 999.0], [count($found), (float) $found['member 999']]);
$found = [];
for ($cursor = null; $page = $redis->sScan('large set', $cursor, null, 50);) {
    $found = array_merge($found, $page);
}
same(1000, count(array_unique($found)));
$found = [];
for ($cursor = null; $page = $redis->scan($cursor, 'large *', 3);) {
    $found = array_merge($found, $page);
}
sort($found);
same(['large hash', 'large set', 'large zset'], array_values(array_unique($found)));

// Hashes.
same([1, 0], [$redis->hSet('hash', 'f', 'v'), $redis->hSet('hash', 'f', 'w')]);
same(['f' => 'w', 'none' => false], $redis->hMGet('hash', ['f', 'none']));
same([7, true], [$redis->hIncrBy('hash', 'n', 7), $redis->hExists('hash', 'n')]);
same(['f' => 'w', 'n' => '7'], $redis->hGetAll('hash'));

// Pipelines and transactions.
$pipeline = $redis->multi(Redis::PIPELINE);
for ($n = 0; $n < 1000; $n++) {
    $pipeline->rPush('piped', $n);
}
same(range(1, 1000), $pipeline->exec());
same([true, '1', 2], $redis->multi()->set('t', '1')->get('t')->incr('t')->exec());
$other = connection();
$redis->watch('t');
$other->set('t', 'changed');
same(false, $redis->multi()->set('t', 'lost')->exec());
same('changed', $redis->get('t'));

// Messages, from another process.
$child = pcntl_fork();
if ($child === 0) {
    $sender = connection();
    for ($n = 0; $n < 5000 && $sender->pubsub('numsub', ['news'])['news'] < 1; $n++) {
        usleep(1000);
    }
    foreach (['first', 'second', 'stop'] as $text) {
        $sender->publish('news', $text);
    }
    // An ordinary exit would close the connections that the parent uses.
    posix_kill(getmypid(), SIGKILL);
}
$heard = [];
$listener = connection();
$listener->setOption(Redis::OPT_READ_TIMEOUT, 5);
try {
    $listener->subscribe(['news'], function ($redis, $channel, $text) use (&$heard) {
        $heard[] = [$channel, $text];
        if ($text === 'stop') {
            // This version of phpredis has no other way out of subscribe().
            $redis->close();
        }
    });
} catch (RedisException $error) {
    same('Connection closed', $error->getMessage());
}
pcntl_waitpid($child, $status);
same([['news', 'first'], ['news', 'second'], ['news', 'stop']], $heard);

// A stream with a group.
same(true, $redis->xGroup('CREATE', 'stream', 'group', '0', true));
$ids = array_map(fn ($n) => $redis->xAdd('stream', '*', ['n' => (string) $n]), range(1, 5));
$read = $redis->xReadGroup('group', 'dead', ['stream' => '>'], 3);
same(array_slice($ids, 0, 3), array_keys($read['stream']));
same([3, $ids[0], $ids[2], [['dead', '3']]], $redis->xPending('stream', 'group'));
same(1, $redis->xAck('stream', 'group', [$ids[0]]));
$claimed = $redis->xClaim('stream', 'group', 'alive', 0, [$ids[1], $ids[2]], []);
same([$ids[1] => ['n' => '2'], $ids[2] => ['n' => '3']], $claimed);
$rest = $redis->xReadGroup('group', 'alive', ['stream' => '>'], 10, 100);
same([$ids[3] => ['n' => '4'], $ids[4] => ['n' => '5']], $rest['stream']);
same(4, $redis->xAck('stream', 'group', array_slice($ids, 1)));
same(0, $redis->xPending('stream', 'group')[0]);

// Places, HyperLogLogs, and copies of values from DUMP to RESTORE.
$redis->geoAdd('places', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania');
same(166.2742, $redis->geoDist('places', 'Palermo', 'Catania', 'km'));
same(['Catania'], $redis->geoRadius('places', 15, 37, 100, 'km'));
same(true, (bool) $redis->pfAdd('seen', ['a', 'b', 'c', 'a']));
same(3, $redis->pfCount('seen'));
same(true, $redis->restore('copy', 0, $redis->dump('hash')));
same($redis->hGetAll('hash'), $redis->hGetAll('copy'));

// Values that PHP serializes, with a prefix before each key.
$redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
$redis->setOption(Redis::OPT_PREFIX, 'app:');
$value = ['list' => [1, 2.5, null], 'flag' => true];
same(true, $redis->setex('value', 100, $value));
same($value, $redis->get('value'));
same(1, $other->exists('app:value'));
same(1, $redis->unlink('value'));
echo 'phpredis ', phpversion('redis'), "\n";
