//! Random scripts, which must be answered as a redis-server answers them: values of all kinds, commands, errors, and the
//! functions of the libraries with what they are made for and with what they are not.
//!
//! What `docs/commands.md` says is different is not in the scripts: the texts of errors that the language raises, the order
//! of `pairs` (so no table here has two fields with names that a library writes), numbers with a fraction that become text
//! by `..`, the settings of `cjson`, which scripts of Redis inherit, tail calls, and nesting beyond 128 levels. `math.random` is
//! compared elsewhere.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::commands::start_redis;
use crate::harness::{Daemon, have, skipped};
use crate::strings::reply;

/// Scripts of a plain `cargo test`. `SCRIPTS=n` runs so many.
const SCRIPTS: usize = 3_000;

/// Runs a function, and returns what it returns or the error. Errors that the language raises have other texts.
const TRY: &str = "local function try(f, ...)
  local function all(ok, ...)
    if not ok then
      local e = ...
      if type(e) == 'table' then e = e.err end
      return {'error', e}
    end
    local r = {select('#', ...)}
    for i = 1, select('#', ...) do
      local v = select(i, ...)
      if type(v) == 'number' then v = string.format('%.14g', v) end
      if v == nil or type(v) == 'boolean' then v = tostring(v) end
      if v == cjson.null then v = 'cjson.null' end
      r[#r + 1] = v
    end
    return r
  end
  return all(pcall(f, ...))
end
";

/// Strings that functions get, in Lua.
const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'abc'",
    "'12'",
    "'-7.5'",
    "'0x10'",
    "' 12 '",
    "'1e3'",
    "'nan'",
    "'\\0\\1\\255'",
    "'a\\r\\nb'",
    "'\\195\\164'",
    "'%'",
    "'%d'",
    "string.rep('x', 300)",
    "'{\"a\":1}'",
    "'[1,2.5,\"x\",null,true]'",
    "'[1,2'",
    "'{\"a\" 1}'",
    "'[01]'",
    "'\"\\\\u00e9\\\\ud83d\\\\ude00\"'",
    "'\"\\\\ud83d\"'",
    "'[1e400]'",
    "'[NaN,-Infinity]'",
    "'null'",
    "'true x'",
    "string.rep('[', 1100)",
    "string.rep('[', 40) .. string.rep(']', 40)",
    "'\\147\\1\\2\\3'",
    "'\\129\\161a\\1'",
    "'\\221\\255\\255\\255\\255'",
    "'\\217'",
    "'\\193'",
    "'\\203\\63\\248\\0\\0\\0\\0\\0\\0'",
    "'\\207\\255\\255\\255\\255\\255\\255\\255\\255'",
    "'\\211\\128\\0\\0\\0\\0\\0\\0\\0'",
    "'\\202\\127\\192\\0\\0'",
    "'\\192\\194\\195'",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "32",
    "33",
    "255",
    "256",
    "65536",
    "-32769",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9007199254740992",
    "-9007199254740993",
    "1e15",
    "1e19",
    "1e300",
    "0.5",
    "-1.25",
    "3.14159265358979",
    "1/3",
    "1/0",
    "-1/0",
];
const FORMATS: &[&str] = &[
    "'b'",
    "'B'",
    "'h'",
    "'>H'",
    "'<i4'",
    "'>I3'",
    "'i8'",
    "'l'",
    "'L'",
    "'T'",
    "'f'",
    "'>d'",
    "'s'",
    "'c3'",
    "'c0'",
    "'Bc0'",
    "'x'",
    "'bbb'",
    "'!4bi4'",
    "'!8bd'",
    "'>hhs'",
    "'i33'",
    "'i0'",
    "'z'",
    "'!3'",
    "'!64'",
    "''",
    "' b '",
    "'c2147483647'",
    "'I32'",
];
/// Numbers that become the same text in all versions of Redis.
const EXACT: &[&str] = &["0", "-1", "255", "4294967296", "0.5", "-1.25"];
/// Functions whose arguments are any values.
const FUNCTIONS: &[&str] = &[
    "cjson.encode",
    "cjson.decode",
    "cmsgpack.pack",
    "cmsgpack.unpack",
    "cmsgpack.unpack_one",
    "cmsgpack.unpack_limit",
    "bit.tobit",
    "bit.tohex",
    "bit.bnot",
    "bit.band",
    "bit.bor",
    "bit.bxor",
    "bit.lshift",
    "bit.rshift",
    "bit.arshift",
    "bit.rol",
    "bit.ror",
    "bit.bswap",
    "redis.sha1hex",
];
/// Calls with the arguments that they are made for; `T` is a string, `N` a number, `S` a small number, `F` a format of
/// `struct`, `E` an error.
const CALLS: &[&str] = &[
    "string.len, T",
    "string.sub, T, S, S",
    "string.rep, T, S",
    "string.upper, T",
    "string.reverse, T",
    "string.byte, T, S, S",
    "string.char, 65, 7",
    "string.find, T, 'a'",
    "string.find, T, '%d+'",
    "string.find, T, 'b', S",
    "string.find, T, '.', S, true",
    "string.match, T, '(%a)(.*)'",
    "string.match, T, '()x'",
    "string.gsub, T, '%w', '<%0>'",
    "string.gsub, T, '%w', {a='b'}",
    "string.gsub, T, 'x', 'y', S",
    "string.format, '%d %5.1f %x', S, N, 255",
    "string.format, '%q', T",
    "string.format, '%10s|%-4s', 'ab', 'c'",
    "tonumber, T",
    "tonumber, T, 16",
    "tonumber, T, 36",
    "tostring, N",
    "tostring, T",
    "type, N",
    "math.floor, N",
    "math.ceil, N",
    "math.abs, N",
    "math.max, N, N, S",
    "math.min, N, N",
    "math.fmod, S, 3",
    "math.sqrt, 9",
    "table.concat, {1, 'a', 2}, T",
    "table.concat, {1, 2, 3}, ',', 2",
    "unpack, {1, 'b', 3}, 2",
    "select, 2, T, N, S",
    "next, {}",
    "rawequal, T, T",
    "struct.size, F",
    "struct.pack, F, N, N, N",
    "struct.pack, F, T",
    "struct.pack, F, S, S, S",
    "struct.unpack, F, T",
    "struct.unpack, F, T, S",
    "cmsgpack.unpack_limit, T, S",
    "cmsgpack.unpack_limit, T, S, S",
    "cmsgpack.unpack, cmsgpack.pack(N, T, S)",
    "cjson.decode, cjson.encode({N, T, S})",
    "cjson.encode, {a=N}",
    "cjson.encode, {{}, {S}, cjson.null}",
    "cjson.encode, {[S]=1}",
    "cmsgpack.pack, {a=N}",
    "cmsgpack.pack, {S, {T}}",
    "redis.sha1hex, T",
    "redis.error_reply, E",
    "redis.status_reply, E",
    "redis.error_reply, S",
];
/// Texts of errors. Redis ends an error at a NUL, and leaves other control characters as they are.
const ERRORS: &[&str] =
    &["'mine'", "'MINE it is'", "''", "'-MINE own'", "'a\\r\\nb'", "'\\195\\164'", "'%d'", "12"];
/// Commands in scripts; `K` is a key, and `M` a number that all versions of Redis write in the same way.
const COMMANDS: &[&str] = &[
    "'SET', K, T",
    "'SET', K, M",
    "'GET', K",
    "'GET', 'none'",
    "'INCRBY', K, S",
    "'INCR', K",
    "'APPEND', K, T",
    "'STRLEN', K",
    "'MGET', K, 'none', K",
    "'DEL', K",
    "'EXISTS', K, K",
    "'TYPE', K",
    "'LPUSH', K, T, M",
    "'LRANGE', K, 0, -1",
    "'LPOP', K, 2",
    "'LPOS', K, S",
    "'HSET', K, 'f', T",
    "'HGETALL', K",
    "'HGET', K, 'f'",
    "'HMGET', K, 'f', 'g'",
    "'SADD', K, T",
    "'SCARD', K",
    "'SISMEMBER', K, T",
    "'SMISMEMBER', K, T, T",
    "'ZADD', K, S, T",
    "'ZADD', K, 1.5, 'm'",
    "'ZSCORE', K, 'm'",
    "'ZINCRBY', K, 0.25, 'm'",
    "'ZRANGE', K, 0, -1, 'WITHSCORES'",
    "'XADD', K, S .. '-1', 'f', T",
    "'XRANGE', K, '-', '+'",
    "'XLEN', K",
    "'ECHO', T",
    "'PING'",
    "'PING', T",
    "'NOSUCH', T",
    "'GET'",
    "'GET', K, K",
    "'MULTI'",
    "'SUBSCRIBE', 'c'",
    "'GET', {}",
    "'SET', K, true",
    "S, S",
    "",
];

struct Dice(StdRng);

impl Dice {
    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.choose(&mut self.0).expect("there are some")
    }

    /// A value in Lua. Deeper tables are smaller.
    fn value(&mut self, depth: usize) -> String {
        match self.0.random_range(0..if depth < 3 { 16 } else { 9 }) {
            0..=2 => self.of(TEXTS).to_owned(),
            3..=5 => format!("({})", self.of(NUMBERS)),
            6 => self.of(&["true", "false"]).to_owned(),
            7 => "nil".to_owned(),
            8 => self.of(&["cjson.null", "''", "0", "print"]).to_owned(),
            9..=12 => {
                let count = self.0.random_range(0..4);
                let values: Vec<String> = (0..count).map(|_| self.value(depth + 1)).collect();
                format!("{{{}}}", values.join(","))
            }
            13 => {
                let name = self.of(&["ok", "err", "double", "map", "set", "big_number", "a"]);
                let value = match name {
                    "ok" | "err" => self.of(ERRORS).to_owned(),
                    "big_number" => "'12345678901234567890'".to_owned(),
                    "double" => self.of(EXACT).to_owned(),
                    _ => self.value(depth + 1),
                };
                format!("{{{name}={value}}}")
            }
            14 => {
                format!("{{[{}]={}}}", self.of(&["1", "2", "5", "100", "'1'", "1.5"]), self.value(depth + 1))
            }
            _ => {
                let format = self.of(&["'txt'", "'mkd'", "7"]);
                format!("{{verbatim_string={{string={},format={format}}}}}", self.of(TEXTS))
            }
        }
    }

    /// A call whose letters are replaced by arguments.
    fn filled(&mut self, call: &str) -> String {
        let mut filled = String::new();
        let letters: Vec<char> = call.chars().collect();
        for (at, letter) in letters.iter().enumerate() {
            let is_word = |at: Option<usize>| {
                at.and_then(|at| letters.get(at)).is_some_and(|near| near.is_alphanumeric() || *near == '\'')
            };
            let alone = !is_word(at.checked_sub(1)) && !is_word(Some(at + 1));
            match letter {
                'T' if alone => filled += self.of(TEXTS),
                'N' if alone => filled += &format!("({})", self.of(NUMBERS)),
                'M' if alone => filled += &format!("({})", self.of(EXACT)),
                'S' if alone => filled += &format!("({})", self.0.random_range(-3..9)),
                'E' if alone => filled += self.of(ERRORS),
                'F' if alone => filled += self.of(FORMATS),
                'K' if alone => filled += &format!("'k{}'", self.0.random_range(0..5)),
                letter => filled.push(*letter),
            }
        }
        filled
    }

    fn script(&mut self) -> String {
        let resp = if self.0.random_bool(0.2) { "redis.setresp(3) " } else { "" };
        match self.0.random_range(0..10) {
            0 | 1 => format!("{resp}return {}", self.value(0)),
            2 => {
                let how = self.of(&[
                    "error(V)",
                    "error(V, 0)",
                    "error({err=V})",
                    "return redis.error_reply('a b')",
                ]);
                how.replace('V', self.of(ERRORS))
            }
            3..=5 => {
                let command = self.of(COMMANDS);
                let (call, command) = (self.of(&["call", "pcall", "pcall"]), self.filled(command));
                format!("{resp}return redis.{call}({command})")
            }
            6 | 7 => {
                let call = self.of(CALLS);
                format!("{TRY}return try({})", self.filled(call))
            }
            _ => {
                let function = self.of(FUNCTIONS);
                let count = self.0.random_range(0..3);
                let values: Vec<String> = (0..count).map(|_| self.value(1)).collect();
                format!("{TRY}return try({})", [vec![function.to_owned()], values].concat().join(", "))
            }
        }
    }
}

#[test]
fn random_scripts_are_answered_as_a_redis_server_answers_them() {
    if !have("redis-server", "--version") {
        return skipped("no redis-server to compare scripts with");
    }
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (seed, scripts) = (number("SEED").unwrap_or(1), number("SCRIPTS").unwrap_or(SCRIPTS as u64));
    let mut dice = Dice(StdRng::seed_from_u64(seed));
    let (daemon, (_redis, mut theirs, _)) = (Daemon::start(&[]), start_redis(&[]));
    let mut ours = daemon.connect();
    for nth in 0..scripts {
        if nth == scripts / 2 {
            for wire in [&mut ours, &mut theirs] {
                reply(wire, &[b"HELLO".to_vec(), b"3".to_vec()]);
            }
        }
        let script = dice.script();
        let words = ["EVAL", &script, "0"].map(|word| word.as_bytes().to_vec());
        let [of_ours, of_redis] = [&mut ours, &mut theirs].map(|wire| reply(wire, &words));
        assert!(
            of_ours == of_redis,
            "SEED={seed}, script {nth}:\n{}\n  ours  {}\n  redis {}",
            script.trim_start_matches(TRY),
            of_ours.escape_ascii(),
            of_redis.escape_ascii()
        );
    }
}
