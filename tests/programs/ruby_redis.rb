# redis-rb: a queue between threads, a leaderboard, scans, pipelines, transactions, messages, a stream with a group.
require 'redis'

PORT = Integer(ARGV[0])

def connection
  Redis.new(port: PORT, db: 11, timeout: 5)
end

def same(expected, found)
  raise "expected #{expected.inspect}, got #{found.inspect}" unless expected == found
end

redis = connection
other = connection
redis.flushdb

# Keys and strings, also binary ones.
same true, redis.set('k', "\x00\xFF".b, nx: true, ex: 100)
same false, redis.set('k', 'other', nx: true)
same ["\x00\xFF".b, 100], [redis.get('k').b, redis.ttl('k')]
same [5, 3.5], [redis.incrby('n', 5), redis.incrbyfloat('f', 3.5)]
redis.mapped_mset('a' => '1', 'b' => '2')
same({ 'a' => '1', 'none' => nil }, redis.mapped_mget('a', 'none'))
same %w[string none], [redis.type('k'), redis.type('none')]
same 'bc', [redis.append('text', 'abc'), redis.getrange('text', 1, 2)].last
same [0, 1, 1], [redis.setbit('bits', 7, 1), redis.getbit('bits', 7), redis.bitcount('bits')]
same ['1', nil], [redis.getdel('a'), redis.get('a')]
begin
  redis.lpush('k', 'x')
  raise 'a list was made of a string'
rescue Redis::CommandError => error
  raise unless error.message.start_with?('WRONGTYPE')
end

# A list as a queue between threads; each waits for its jobs on a connection of its own.
done = Queue.new
workers = Array.new(3) do
  Thread.new do
    own = connection
    while (pair = own.brpop('queue', timeout: 5)) && pair.last != 'stop'
      done << pair.last
    end
    own.close
  end
end
100.times { |n| redis.lpush('queue', n) }
3.times { redis.lpush('queue', 'stop') }
workers.each(&:join)
same (0...100).map(&:to_s), Array.new(done.size) { done.pop }.sort_by(&:to_i)
redis.rpush('jobs', %w[a b c])
same %w[a c], [redis.lmove('jobs', 'taken', 'LEFT', 'RIGHT'), redis.rpop('jobs')]
same 'b', redis.blmove('jobs', 'taken', 'LEFT', 'RIGHT')
same %w[a b], redis.lrange('taken', 0, -1)

# A sorted set as a leaderboard.
same 3, redis.zadd('leaders', [[30, 'ann'], [10, 'bob'], [20.5, 'carl']])
same 35.0, redis.zincrby('leaders', 25, 'bob')
same [['bob', 35.0], ['ann', 30.0]], redis.zrevrange('leaders', 0, 1, with_scores: true)
same [0, 2], [redis.zrevrank('leaders', 'bob'), redis.zcount('leaders', 25, '+inf')]
same [['carl', 20.5]], redis.zrangebyscore('leaders', '-inf', '(30', with_scores: true, limit: [0, 5])
same ['carl', 20.5], redis.zpopmin('leaders')
same ['leaders', 'ann', 30.0], redis.bzpopmin('leaders', timeout: 1)

# Sets and hashes.
redis.sadd('left', %w[a b c])
redis.sadd('right', %w[b c d])
same [%w[b c], %w[a]], [redis.sinter('left', 'right').sort, redis.sdiff('left', 'right')]
same %w[a b c d], redis.sunion('left', 'right').sort
same true, redis.sismember('left', 'a')
redis.mapped_hmset('hash', 'f' => 'v', 'n' => '1')
same({ 'f' => 'v', 'n' => '8' }, [redis.hincrby('hash', 'n', 7), redis.hgetall('hash')].last)
same ['v', nil], redis.hmget('hash', 'f', 'none')

# Iterators over large values.
redis.pipelined do |pipeline|
  1000.times do |n|
    pipeline.hset('large hash', "field #{n}", n)
    pipeline.zadd('large zset', n, "member #{n}")
    pipeline.sadd('large set', ["member #{n}"])
  end
end
same (0...1000).to_h { |n| ["field #{n}", n.to_s] }, redis.hscan_each('large hash', count: 50).to_h
same 100, redis.zscan_each('large zset', match: '*9', count: 50).uniq.size
same 1000, redis.sscan_each('large set', count: 50).uniq.size
same ['large hash', 'large set', 'large zset'], redis.scan_each(match: 'large *', count: 3).uniq.sort

# Pipelines, transactions, and one that comes too late.
same (1..1000).to_a, redis.pipelined { |pipeline| 1000.times { |n| pipeline.rpush('piped', n) } }
same ['OK', '1', 2], redis.multi { |multi| multi.set('t', '1'); multi.get('t'); multi.incr('t') }
lost = redis.watch('t') do
  other.set('t', 'changed')
  redis.multi { |multi| multi.set('t', 'lost') }
end
same [nil, 'changed'], [lost, redis.get('t')]

# Messages, by name and by pattern.
heard = Queue.new
listener = Thread.new do
  own = connection
  own.psubscribe('news:*') do |on|
    on.psubscribe { heard << :ready }
    on.pmessage do |_, channel, text|
      heard << [channel, text]
      other.publish('answers', text)
      own.punsubscribe if text == 'stop'
    end
  end
end
same :ready, heard.pop
answers = []
redis.subscribe_with_timeout(5, 'answers') do |on|
  on.subscribe { %w[first second stop].each { |text| other.publish("news:#{text}", text) } }
  on.message do |_, text|
    answers << text
    redis.unsubscribe if text == 'stop'
  end
end
listener.join
same %w[first second stop], answers
same [%w[news:first first], %w[news:second second], %w[news:stop stop]], Array.new(3) { heard.pop }

# A stream with a group. What a dead worker left is claimed.
same 'OK', redis.xgroup(:create, 'stream', 'group', '$', mkstream: true)
ids = Array.new(5) { |n| redis.xadd('stream', { 'n' => n }) }
read = redis.xreadgroup('group', 'dead', 'stream', '>', count: 3)
same ids.first(3), read['stream'].map(&:first)
same({ 'size' => 3, 'min_entry_id' => ids[0], 'max_entry_id' => ids[2], 'consumers' => { 'dead' => '3' } },
     redis.xpending('stream', 'group'))
same 1, redis.xack('stream', 'group', ids[0])
claimed = redis.xautoclaim('stream', 'group', 'alive', 0, '0-0', count: 10)
same [[ids[1], { 'n' => '1' }], [ids[2], { 'n' => '2' }]], claimed['entries']
rest = redis.xreadgroup('group', 'alive', 'stream', '>', count: 10, block: 100)
same %w[3 4], rest['stream'].map { |_, fields| fields['n'] }
same 4, redis.xack('stream', 'group', *ids.last(4))
same [0, 5], [redis.xpending('stream', 'group')['size'], redis.xlen('stream')]
waiting = Thread.new { connection.xread('stream', '$', block: 5000) }
sleep 0.05
late = redis.xadd('stream', { 'late' => 'yes' })
same({ 'stream' => [[late, { 'late' => 'yes' }]] }, waiting.value)

# Places, HyperLogLogs, and copies of values from DUMP to RESTORE.
redis.geoadd('places', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania')
same '166.2742', redis.geodist('places', 'Palermo', 'Catania', 'km')
same [true, 3], [redis.pfadd('seen', %w[a b c a]), redis.pfcount('seen')]
same 'OK', redis.restore('copy', 0, redis.dump('hash'))
same redis.hgetall('hash'), redis.hgetall('copy')
same %w[3 2 1], [redis.rpush('numbers', [2, 3, 1]), redis.sort('numbers', order: 'DESC')].last
puts "redis-rb #{Redis::VERSION}"
