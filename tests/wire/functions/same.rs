//! Libraries and functions whose answers are the same as those of redis-server, word for word.

/// Whole libraries.
pub const LIBRARIES: &[&str] = &[
    "return 1",
    "#!lua name=x",
    "#!lua\n",
    "#!lua \n",
    "#!foo name=x\n",
    "#!LUA name=x\nredis.register_function(\"f\", function() return 1 end)",
    "#! lua name=x\nredis.register_function(\"f\", function() return 1 end)",
    "#!lua name=\n",
    "#!lua name=a-b\n",
    "#!lua name=a name=b\n",
    "#!lua NAME=Q\nredis.register_function(\"f\", function() return 1 end)",
    "#!lua foo=1\n",
    "#!lua name=\"a b\"\n",
    "#!lua name=\"ab\n",
    "#!\n",
    "#!lua name=\"ab\"\nredis.register_function(\"f\", function() return 1 end)",
    "#!\"lua\" name=ab\nredis.register_function(\"f\", function() return 1 end)",
    "#!lua name=lib1 flags=no-writes\n",
    "#!lua name=x\nerror(",
    "#!lua name=x\nredis.register_function(\"f\", function() return 1 end)",
    "#!lua name=x\r\nredis.register_function(\"f\", function() return 1 end)",
    " #!lua name=x\n",
    "#!lua name=y\nredis.register_function(\"f\", function() return 1 end)",
];

/// Texts of a library behind its first line.
pub const TEXTS: &[&str] = &[
    "",
    "return 1",
    "redis.call(\"get\",\"x\")",
    "redis.pcall(\"get\",\"x\")",
    "local x=string.format(\"a\")",
    "x=1",
    "local a=nope",
    "redis.setresp(3)",
    "redis.log(redis.LOG_WARNING,\"hi\")",
    "redis.log()",
    "redis.foo()",
    "redis.register_function()",
    "redis.register_function(1)",
    "redis.register_function(1,2)",
    "redis.register_function(\"a\",2)",
    "redis.register_function(1,function() end)",
    "redis.register_function(\"a-b\",function() end)",
    "redis.register_function(\"\",function() end)",
    "redis.register_function(\"a\",function() end) redis.register_function(\"a\",function() end)",
    "redis.register_function(\"a\",function() end) redis.register_function(\"A\",function() end)",
    "redis.register_function(\"a\",function() end,3)",
    "redis.register_function{}",
    "redis.register_function{function_name=\"a\"}",
    "redis.register_function{callback=function() end}",
    "redis.register_function{function_name=1,callback=function() end}",
    "redis.register_function{function_name={},callback=function() end}",
    "redis.register_function{function_name=\"a\",callback=1}",
    "redis.register_function{function_name=\"a\",callback=function() end,flags=1}",
    "redis.register_function{function_name=\"a\",callback=function() end,flags={\"x\"}}",
    "redis.register_function{function_name=\"a\",callback=function() end,flags={1}}",
    "redis.register_function{function_name=\"a\",callback=function() end,flags={{}}}",
    "redis.register_function{function_name=\"a\",callback=function() end,flags={\"NO-writes\",\"allow-oom\"},description=5}",
    "redis.register_function{function_name=\"a\",callback=function() end,description={}}",
    "redis.register_function{function_name=\"a\",callback=function() end,foo=5}",
    "redis.register_function{function_name=\"a\",callback=function() end,[1]=5}",
    "redis.register_function{function_name=\"a\",callback=function() end,[{}]=5}",
    "redis.register_function{FUNCTION_NAME=\"a\",CALLBACK=function() end}",
    "error(\"boom\")",
    "error({err=\"boom\"})",
    "error({})",
    "error()",
    "error(5)",
    "local r=redis.register_function(\"a\",function() end) return r",
    "local t={} for k in pairs(redis) do t[#t+1]=k end table.sort(t) error(table.concat(t,\" \"))",
    "local t=\"\" for k in pairs(_G) do t=t..k..\" \" end error(t)",
    "print(1)",
    "assert(false,\"m\")",
    "return pcall(function() end)",
    "redis.x=1",
    "_G.x=1",
    "local x = redis.LOG_DEBUG .. \" \" .. redis.LOG_WARNING",
    "local x=redis.REPL_ALL",
    "local x=redis.REDIS_VERSION",
    "local x=redis.sha1hex(\"\")",
    "redis.error_reply(\"x\")",
    "cjson.encode({})",
    "local x = KEYS",
    "local x=tostring(1)",
    "local x=type(1)",
    "local x=math.random()",
    "setmetatable({}, {})",
    "local x = bit.tobit(1)",
    "local x=_VERSION",
    "loadstring(\"x\")",
    "while true do end",
    "redis.register_function(\"a\",function() end) error(\"late\")",
    "redis.register_function(123,function() end)",
    "redis.register_function(\"a b\\0c\",function() end)",
    "for i=1,3 do redis.register_function(\"a\"..i,function() end) end",
    "\n\nfoo()",
    "local function f() error(\"x\") end f()",
    "redis.register_function(\"\\255\",function() end)",
    "redis.register_function(redis,function() end)",
    "redis.register_function(function() end,\"a\")",
    "redis.register_function(\"a\",{})",
    "error({err=\"a b c\",x=1})",
    "return #nil",
    "redis.replicate_commands()",
    "redis.acl_check_cmd(\"get\")",
    "redis.set_repl(1)",
    "redis.breakpoint()",
    "redis.debug()",
    "redis.status_reply(\"x\")",
    "local x = require",
    "local x=unpack",
    "local a = pairs({})",
    "next({})",
    "local x=redis.REDIS_VERSION_NUM",
    "string.x = 1",
    "local t=setmetatable({},{__index=function() return 1 end}) redis.register_function{function_name=\"a\",callback=function() end, flags=t}",
];

/// The text of a library with many functions.
pub const LIBRARY: &str = r#"local n=0
local saved=redis
local t={}
redis.register_function('cnt', function(k,a) n=n+1 return n end)
redis.register_function('args', function(k,a,x) return {k,a,tostring(x),#k,#a} end)
redis.register_function('keysglobal', function(k,a) return KEYS[1] end)
redis.register_function('argvglobal', function(k,a) return ARGV end)
redis.register_function('setg', function(k,a) x=1 end)
redis.register_function('set_G', function(k,a) _G.x=1 end)
redis.register_function('callbad', function(k,a) return redis.call('nosuch') end)
redis.register_function('err', function(k,a)
 error('boom') end)
redis.register_function('errt', function(k,a) error({err='X y'}) end)
redis.register_function('ret', function(k,a) return {err='My err'} end)
redis.register_function('ret2', function(k,a) return redis.error_reply('My err') end)
redis.register_function('perr', function(k,a) return {pcall(function() error('z') end)} end)
redis.register_function('reg', function(k,a) redis.register_function('q',function() end) end)
redis.register_function('reg2', function(k,a) saved.register_function('q',function() end) end)
redis.register_function('savedcall', function(k,a) return saved.call('ping') end)
redis.register_function('w', function(k,a) return redis.call('set',k[1],a[1]) end)
redis.register_function{function_name='ro', callback=function(k,a) return redis.call('set',k[1],a[1]) end, flags={'no-writes'}}
redis.register_function{function_name='rog', callback=function(k,a) return redis.call('get',k[1]) end, flags={'no-writes'}}
redis.register_function('fc', function(k,a) return redis.call('fcall','cnt',0) end)
redis.register_function('fl', function(k,a) return redis.call('function','list') end)
redis.register_function('fs', function(k,a) return redis.call('function','stats') end)
redis.register_function('fh', function(k,a) return redis.call('function','help') end)
redis.register_function('glob', function(k,a) local t={} for x in pairs(_G) do t[#t+1]=x end table.sort(t) return table.concat(t,' ') end)
redis.register_function('rd', function(k,a) local t={} for x in pairs(redis) do t[#t+1]=x end table.sort(t) return table.concat(t,' ') end)
redis.register_function('lvl', function(k,a) error('m',2) end)
redis.register_function('lvl0', function(k,a) error('m',0) end)
redis.register_function('nested', function(k,a) local function g() error('in') end g() end)
redis.register_function('kmod', function(k,a) k[1]='zz' return k end)
redis.register_function('conc', function(k,a) return 'a'..nil end)
redis.register_function('incr', function(k,a) return redis.call('incr','str') end)
redis.register_function('pincr', function(k,a) return redis.pcall('incr','str') end)
redis.register_function('ev', function(k,a) return redis.call('eval','return 1',0) end)
redis.register_function('none', function(k,a) end)
redis.register_function('setresp', function(k,a) redis.setresp(3) return redis.call('hgetall','nokey') end)
redis.register_function('dbl', function(k,a) return {double=1.5} end)
redis.register_function('envx', function(k,a) return getfenv==nil end)
redis.register_function('metag', function(k,a) return tostring(getmetatable(_G)) end)
redis.register_function('ver', function(k,a) return redis.REDIS_VERSION end)
redis.register_function('rb', function(k,a) return redis.breakpoint end)
redis.register_function('rrc', function(k,a) return redis.replicate_commands() end)
redis.register_function('rsr', function(k,a) return redis.set_repl(redis.REPL_ALL) end)
redis.register_function('rdbg', function(k,a) return redis.debug('x') end)
redis.register_function('rnd', function(k,a) return tostring(math.random()) end)
redis.register_function('strm', function(k,a) string.x=1 end)
redis.register_function('print', function(k,a) print(1) end)
"#;

/// Calls of these functions, one after the other.
pub const CALLS: &[&str] = &[
    "cnt 0",
    "CNT 0",
    "Cnt 0",
    "args 1 a b c",
    "args 0",
    "args 2 x",
    "args -1",
    "args x",
    "args 1.5",
    "nosuch x",
    "nosuch 0",
    "keysglobal 1 a",
    "argvglobal 0",
    "setg 0",
    "set_G 0",
    "callbad 0",
    "err 0",
    "errt 0",
    "ret 0",
    "ret2 0",
    "perr 0",
    "reg2 0",
    "savedcall 0",
    "w 1 k v",
    "ro 1 k v",
    "rog 1 k",
    "fc 0",
    "fl 0",
    "fs 0",
    "glob 0",
    "rd 0",
    "lvl 0",
    "lvl0 0",
    "nested 0",
    "kmod 1 a b",
    "incr 0",
    "pincr 0",
    "ev 0",
    "none 0",
    "setresp 0",
    "dbl 0",
    "envx 0",
    "rb 0",
    "rsr 0",
    "strm 0",
    "print 0",
];
