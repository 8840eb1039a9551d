//! Scripts that spend their budget, each in its own way, and scripts that try to get out. Those of the first kind are
//! stopped, and have done nothing. Those of the second kind end in an error, or in nothing.

use crate::harness::{Wire, request};
use crate::report::{Report, shown};
use crate::watched::{KEPT_MIB, Watched};

/// What the scripts spend, and how they do so.
const SPENDERS: &[(&str, &str)] = &[
    ("a loop", "while true do end"),
    ("a loop that catches a loop", "while true do pcall(function() while true do end end) end"),
    (
        "a handler of errors that loops",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
    ),
    (
        "coroutines that loop",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    ),
    (
        "wrapped coroutines that loop",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    ),
    ("recursion that catches its end", "local function f() return pcall(f) end while true do f() end"),
    (
        "recursion through gsub",
        "local function f() return (string.gsub('x', 'x', f)) end while true do pcall(f) end",
    ),
    (
        "recursion through __tostring",
        "local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) while true do pcall(tostring, t) end",
    ),
    (
        "a pattern of many ways",
        "return string.find(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40))",
    ),
    ("a pattern that tries each start", "return string.find(string.rep('a', 100000), '.-.-.-.-b')"),
    ("gsub without end", "while true do string.gsub(string.rep('a', 100000), '.', 'b') end"),
    ("a string that doubles", "local s = string.rep('x', 1000000) while true do s = s .. s end"),
    (
        "ten million elements, joined",
        "local t = {} for i = 1, 1e7 do t[i] = 'xxxxxxxxxxxx' end return table.concat(t)",
    ),
    (
        "a gigabyte, joined",
        "local t = {} for i = 1, 1000 do t[i] = string.rep('x', 1000000) end return #table.concat(t)",
    ),
    (
        "a sort with a comparison that is always true",
        "local t = {} for i = 1, 300000 do t[i] = i end table.sort(t, function(a, b) return true end) while true do end",
    ),
    ("tables without end", "local t = {} while true do t[#t + 1] = {} end"),
    (
        "tables without end, caught",
        "while true do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end",
    ),
    ("reads without end", "while true do redis.call('GET', 'k') end"),
    ("unknown commands without end", "while true do redis.pcall('NOSUCH') end"),
    ("whole lists, kept", "local t = {} while true do t[#t + 1] = redis.call('LRANGE', 'l', 0, -1) end"),
    ("3,000 arguments at a time", "while true do select('#', unpack({}, 1, 3000)) end"),
    ("scripts in a script", "while true do loadstring('return 1') end"),
    ("JSON to and fro", "while true do cjson.decode(cjson.encode({{{}}})) end"),
    (
        "JSON of a million elements",
        "local t = {} for i = 1, 1000000 do t[i] = 0 end while true do cjson.encode(t) end",
    ),
    (
        "MessagePack of a million elements",
        "local t = {} for i = 1, 1000000 do t[i] = 0 end while true do cmsgpack.pack(t) end",
    ),
    ("garbage collections", "while true do collectgarbage() end"),
    (
        "a plain search for half of the text",
        "local s = string.rep('a', 2e6) while true do string.find(s, string.rep('a', 1e6) .. 'b', 1, true) end",
    ),
    (
        "a plain search that begins at a text",
        "local s = string.rep('a', 2e6) while true do string.find(s, string.rep('a', 1e6) .. 'b', '1', true) end",
    ),
    (
        "a sort of long strings",
        "local s = string.rep('x', 4e6) local a, b, t = s .. 'a', s .. 'b', {} for i = 1, 4096 do t[i] = i % 2 == 0 and a or b end \
         while true do table.sort(t) end",
    ),
    (
        "long texts that are numbers, one after the other",
        "local s, t = string.rep('0', 4e6) .. '2', {} for i = 1, 10000 do t[200000 + i] = s end while true do table.foreach(t, tonumber) end",
    ),
    (
        "a search for a bracket that never closes",
        "local s = string.rep('(', 3e6) while true do string.find(s, '%b()') end",
    ),
    (
        "a comparison of long strings",
        "local a = string.rep('x', 4e6) .. 'a' local b = string.rep('x', 4e6) .. 'b' while true do if a > b then end end",
    ),
    ("a long number", "local s = string.rep('1', 2e6) while true do local n = s + 1 end"),
    ("hashes of long texts", "local s = string.rep('x', 2e6) while true do redis.sha1hex(s) end"),
    (
        "long scripts in a script",
        "local s = 'return ' .. string.rep('1,', 3e4) .. '1' while true do loadstring(s) end",
    ),
    ("an answer that contains itself", "local t = {} t[1] = t t[2] = t return t"),
    ("a million coroutines", "local t = {} for i = 1, 1e6 do t[i] = coroutine.create(function() end) end"),
    (
        "a handler that returns the error of memory",
        "return {xpcall(function() local t = {} while true do t[#t + 1] = {} end end, function(e) return e end)}",
    ),
    (
        "a list without end",
        "local i = 0 while true do i = i + 1 redis.call('RPUSH', 'big', string.rep('y', 1000)) end",
    ),
    (
        "recursion without end, caught",
        "while true do pcall(function() local function f() return 1 + f() end return f() end) end",
    ),
    ("string.rep beyond the memory", "return #string.rep('x', 1e9)"),
    (
        "string.rep of a long text, kept",
        "local t = {} while true do t[#t + 1] = string.rep('xy', 1e5 + #t) end",
    ),
    (
        "a comparison that never returns",
        "local t = {3, 2, 1} table.sort(t, function(a, b) while true do end end)",
    ),
    (
        "a comparison that contradicts itself, on a long table",
        "local t = {} for i = 1, 20000 do t[i] = i end while true do pcall(table.sort, t, function(a, b) return math.random(2) == 1 end) end",
    ),
    (
        "JSON nested to its limit, to and fro",
        "local s = string.rep('[', 999) .. string.rep(']', 999) while true do cjson.encode(cjson.decode(s)) end",
    ),
    ("enormous JSON", "local s = '[' .. string.rep('1,', 2e6) .. '1]' while true do cjson.decode(s) end"),
    (
        "JSON nested too deep, caught",
        "local s = string.rep('[', 1e6) while true do pcall(cjson.decode, s) end",
    ),
    (
        "MessagePack that announces four billion elements",
        "while true do pcall(cmsgpack.unpack, '\\221\\255\\255\\255\\255') end",
    ),
    (
        "struct with an enormous format",
        "local f = string.rep('b', 1e6) while true do pcall(struct.size, f) end",
    ),
    ("gsub that multiplies", "local s = 'x' while true do s = string.gsub(s, 'x', 'xxxxxxxxxxxxxxxx') end"),
    (
        "a coroutine that resumes another one, and so on",
        "local function f() return coroutine.wrap(f)() end while true do pcall(f) end",
    ),
    (
        "many keys",
        "local i = 0 while true do i = i + 1 redis.call('SET', 'many:' .. i, string.rep('y', 500)) end",
    ),
    (
        "many databases",
        "local i = 0 while true do i = i + 1 redis.call('SELECT', i % 16) redis.call('SET', i, i) end",
    ),
    (
        "everything flushed, again and again",
        "while true do redis.call('FLUSHALL') redis.call('SET', 'x', 1) end",
    ),
    (
        "a key that doubles",
        "redis.call('SET', 'big', 'y') while true do redis.call('APPEND', 'big', redis.call('GET', 'big')) end",
    ),
    (
        "the bits of many long numbers at once",
        "local s, t = string.rep('1', 4e6), {} for i = 1, 250 do t[i] = s end while true do bit.band(unpack(t)) end",
    ),
    (
        "the greatest of many long numbers",
        "local s, t = string.rep('1', 4e6), {} for i = 1, 250 do t[i] = s end while true do math.max(unpack(t)) end",
    ),
    (
        "many long numbers in a format",
        "local s, t = string.rep('1', 4e6), {} for i = 1, 250 do t[i] = s end while true do string.format(string.rep('%.1f', 250), unpack(t)) end",
    ),
    (
        "many long numbers in a struct",
        "local s, t = string.rep('1', 4e6), {} for i = 1, 250 do t[i] = s end while true do struct.pack(string.rep('d', 250), unpack(t)) end",
    ),
    ("messages without end", "while true do redis.call('PUBLISH', 'c', string.rep('m', 100)) end"),
];

/// Operations that take long, one behind the other, without a call or a loop between them. The text of each stands in its script
/// so many times, behind the text before it.
const LINES: &[(&str, &str, &str)] = &[
    ("a line of additions to a long number", "local s, x = string.rep('1', 2e6)", "x=s+1"),
    ("a line of loops up to a long number", "local s = string.rep('0', 2e6)", "for i=1,s do end"),
    (
        "a line of comparisons of long strings",
        "local a, b, x = string.rep('x', 1e6) .. 'a', string.rep('x', 1e6) .. 'b'",
        "x=a<b",
    ),
    ("additions in a short loop", "local s, x = string.rep('1', 2e6) for i = 1, 5000 do x = s + 1 end", ""),
    (
        "additions behind a comment that a carriage return ends",
        "local s, x = string.rep('1', 2e6) --\r",
        "x=s+1",
    ),
    (
        "a table that is laid out anew, again and again",
        "local t = {} for i = 1, 16383 do t[-i] = 1 end t.a = 1",
        "t.a=nil t.b=1 t.b=nil t.a=1",
    ),
    ("a line of concatenations", "local s, x = string.rep('x', 3e5)", "x=s..'y'"),
    ("a line of strings with values in them", "local s, x = string.rep('x', 3e5)", "x=`{s}y`"),
    (
        "a line of tables of all arguments",
        "local t = {} for i = 1, 7000 do t[i] = i end (function(...) local x",
        "x={...}",
    ),
];
const LINE_REPEATS: usize = 4_000;

/// What the scripts reach for, and how they do so.
const LOCKED: &[(&str, &str)] = &[
    ("a process", "return os.execute('true')"),
    ("a file", "return io.open('/etc/passwd')"),
    ("a module", "return require('os')"),
    ("the registry of debug", "return debug.getregistry()"),
    ("getfenv", "return getfenv(1)"),
    ("setfenv", "return setfenv(1, {})"),
    ("newproxy", "return newproxy()"),
    ("dofile", "return dofile('/etc/passwd')"),
    ("loadfile", "return loadfile('/etc/passwd')"),
    ("bytecode written", "return string.dump(function() end)"),
    ("bytecode read", "return loadstring('\\27Lua')()"),
    ("a field of _G", "_G.leak = 1"),
    ("a global variable", "leak = 1"),
    ("a global variable by rawset", "rawset(_G, 'leak', 1)"),
    ("the metatable of _G", "setmetatable(_G, {})"),
    ("a field of the metatable of _G", "getmetatable(_G).__index = nil"),
    ("a field of a library", "string.leak = 1"),
    ("the same by rawset", "rawset(string, 'leak', 1)"),
    ("the metatable of strings", "getmetatable('').__index = {}"),
    ("a field of the metatable of strings", "getmetatable('').leak = 1"),
    ("redis.call taken away", "redis.call = nil"),
    ("a function of a library taken away", "cjson.encode = nil"),
    ("math.random taken away", "math.random = nil"),
    ("package", "return package.path"),
    ("a library of Luau", "return buffer.create(1)"),
    (
        "bytecode by load",
        "local done local f = load(function() if done then return nil end done = true return '\\27Lua\\81\\0' end) return f()",
    ),
    ("bytecode of Luau", "return loadstring('\\6\\3\\0\\0\\0\\0\\0')()"),
    ("a hook of debug", "return debug.sethook(function() end, '', 1)"),
    ("the environment of loadstring", "loadstring('leak = 1')()"),
    ("the environment of a function of a library", "return getfenv(string.rep)"),
    ("globals through loadstring and _G", "loadstring('_G.tostring = print')()"),
    ("the metatable of numbers", "getmetatable(1).__index = {}"),
    ("a metatable of the library", "setmetatable(redis, {__index = function() return 1 end})"),
    ("the table of the commands' errors", "redis.REPL_ALL = 7"),
    ("a function of the interpreter that Lua 5.1 lacks", "return bit32.band(5, 3)"),
    ("a kind of value that Lua 5.1 lacks", "return vector.create(1, 2, 3)"),
    ("the interpreter's name for a kind", "return typeof(1)"),
    ("the interpreter's mathematics", "return math.clamp(5, 1, 3)"),
    ("a print", "return print('x')"),
    ("the system's time", "return os.time()"),
    ("what a script has left in KEYS and ARGV", "return KEYS.leak or ARGV.leak"),
    ("what a script has left in the settings of cjson", "return cjson.encode_max_depth() ~= 1000 or nil"),
];

/// What a script does that is going to be stopped.
const WRITES: &str = "redis.call('SET','k','after') redis.call('DEL','l') redis.call('HSET','h','f','v') \
                      redis.call('PUBLISH','c','m') for i=1,500 do redis.call('RPUSH','l','z') end ";
/// What there is before.
const BEFORE: &str = "redis.call('SET','k','before') for i=1,500 do redis.call('RPUSH','l',string.rep('y',100)) end \
                      redis.call('PEXPIREAT','l',9000000000000) return 1";
/// What another script leaves where the next one could find it.
const LEAVES: &str = "KEYS.leak = 1 ARGV.leak = 1 cjson.encode_max_depth(7) return 1";

const OPTIONS: &[&str] =
    &["--script-time-limit", "30", "--script-memory-limit", "8mb", "--enable-debug-command", "yes"];

pub fn run(report: &mut Report) {
    println!("\nscripts that spend their budget, or look for a way out");
    let daemon = Watched::start(OPTIONS);
    let mut wire = daemon.connect();
    evaluate(&mut wire, BEFORE);
    let before = state(&mut wire);
    let lines = LINES.iter().map(|(name, before, text)| {
        let end = if before.contains("function(") { "end)(unpack(t))" } else { "" };
        (*name, format!("{before} {}{end}", format!("{text} ").repeat(LINE_REPEATS)))
    });
    let spenders = SPENDERS.iter().map(|(name, script)| (*name, (*script).to_owned()));
    for (name, script) in spenders.chain(lines) {
        report.judge(name, "the script stopped, nothing changed, others served", || {
            let told = evaluate(&mut wire, &format!("{WRITES}{script}"));
            assert!(told.ends_with("; nothing was changed"), "{told}");
            assert!(state(&mut wire) == before, "it has changed something");
            daemon.serves();
            shown(told.as_bytes()).into()
        });
    }
    for (name, script) in LOCKED {
        report.judge(name, "an error or nothing", || {
            evaluate(&mut wire, LEAVES);
            let told = evaluate(&mut wire, script);
            assert!(told.starts_with('-') || told == "$-1", "{told}");
            shown(told.as_bytes()).into()
        });
    }
    wire.ask("SCRIPT FLUSH\r\n", "+OK\r\n");
    drop(wire);
    report.judge("after all of these scripts", "nothing left behind", || daemon.is_unharmed(KEPT_MIB).into());
}

/// The first line of what a script is answered.
fn evaluate(wire: &mut Wire, script: &str) -> String {
    wire.send(request(&[b"EVAL", script.as_bytes(), b"0"]));
    wire.line()
}

/// All that the scripts would have changed.
fn state(wire: &mut Wire) -> Vec<String> {
    let asks = ["DBSIZE", "STRLEN k", "LLEN l", "PEXPIRETIME l", "EXISTS h", "DEBUG DIGEST"];
    asks.map(|ask| {
        wire.send(format!("{ask}\r\n"));
        wire.line()
    })
    .to_vec()
}
