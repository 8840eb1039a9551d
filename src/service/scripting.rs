//! Runs a script or a function: what it may call, how long it may run, and how it ends. If it is stopped, all that it has done
//! is undone.

use std::sync::Arc;

use super::command::Command;
use super::cx::{Cx, Failure, Outcome};
use super::errors::find_command;
use super::functions::Library;
use super::loading::Loading;
use super::run::{Call, check};
use super::running::Running;
use super::scripts::{Flags, Script};
use super::world::World;
use crate::base::Output;
use crate::config::{REDIS_VERSION, REPLY_HEADROOM_BYTES};
use crate::resp::{Args, Proto, Reply};
use crate::script::{Ended, Engine, Errors, Host, Sha, Stop, drop_engine, with_engine, with_functions};

/// The error for the name of a script that the server does not know.
pub const NO_SCRIPT: Failure = Failure::text("NOSCRIPT No matching script. Please use EVAL.");
/// Position of the first key in a request that runs a script or a function: behind its name and the number of its keys.
pub const FIRST_KEY: usize = 3;

/// A script or a function that is to be run.
pub struct Run<'a> {
    /// What is to be run.
    pub program: Program<'a>,
    /// What it says of itself.
    pub flags: Flags,
    /// Number of its keys. Its arguments follow them.
    pub keys: usize,
    /// True if it must change nothing.
    pub read_only: bool,
}

/// What is to be run.
pub enum Program<'a> {
    /// The script of this name.
    Script(Sha),
    /// A function.
    Function {
        /// Its library.
        library: &'a Arc<Library>,
        /// Its position in the list of the library.
        at: usize,
    },
}

/// What a script calls.
struct Calls<'a, 'b> {
    cx: &'a mut Cx<'b>,
    flags: Flags,
    /// True if the script must change nothing.
    read_only: bool,
    /// True if the memory was used up when the script began.
    is_full: bool,
    /// True if the script has called a command that changes keys.
    has_written: bool,
}

impl World {
    /// Makes sure that a script is compiled.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(&self, sha: Sha, script: &Script) -> Outcome {
        let max = self.config.script_memory_limit;
        let compiled = with_engine(max, REDIS_VERSION, |engine| engine.compile(sha, &script.source))?;
        compiled.map_err(|error| not_compiled(&error))
    }

    /// Keeps a script that is compiled.
    pub fn keep_script(&mut self, sha: Sha, script: Script, loaded: bool) -> Outcome {
        if let Some(gone) = self.scripts.keep(sha, script, loaded) {
            with_engine(self.config.script_memory_limit, REDIS_VERSION, |engine| engine.forget(&gone))?;
        }
        Ok(())
    }

    /// Forgets all scripts, and gives the memory of the interpreter back.
    pub fn flush_scripts(&mut self) {
        self.scripts.clear();
        drop_engine();
    }

    /// A command has panicked. If a script has called it, takes back what that script has done.
    pub(super) fn undo_broken_script(&mut self) {
        if self.script.take().is_some() {
            self.store.undo_changes();
        }
    }
}

/// Runs a script or a function and writes its reply.
///
/// # Errors
/// The error of the script, or why it may not run or was stopped.
pub fn run(cx: &mut Cx<'_>, run: &Run<'_>) -> Outcome {
    let flags = run.flags;
    let is_full = cx.world.config.maxmemory.bytes > 0 && cx.world.make_room(cx.me, cx.args).is_err();
    if is_full && flags.declared && !flags.no_writes && !flags.allow_oom {
        return Err(Failure::text("OOM command not allowed when used memory > 'maxmemory'."));
    }
    if run.read_only && flags.declared && !flags.no_writes {
        return Err(Failure::text("ERR Can not execute a script with write flag using *_ro command."));
    }
    // `World::run` has just read the clock, because the command is a heavy one. This is the time of the script and of its commands.
    let began = if cx.inside { cx.world.read_clock().at } else { cx.world.now.at };
    if !cx.world.monitors.is_empty() {
        cx.world.show_to_monitors(cx.me, cx.command, cx.args);
    }
    // What the script asks for from here on is forgotten if it is undone.
    let (asks, db) = (cx.world.outbox.asks.len(), cx.world.store.selected());
    cx.world.store.begin_undo();
    cx.world.script = Some(Running::new(cx.me, began, matches!(run.program, Program::Function { .. })));
    let read_only = run.read_only || flags.no_writes;
    let mut calls = Calls { cx, flags, read_only, is_full, has_written: false };
    let outcome = match run.program {
        Program::Script(sha) => calls.run_script(sha, run.keys),
        Program::Function { library, at } => calls.run_function(library, at, run.keys),
    };
    cx.session().db = db;
    cx.world.store.select(db);
    if matches!(outcome, Err((_, true))) {
        cx.world.store.undo_changes();
        cx.world.outbox.asks.truncate(asks);
    } else {
        cx.world.store.keep_changes();
    }
    // What is left of its asks stands, even if the script has failed.
    cx.world.outbox.complete();
    cx.world.script = None;
    outcome.map_err(|(failure, _)| failure)
}

/// Ok if the script has succeeded and its reply is written. Otherwise the error, and whether the script must be undone.
type Conclusion = Result<(), (Failure, bool)>;

impl Calls<'_, '_> {
    /// Runs a compiled script.
    fn run_script(&mut self, sha: Sha, keys: usize) -> Conclusion {
        let (args, max) = (self.cx.args, self.cx.world.config.script_memory_limit);
        let ran = with_engine(max, REDIS_VERSION, |engine| {
            if !engine.has(&sha) {
                // It was compiled once, but the interpreter is a new one.
                let script = self.cx.world.scripts.get(&sha).ok_or((NO_SCRIPT, true))?;
                engine.compile(sha, &script.source).map_err(|error| (not_compiled(&error), true))?;
            }
            let ended = engine.run(&sha, args.from(FIRST_KEY).take(keys), args.from(FIRST_KEY + keys), self);
            self.conclude(ended, engine, || hex(&sha))
        });
        ran.unwrap_or_else(|refused| Err((refused.into(), true)))
    }

    /// Runs a function.
    fn run_function(&mut self, library: &Library, at: usize, keys: usize) -> Conclusion {
        let (args, max) = (self.cx.args, self.cx.world.config.script_memory_limit);
        let name = &library.functions[at].name;
        let ran = with_functions(max, REDIS_VERSION, |functions| {
            // It was loaded once, but the interpreter may be a new one.
            if !functions.has(library.number) {
                let loaded = Loading::new(self.cx).load(functions, library);
                loaded.map_err(|failure| (failure, true))?;
            }
            let (keys, rest) = (args.from(FIRST_KEY).take(keys), args.from(FIRST_KEY + keys));
            let ended = functions.call(library.number, name, keys, rest, self);
            self.conclude(ended, functions.engine(), || String::from_utf8_lossy(name).into_owned())
        });
        ran.unwrap_or_else(|refused| Err((refused.into(), true)))
    }

    /// Writes what a script of this name has returned, or says why it has failed.
    fn conclude(&mut self, ended: Ended, engine: &Engine, name: impl FnOnce() -> String) -> Conclusion {
        let stop = match ended {
            Ended::Returned(answer) => {
                let Cx { world, wires, me, command, args, reply, .. } = &mut *self.cx;
                let mut must_stop = || {
                    let now = world.read_clock().at;
                    world.hear_others(&mut **wires, *me, command, *args, now);
                    world.must_stop_script(now)
                };
                match engine.answer(answer, reply, &mut must_stop) {
                    Ok(errors) => {
                        self.cx.whole_reply().map_err(|failure| (failure, true))?;
                        self.count(&errors);
                        return Ok(());
                    }
                    Err(stop) => stop,
                }
            }
            Ended::Failed(fault) => {
                let mut text = fault.message;
                if let Some((source, line)) = fault.place {
                    text.extend(format!(" script: {}, on @{source}:{line}.", name()).into_bytes());
                }
                // What the script has done stays, so nothing may go wrong from here on.
                let has_room = self.cx.reply.reserve(text.len() + REPLY_HEADROOM_BYTES);
                has_room.map_err(|refused| (refused.into(), true))?;
                self.cx.reply.assure();
                if fault.is_counted {
                    self.count(&Errors { are_any: true, uncounted: Vec::new() });
                    self.cx.reply.error(&text);
                    return Ok(());
                }
                return Err((Failure(text.into()), false));
            }
            Ended::Stopped(stop) => stop,
        };
        Err((self.cx.world.stopped(stop), true))
    }
}

impl Calls<'_, '_> {
    /// Counts the errors in what a script has returned. As in Redis, the error of a command inside was counted there already,
    /// and the script has failed too.
    fn count(&mut self, errors: &Errors) {
        let stats = &mut self.cx.world.stats;
        stats.per_command[self.cx.command.id].failed += u64::from(errors.are_any);
        errors.uncounted.iter().for_each(|text| stats.count_error(text));
    }
}

/// The error for a script with a mistake.
fn not_compiled(error: &str) -> Failure {
    Failure::telling(format!("ERR Error compiling script (new function): {error}"))
}

/// Writes a line of a script to the log. `level` is one of `redis.LOG_DEBUG` and its like.
pub(super) fn write_log(level: u8, message: &[u8]) {
    let text = String::from_utf8_lossy(message);
    let level = match level {
        0 => log::Level::Debug,
        1 | 2 => log::Level::Info,
        _ => log::Level::Warn,
    };
    log::log!(level, "script: {}", text.escape_debug());
}

/// A SHA-1 as 40 hexadecimal digits.
pub fn hex(sha: &Sha) -> String {
    sha.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Host for Calls<'_, '_> {
    fn call(&mut self, request: Args<'_>, proto: Proto, out: &mut Output) -> bool {
        let has_room = out.reserve(REPLY_HEADROOM_BYTES);
        let mut reply = Reply::plain(out, proto, self.cx.world.config.max_reply_bytes);
        let unknown = |_| Failure::text("ERR Unknown Redis command called from script");
        let found = has_room.map_err(Failure::from).and_then(|()| find_command(request).map_err(unknown));
        let permitted = found.and_then(|command| match self.permit(command, request) {
            Ok(()) => Ok(command),
            Err(failure) => {
                self.cx.world.stats.per_command[command.id].rejected += 1;
                Err(failure)
            }
        });
        match permitted {
            Err(failure) => {
                self.cx.world.stats.count_error(&failure.0);
                reply.error(&failure.0);
                false
            }
            Ok(command) => {
                let Cx { world, me, wires, runs, .. } = &mut *self.cx;
                if command.flags.contains(&"pubsub") {
                    world.tell_events_before_message(*me);
                }
                let call =
                    Call { me: *me, args: request, command, memory: None, wires: &mut **wires, inside: true };
                world.run_in_script(call, runs, reply);
                command.heavy
            }
        }
    }

    fn knows(&self, request: Args<'_>) -> bool {
        find_command(request).is_ok()
    }

    fn must_stop(&mut self) -> Option<Stop> {
        let now = self.cx.world.read_clock().at;
        self.cx.hear_others(now);
        self.cx.world.must_stop_script(now)
    }

    fn log(&mut self, level: u8, message: &[u8]) {
        write_log(level, message);
    }
}

impl Calls<'_, '_> {
    /// Checks whether the script may call a command like this.
    fn permit(&mut self, command: &'static Command, args: Args<'_>) -> Outcome {
        if !command.arity.allows(args.len()) {
            return Err(Failure::text("ERR Wrong number of args calling Redis command from script"));
        }
        if command.flags.contains(&"noscript") {
            return Err(Failure::text("ERR This Redis command is not allowed from script"));
        }
        let World { config, sessions, .. } = &*self.cx.world;
        check(command, args, config, sessions, self.cx.me)?;
        if command.writes && self.read_only {
            return Err(Failure::text("ERR Write commands are not allowed from read-only scripts."));
        }
        if command.grows && self.is_full && !self.has_written && !self.flags.allow_oom {
            return Err(Failure::text("OOM command not allowed when used memory > 'maxmemory'."));
        }
        self.has_written |= command.writes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::base::{Clock, ConnId, Moment, Now, Output, Peer, Wire};
    use crate::config::{Config, DebugCommand};
    use crate::fence;
    use crate::rdb::dump_libraries;
    use crate::resp::{Proto, Reply};
    use crate::service::Service;
    use crate::service::outbox::Ask;
    use crate::service::turn::{Progress, Turn};
    use crate::service::wires::{NoWires, Wires};
    use crate::service::world::World;

    const ME: ConnId = ConnId { slot: 0, serial: 1 };

    /// A service whose clock is a millisecond later each time that it is read.
    fn service() -> Service {
        service_of(Arc::new(AtomicU64::new(0)))
    }

    /// The same, and `ticks` counts how often the clock is read.
    fn service_of(ticks: Arc<AtomicU64>) -> Service {
        let clock = Clock::new(move || {
            let ms = ticks.fetch_add(1, Ordering::Relaxed);
            let unix_ms = 1_800_000_000_000;
            Now { at: Moment::default().plus_ms(ms), unix_ms, unix_us: unix_ms * 1_000 }
        });
        let config = Config { enable_debug_command: DebugCommand::Yes, ..Config::default() };
        let mut service = Service::new(7, config, clock, Vec::new());
        service.open(ME, Peer::from(SocketAddr::from(([127, 0, 0, 1], 4000))), 0);
        service
    }

    /// What the service answers to a request of these words.
    fn ask(service: &mut Service, words: &[&str]) -> String {
        ask_among(service, words, &mut NoWires)
    }

    /// A request of these words.
    fn request(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
        let mut request = Output::default();
        let mut encoder = Reply::new(&mut request, Proto::Resp2, usize::MAX);
        encoder.array(words.len());
        words.iter().for_each(|word| encoder.bulk(word.as_ref()));
        request.front().to_vec()
    }

    /// The same, among these other clients.
    fn ask_among(service: &mut Service, words: &[impl AsRef<[u8]>], wires: &mut dyn Wires) -> String {
        let request = request(words);
        let (mut output, mut progress) = (Output::default(), Progress::default());
        let turn = Turn { me: ME, input: &request, memory: None, output: &mut output, wires };
        service.turn(turn, &mut progress);
        String::from_utf8_lossy(output.front()).into_owned()
    }

    /// Each of these changes keys of the state that [`prepare`] makes.
    const CHANGES: &[&str] = &[
        "SET a new",
        "APPEND b tail",
        "SETRANGE long 5000 x",
        "SETBIT long 7 1",
        "DEL n",
        "INCR m",
        "EXPIRE a 100",
        "PERSIST t",
        "RENAME b c",
        "HSET h f new g 2",
        "HDEL h f",
        "HSET bigh 5 new fresh 1",
        "HDEL bigh 7 8",
        "HEXPIRE h 100 FIELDS 1 g",
        "SADD s x 99",
        "SREM s m",
        "SPOP bigs 3",
        "SADD ints 5 70000 x",
        "LPUSH l x",
        "RPOP l",
        "LSET bigl 50 y",
        "LINSERT bigl BEFORE 60 z",
        "LREM bigl 0 70",
        "LTRIM bigl 10 -10",
        "LMOVE bigl l LEFT RIGHT",
        "ZADD z 9 m 3 x",
        "ZINCRBY bigz 5 7",
        "ZREM bigz 8 9",
        "ZPOPMIN bigz 5",
        "ZUNIONSTORE zz 2 z bigz",
        "XADD x 9-1 f v",
        "XDEL x 1-1",
        "XTRIM x MAXLEN 5",
        "XREADGROUP GROUP g c COUNT 3 STREAMS x >",
        "XACK x g 2-1",
        "XGROUP CREATE x other 0",
        "XGROUP DESTROY x g",
        "PFADD p q",
        "COPY bigl copy",
        "SORT bigl ALPHA STORE sorted",
        "MOVE s 3",
        "SELECT 2",
        "SET there 1",
        "SELECT 0",
        "SWAPDB 0 2",
        "FLUSHDB",
        "SET alone 1",
        "FLUSHALL",
        "SADD again 1 2 3",
    ];

    fn prepare(service: &mut Service) {
        let numbers: Vec<String> = (0..300).map(|number| number.to_string()).collect();
        let pairs: Vec<&str> = numbers.iter().flat_map(|number| [number.as_str(), number.as_str()]).collect();
        let singles: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let with = |head: &[&'static str], tail: &[&str]| -> Vec<String> {
            head.iter().chain(tail).map(|word| (*word).to_owned()).collect()
        };
        let long = "long".repeat(5_000);
        let mut requests: Vec<Vec<String>> = vec![
            with(&["SET", "long"], &[&long]),
            with(&["HSET", "bigh"], &pairs),
            with(&["SADD", "bigs", "word"], &singles),
            with(&["SADD", "ints"], &singles),
            with(&["RPUSH", "bigl"], &singles),
            with(&["ZADD", "bigz"], &pairs),
        ];
        let small = "MSET a 1 b 2 n 3 m 4|SET t v EX 1000|HSET h f 1|SADD s m|RPUSH l 1 2|ZADD z 1 m|PFADD p a b|\
                     XADD x 1-1 f v|XADD x 2-1 f v|XADD x 3-1 f v g w|XGROUP CREATE x g 0|\
                     XREADGROUP GROUP g c COUNT 2 STREAMS x >";
        requests.extend(small.split('|').map(|line| line.split(' ').map(str::to_owned).collect()));
        for words in requests {
            let answer = ask(service, &words.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(!answer.starts_with('-'), "{words:?}: {answer}");
        }
    }

    #[test]
    fn wherever_its_time_ends_a_script_leaves_the_store_as_it_was() {
        let mut service = service();
        prepare(&mut service);
        // The host is asked for the time after each command.
        let script = "for i = 1, #ARGV do local words = {} for word in string.gmatch(ARGV[i], '%S+') do words[#words + 1] = \
                      word end redis.call(unpack(words)) for n = 1, 1000 do end end return 'done'";
        let words: Vec<&str> = ["EVAL", script, "0"].into_iter().chain(CHANGES.iter().copied()).collect();
        let look = |service: &mut Service| {
            service.world.store.audit();
            let keys = ask(service, &["DBSIZE"]);
            let groups = ask(service, &["XINFO", "STREAM", "x", "FULL"]);
            let times = ask(service, &["PEXPIRETIME", "t"])
                + &ask(service, &["HPEXPIRETIME", "h", "FIELDS", "1", "g"]);
            (keys, groups, times, ask(service, &["DEBUG", "DIGEST"]))
        };
        let before = look(&mut service);
        let mut limit_ms = 0;
        loop {
            limit_ms += 1;
            service.world.config.script_time_limit_ms = limit_ms;
            let answer = ask(&mut service, &words);
            if answer == "$4\r\ndone\r\n" {
                break;
            }
            assert!(answer.contains("nothing was changed"), "{answer}");
            assert_eq!(look(&mut service), before, "after {limit_ms} looks at the clock");
        }
        assert!(limit_ms as usize >= CHANGES.len(), "only {limit_ms} ends were tried");
        assert_ne!(look(&mut service), before);
    }

    /// Another client that ends what runs as soon as it is heard.
    struct Killer(usize);

    impl Wires for Killer {
        fn wire(&self, _: u32) -> Wire {
            Wire::default()
        }

        fn hear(&mut self, _: ConnId, world: &mut World) {
            self.0 += 1;
            assert!(world.kill_script(false).is_err(), "it is no script of EVAL");
            world.kill_script(true).unwrap();
        }
    }

    #[test]
    fn others_are_heard_while_libraries_are_loaded_and_may_end_that() {
        let mut service = service();
        service.world.config.script_time_limit_ms = 0;
        let library = |name: &str, work: &str| {
            format!("#!lua name={name}\n{work} redis.register_function('f{name}', function() return 1 end)")
        };
        ask(&mut service, &["FUNCTION", "LOAD", &library("kept", "")]);
        let told = "-ERR Error registering functions: ERR Script killed by user with FUNCTION KILL\r\n";
        let endless = library("endless", "while true do end");
        let mut killer = Killer(0);
        assert_eq!(ask_among(&mut service, &["FUNCTION", "LOAD", &endless], &mut killer), told);
        assert_eq!(killer.0, 1);
        // Between two libraries, too.
        let many: Vec<String> = (0..100).map(|number| library(&format!("n{number}"), "")).collect();
        let dumped = dump_libraries(many.iter().map(|code| code.as_bytes())).unwrap();
        let words: [&[u8]; 3] = [b"FUNCTION", b"RESTORE", &dumped];
        assert_eq!(ask_among(&mut service, &words, &mut killer), told);
        assert_eq!(killer.0, 2);
        assert!(!service.world.in_script());
        let names: Vec<&[u8]> = service.world.functions.libraries().map(|it| it.name.as_slice()).collect();
        assert_eq!(names, [b"kept"]);
        assert_eq!(ask(&mut service, &["FCALL", "fkept", "0"]), ":1\r\n");
        assert_eq!(ask_among(&mut service, &words, &mut NoWires), "+OK\r\n");
        assert_eq!(service.world.functions.len(), 101);
    }

    /// The transport fails while others are heard.
    struct Broken;

    impl Wires for Broken {
        fn wire(&self, _: u32) -> Wire {
            Wire::default()
        }

        fn hear(&mut self, _: ConnId, world: &mut World) {
            let aside = world.put_asked_aside();
            aside.world.outbox.asks.push(Ask::Wake(ME));
            panic!("while others are heard");
        }
    }

    #[test]
    fn a_panic_while_others_are_heard_keeps_what_commands_before_the_script_have_asked_for() {
        let mut service = service();
        let other = ConnId { slot: 1, serial: 2 };
        service.open(other, Peer::from(SocketAddr::from(([127, 0, 0, 1], 4001))), 0);
        let (input, mut output) = (request(&["SUBSCRIBE", "c"]), Output::default());
        let turn = Turn { me: other, input: &input, memory: None, output: &mut output, wires: &mut NoWires };
        service.turn(turn, &mut Progress::default());
        let script = "redis.call('SET','k','v') redis.call('PUBLISH','c','undone') while true do end";
        let requests = [&["PUBLISH", "c", "told"][..], &["EVAL", script, "0"]].map(request).concat();
        let (mut output, mut progress) = (Output::default(), Progress::default());
        let turn = Turn { me: ME, input: &requests, memory: None, output: &mut output, wires: &mut Broken };
        assert!(fence::run(|| service.turn(turn, &mut progress)).is_err());
        service.recover(progress.asks);
        let asks = service.world.outbox.take();
        let is_told =
            |ask: &Ask| matches!(ask, Ask::Push { message, .. } if message.unread() == b"$4\r\ntold\r\n");
        assert!(asks.len() == 1 && is_told(&asks[0]), "{asks:?}");
        assert_eq!(ask(&mut service, &["EXISTS", "k"]), ":0\r\n");
    }

    #[test]
    fn one_call_with_many_long_texts_can_be_stopped() {
        let ticks = Arc::new(AtomicU64::new(0));
        let mut service = service_of(Arc::clone(&ticks));
        service.world.config.script_time_limit_ms = 0;
        // How often such a script looks at the time.
        let mut looks = |work: &str| {
            let script = format!(
                "local s, t = string.rep('1', 2000000), {{}} for i = 1, 200 do t[i] = s end local x = {work} return 1"
            );
            let before = ticks.load(Ordering::Relaxed);
            let told = ask(&mut service, &["EVAL", &script, "0"]);
            assert!(told == ":1\r\n" || told.contains("to 'char' (invalid value)"), "{work}: {told}");
            ticks.load(Ordering::Relaxed) - before
        };
        let idle = looks("select('#', unpack(t))");
        for work in [
            "bit.band(unpack(t))",
            "bit.bxor(unpack(t))",
            "struct.pack(string.rep('d', 200), unpack(t))",
            "math.max(unpack(t))",
            "math.min(unpack(t))",
            "string.char(unpack(t))",
            "string.format(string.rep('%.1s%%%5.1f', 100), unpack(t))",
            "redis.sha1hex(string.rep(s, 20))",
        ] {
            let looks = looks(work);
            assert!(looks > idle + 10, "{work}: {looks} looks, and {idle} without it");
        }
    }
}
