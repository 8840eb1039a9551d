//! Where settings come from: files in Redis's format, the environment, the command line; and how files are written and
//! read again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::commands::start_redis;
use crate::harness::{DEADLINE, Daemon, Guard, Wire, command, have, request, skipped, within};

/// What Debian's redis.conf has besides comments, in short. Used where the real one is not installed.
const DEBIAN: &str = r#"bind 127.0.0.1 -::1
protected-mode yes
port 6379
tcp-backlog 511
timeout 0
tcp-keepalive 300
daemonize yes
pidfile /run/redis/redis-server.pid
loglevel notice
logfile /var/log/redis/redis-server.log
databases 16
always-show-logo no
proc-title-template "{title} {listen-addr} {server-mode}"
stop-writes-on-bgsave-error yes
rdbcompression yes
dbfilename dump.rdb
dir /var/lib/redis
replica-serve-stale-data yes
oom-score-adj-values 0 200 800
appendonly no
appendfilename "appendonly.aof"
no-appendfsync-on-rewrite no
slowlog-max-len 128
notify-keyspace-events ""
hash-max-listpack-entries 512
list-max-listpack-size -2
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit replica 256mb 64mb 60
client-output-buffer-limit pubsub 32mb 8mb 60
hz 10
jemalloc-bg-thread yes
"#;

/// A folder of its own for each test, with files in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("tidegate-settings-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path.canonicalize().unwrap())
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Daemon {
    /// One setting, as `CONFIG GET` shows it.
    fn setting(&self, name: &str) -> String {
        setting(&mut self.connect(), name)
    }

    fn set(&self, name: &str, value: &str) {
        let words = [&b"CONFIG"[..], b"SET", name.as_bytes(), value.as_bytes()];
        self.connect().ask(request(&words), "+OK\r\n");
    }
}

fn setting(wire: &mut Wire, name: &str) -> String {
    wire.send(request(&[b"CONFIG", b"GET", name.as_bytes()]));
    assert_eq!(wire.line(), "*2", "{name}");
    assert_eq!(wire.bulk(), name.as_bytes());
    String::from_utf8(wire.bulk()).unwrap()
}

/// The one line that it says instead of starting.
fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.starts_with("tidegate: ") && err.lines().count() == 1, "{err}");
    err.trim_end().to_owned()
}

#[test]
fn a_file_has_lines_quotes_comments_and_includes() {
    let folder = Folder::new("file");
    folder.file("parts/1.conf", "timeout 1\nslowlog-max-len 11\n");
    folder.file("parts/2.conf", "timeout 2\r\n");
    let main = folder.file(
        "main.conf",
        "# a comment\n\nMAXCLIENTS 77\nslowlog-max-len 10\ninclude parts/*.conf\ninclude nothing-*.conf\n\
         notify-keyspace-events \"\\x4bEA\"\nloglevel 'warning'\nmaxmemory 1gb\nhash-max-ziplist-value 9\n\
         client-output-buffer-limit pubsub 5mb 4mb 3\nclient-output-buffer-limit replica 1gb 1gb 1\nsave \"\"\n",
    );
    let mut started = command(&[&main]);
    started.current_dir(&folder.0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Daemon::spawn(started);
    for (name, value) in [
        ("maxclients", "77"),
        ("timeout", "2"),
        ("slowlog-max-len", "11"),
        ("notify-keyspace-events", "AKE"),
        ("loglevel", "warning"),
        ("maxmemory", "1073741824"),
        ("hash-max-listpack-value", "9"),
        ("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 5242880 4194304 3"),
    ] {
        assert_eq!(daemon.setting(name), value, "{name}");
    }
    assert_eq!(daemon.info("config_file"), main);
    assert_eq!(Daemon::start(&[]).info("config_file"), "");
}

#[test]
fn a_file_can_come_from_standard_input() {
    let folder = Folder::new("stdin");
    let main = folder.file("main.conf", "timeout 5\n");
    let mut started = command(&["-"]);
    started.stdin(fs::File::open(main).unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Daemon::spawn(started);
    assert_eq!(daemon.setting("timeout"), "5");
    assert_eq!(daemon.info("config_file"), "");
    daemon.connect().ask("CONFIG REWRITE\r\n", "-ERR The server is running without a config file\r\n");
    daemon.signal("HUP");
    assert_eq!(daemon.setting("timeout"), "5");
}

#[test]
fn the_command_line_counts_more_than_the_environment_and_that_more_than_the_file() {
    let folder = Folder::new("precedence");
    let main = folder.file("main.conf", "maxclients 1\ntimeout 1\nslowlog-max-len 1\n");
    let mut started = command(&[&main, "--slowlog-max-len", "3", "--appendonly", "no", "--save", ""]);
    started.envs([
        ("TIDEGATE_TIMEOUT", "2"),
        ("TIDEGATE_SLOWLOG_MAX_LEN", "2"),
        ("TIDEGATE_BIND", "127.0.0.1 -::1"),
        ("TIDEGATE_RDBCOMPRESSION", "yes"),
    ]);
    started.stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Daemon::spawn(started);
    for (name, value) in [("maxclients", "1"), ("timeout", "2"), ("slowlog-max-len", "3")] {
        assert_eq!(daemon.setting(name), value, "{name}");
    }
    // The precedence stays when the file is read again.
    folder.file("main.conf", "maxclients 9\ntimeout 9\nslowlog-max-len 9\n");
    daemon.signal("HUP");
    within("the change", || (daemon.setting("maxclients") == "9").then_some(()));
    assert_eq!((daemon.setting("timeout"), daemon.setting("slowlog-max-len")), ("2".into(), "3".into()));
    daemon.signal("TERM");
    let (_, log) = daemon.exit();
    assert!(
        log.contains("options of Redis that have no meaning here: rdbcompression appendonly save\n"),
        "{log}"
    );
}

#[test]
fn a_wrong_name_or_value_is_named_with_the_nearest_right_one() {
    let folder = Folder::new("wrong");
    for (text, why) in [
        (
            "port 0\nmaxmemroy 1gb",
            ":2: 'maxmemroy': Bad directive or wrong number of arguments; the nearest name is maxmemory",
        ),
        ("maxmemory 1gbb", ":1: 'maxmemory 1gbb': argument must be a memory value"),
        ("\nmaxmemory-policy allkeys-lr", "noeviction; the nearest is allkeys-lru"),
        ("client-output-buffer-limit replica 1 x 1", "Error in hard, soft or soft_seconds setting"),
        ("timeout", ":1: 'timeout': wrong number of arguments"),
        ("timeout 1 2", ":1: 'timeout 1 2': wrong number of arguments"),
        ("logfile \"x", ":1: 'logfile \"x': Unbalanced quotes in configuration line"),
        ("include none.conf", "none.conf': No such file or directory"),
        ("max-key-bytes 600mb", "max-key-bytes (629145600) must not exceed proto-max-bulk-len (536870912)"),
        ("appendonly yes", ":1: 'appendonly': only appendonly no works here"),
        ("save 900 1", ":1: 'save': only save \"\" works here"),
        ("replicaof 127.0.0.1 6379", "there is no replication yet"),
        ("requirepass geheim", "there are no passwords and no users yet"),
        ("rename-command FLUSHALL \"\"", "commands cannot be renamed"),
        ("tls-port 6380", "there is no TLS yet"),
        ("loadmodule x.so", "there are no modules"),
        ("cluster-enabled yes", "there is no cluster"),
        (
            "bind 0.0.0.0\nprotected-mode yes",
            "protected-mode is yes, but other hosts can reach the bind address '0.0.0.0'",
        ),
    ] {
        let main = folder.file("main.conf", text);
        let mut started = command(&[&main]);
        started.current_dir(&folder.0);
        let line = refusal(started);
        assert!(line.contains(why) && !line.contains("geheim"), "{text}: {line}");
        let line = refusal(command(&[&main, "--check"]));
        assert!(line.contains(why) || text.contains("include"), "{text}: {line}");
    }
    for (name, value, why) in [
        ("TIDEGATE_MAX_MEMORY", "1", "there is no such option; the nearest is TIDEGATE_MAXMEMORY"),
        ("TIDEGATE_LOGLEVEL", "warn", "TIDEGATE_LOGLEVEL=warn: argument(s) must be one of the following"),
        ("TIDEGATE_LOGLEVEL", "warn", "the nearest is warning"),
        ("TIDEGATE_REQUIREPASS", "geheim", "TIDEGATE_REQUIREPASS: only requirepass \"\" works here"),
    ] {
        let mut started = command(&[]);
        started.env(name, value);
        let line = refusal(started);
        assert!(line.contains(why) && !line.contains("geheim"), "{line}");
    }
    for (options, why) in [
        (&["--prot", "0"][..], "unexpected argument '--prot' found; the nearest is --port; see --help"),
        (
            &["--appendonly", "yes"],
            "--appendonly: only appendonly no works here: nothing is kept on disk yet",
        ),
        (&["--at-maxclients", "rejct"], "the nearest is reject"),
        (&["/no/such/file"], "can't open config file '/no/such/file': No such file or directory"),
    ] {
        let line = refusal(command(options));
        assert!(line.contains(why), "{line}");
    }
}

/// Debian's file, with its paths below `folder`.
fn debian(folder: &Folder) -> String {
    let text = fs::read_to_string("/etc/redis/redis.conf").unwrap_or_else(|_| {
        skipped("the real redis.conf is not here, so a short copy takes its place");
        DEBIAN.to_owned()
    });
    for (from, to) in [("/run/redis", "run"), ("/var/log/redis", "log"), ("/var/lib/redis", "lib")] {
        assert!(text.contains(from), "{from}");
        fs::create_dir_all(folder.0.join(to)).unwrap();
    }
    let text = text.replace("/run/redis/", &folder.path("run/"));
    let text = text.replace("/var/log/redis/", &folder.path("log/"));
    let text = text.replace("dir /var/lib/redis", &format!("dir {}", folder.path("lib")));
    folder.file("redis.conf", &text)
}

#[test]
fn the_file_of_debian_starts_the_daemon_as_the_unit_of_debian_does() {
    let folder = Folder::new("debian");
    let main = debian(&folder);
    let socket = UnixDatagram::bind(folder.0.join("notify")).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let told = || {
        let mut bytes = [0; 64];
        let count = socket.recv(&mut bytes).expect("systemd is told");
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    };
    // `--port 0` comes with the harness. A unit has the file first.
    let mut started = command(&[&main, "--supervised", "systemd", "--daemonize", "no"]);
    started.env("NOTIFY_SOCKET", folder.0.join("notify")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Daemon::spawn(started);
    assert_eq!(told().trim_end(), "READY=1");
    let pid = daemon.child.id();
    assert_eq!(folder.read("run/redis-server.pid"), format!("{pid}\n"));
    assert_eq!(daemon.setting("timeout"), "0");
    assert_eq!(daemon.setting("dir"), folder.path("lib"));
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
    daemon.signal("TERM");
    assert_eq!(told().trim_end(), "STOPPING=1");
    assert_eq!(daemon.exit().0, Some(0));
    assert!(!fs::exists(folder.0.join("run/redis-server.pid")).unwrap());
    let log = folder.read("log/redis-server.log");
    let line = log.lines().find(|line| line.contains("options of Redis that have no meaning here: "));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    for name in ["always-show-logo", "stop-writes-on-bgsave-error", "appendonly", "hz", "jemalloc-bg-thread"]
    {
        assert!(line.split(' ').any(|word| word == name), "{name}: {line}");
    }
    assert!(!line.contains("client-output-buffer-limit") && !line.contains(" bind"), "{line}");
}

/// A process that is not our child, and ends with the test.
struct Stranger(String);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-s", "KILL", &self.0]).stderr(Stdio::null()).status();
    }
}

#[test]
fn in_the_background_it_writes_its_number_and_serves_on() {
    if !cfg!(target_os = "linux") {
        skipped("daemonize works on Linux only");
        return;
    }
    let folder = Folder::new("background");
    let main = folder.file("main.conf", "daemonize yes\npidfile pid\nlogfile log\n");
    let mut daemon = Daemon::start(&[&main, "--dir", folder.0.to_str().unwrap()]);
    let status = within("the process in front to exit", || daemon.child.try_wait().unwrap());
    let number = within("the pid file", || Some(folder.read("pid")).filter(|text| text.ends_with('\n')));
    let pid = Stranger(number.trim_end().to_owned());
    assert_eq!(status.code(), Some(0));
    assert_ne!(pid.0, daemon.child.id().to_string());
    assert_eq!(daemon.info("process_id"), pid.0);
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
    // What goes wrong before that is still told in front.
    let port = daemon.port();
    let mut again = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    again.args([&main, "--dir", folder.0.to_str().unwrap(), "--port", &port]);
    assert!(refusal(again).contains("cannot listen on 127.0.0.1"));
    assert_eq!(folder.read("pid").trim_end(), pid.0, "the pid file of the one that runs");
    assert!(Command::new("kill").args(["-s", "TERM", &pid.0]).status().unwrap().success());
    within("the pid file to go", || (!fs::exists(folder.0.join("pid")).unwrap()).then_some(()));
    assert!(folder.read("log").contains("everything was delivered"));
}

#[test]
fn a_pid_file_that_cannot_be_written_is_an_error() {
    let line = refusal(command(&["--pidfile", "/no/such/directory/pid"]));
    assert!(line.contains("cannot write the pid file '/no/such/directory/pid': No such file"), "{line}");
    let line = refusal(command(&["--dir", "/no/such/directory"]));
    assert!(line.contains("Can't chdir to '/no/such/directory': No such file or directory"), "{line}");
}

#[test]
fn an_address_with_a_hyphen_may_be_missing() {
    // No machine has an address of the block for documentation.
    let mut started = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    started.args(["--port", "0", "--bind", "127.0.0.1", "-192.0.2.1"]);
    started.stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Daemon::spawn(started);
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
    daemon.signal("TERM");
    let (_, log) = daemon.exit();
    assert!(log.contains("[WARN] cannot listen on 192.0.2.1:"), "{log}");
    for bind in [&["127.0.0.1", "192.0.2.1"][..], &["-192.0.2.1"]] {
        let line = refusal(command(&[&["--bind"], bind].concat()));
        assert!(line.contains("cannot listen on 192.0.2.1:"), "{line}");
    }
}

#[test]
fn a_rewrite_keeps_comments_and_order_and_brings_the_settings_back() {
    let folder = Folder::new("rewrite");
    folder.file("part.conf", "slowlog-max-len 7\n");
    let text = "# my file\nmaxclients 100\n\n# times\nTIMEOUT 5\r\nappendonly no\nmaxmemory 1gb\n\
                include part.conf\nmaxmemory-clients \"2gb\"";
    let main = folder.file("main.conf", text);
    fs::set_permissions(&main, fs::Permissions::from_mode(0o640)).unwrap();
    let start = |options: &[&str]| {
        let mut started = command(options);
        started.current_dir(&folder.0).stdout(Stdio::piped()).stderr(Stdio::piped());
        Daemon::spawn(started)
    };
    let daemon = start(&["main.conf"]);
    assert_eq!(daemon.info("config_file"), main);
    for (name, value) in [
        ("timeout", "250ms"),
        ("slowlog-max-len", "9"),
        ("notify-keyspace-events", "KEA"),
        ("client-output-buffer-limit", "pubsub 3mb 2mb 1"),
        ("maxmemory", "1073741824"),
    ] {
        daemon.set(name, value);
    }
    daemon.connect().ask("CONFIG REWRITE\r\n", "+OK\r\n");
    let expected = "# my file\nmaxclients 100\n\n# times\ntimeout 250ms\r\nappendonly no\nmaxmemory 1gb\n\
                    include part.conf\nmaxmemory-clients \"2gb\"\n# Generated by CONFIG REWRITE\nport 0\n\
                    client-output-buffer-limit pubsub 3mb 2mb 1\nnotify-keyspace-events AKE\n\
                    slowlog-max-len 9\n";
    assert_eq!(folder.read("main.conf"), expected);
    assert_eq!(fs::metadata(&main).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2, "a file was left behind");
    // What was written is nothing new when it is read again, and a second rewrite changes nothing.
    daemon.set("timeout", "7");
    daemon.signal("HUP");
    daemon.connect().ask("CONFIG REWRITE\r\n", "+OK\r\n");
    assert_eq!(folder.read("main.conf"), expected.replace("250ms", "7"));
    let shown = |daemon: &Daemon| {
        let mut wire = daemon.connect();
        wire.send("CONFIG GET *\r\n");
        let count: usize = wire.line()[1..].parse().unwrap();
        (0..count).map(|_| String::from_utf8(wire.bulk()).unwrap()).collect::<Vec<String>>()
    };
    let again = start(&["main.conf"]);
    let differ: Vec<(String, String)> =
        shown(&daemon).into_iter().zip(shown(&again)).filter(|(one, other)| one != other).collect();
    assert_eq!(differ, [(daemon.port(), again.port())]);
}

#[test]
fn a_file_that_cannot_be_rewritten_stays_as_it_is() {
    let folder = Folder::new("unwritten");
    let main = folder.file("main.conf", "timeout 5\n");
    let daemon = Daemon::start(&[&main]);
    daemon.set("timeout", "6");
    let broken = "timeout 5\nno-such-option 1\n";
    folder.file("main.conf", broken);
    let mut wire = daemon.connect();
    wire.send("CONFIG REWRITE\r\n");
    let line = wire.line();
    assert!(line.starts_with("-ERR Rewriting config file: ") && line.contains("no-such-option"), "{line}");
    assert_eq!(folder.read("main.conf"), broken);
    fs::remove_file(&main).unwrap();
    wire.send("CONFIG REWRITE\r\n");
    let line = wire.line();
    assert!(line.starts_with("-ERR Rewriting config file: No such file or directory"), "{line}");
    assert_eq!(daemon.setting("timeout"), "6");
}

#[test]
fn check_shows_what_results_and_starts_nothing() {
    let folder = Folder::new("check");
    let main =
        folder.file("main.conf", "timeout 5\nhz 10\nmaxmemory 1mb\npidfile pid\nlogfile log\nport 6379\n");
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"ulimit -n 300 && exec "$0" "$@""#, env!("CARGO_BIN_EXE_tidegate")]);
    shell
        .args([&main, "--check", "--maxclients", "5000"])
        .env("TIDEGATE_DATABASES", "3")
        .current_dir(&folder.0);
    let output = shell.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for line in [
        "the settings are right".to_owned(),
        format!("  timeout 5  ({main}:1)"),
        "  maxclients 5000  (the command line)".to_owned(),
        "  databases 3  (the environment)".to_owned(),
        "options of Redis that have no meaning here: hz".to_owned(),
        "  maxclients 211: lowered from 5000, because the process may open 300 descriptors".to_owned(),
        "  max-reply-bytes 1073741824: MORE than the 1048576 bytes for everything".to_owned(),
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    assert!(text.contains("  maxmemory 1048576: the "), "{text}");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "it has written something");
    let output = command(&["--check", "--maxmemory", "50%"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("  maxmemory 50%  (the command line)") && text.contains(": 50 % of the "),
        "{text}"
    );
}

#[test]
fn sighup_applies_a_file_as_a_whole_or_not_at_all() {
    let folder = Folder::new("sighup");
    let first = "timeout 1\nmaxmemory 10mb\nmax-key-bytes 1mb\nproto-max-bulk-len 2mb\n";
    let main = folder.file("main.conf", first);
    let log = folder.path("log");
    let daemon = Daemon::start(&[&main, "--logfile", &log]);
    let all = || {
        ["timeout", "maxmemory", "max-key-bytes", "proto-max-bulk-len", "slowlog-max-len", "databases"]
            .map(|name| daemon.setting(name))
    };
    let hang_up = |text: &str, said: &str| {
        folder.file("main.conf", text);
        daemon.signal("HUP");
        within(said, || folder.read("log").lines().any(|line| line.contains(said)).then_some(()));
    };
    daemon.set("slowlog-max-len", "55");
    let before = all();
    assert_eq!(before, ["1", "10485760", "1048576", "2097152", "55", "16"]);
    // A wrong line, a relation that does not hold, a value that this process cannot have, a file that is gone.
    let wrong = format!("{}maxmemory-policy allkeys-lr\n", first.replace("timeout 1", "timeout 2"));
    hang_up(&wrong, "so nothing has changed: ");
    assert!(folder.read("log").contains("the nearest is allkeys-lru"));
    hang_up(
        &first.replace("timeout 1", "timeout 2").replace("bulk-len 2mb", "bulk-len 100kb"),
        "so nothing has changed: max-key-bytes (1048576) must not exceed proto-max-bulk-len (102400)",
    );
    hang_up(
        &format!("{}maxclients 4000000000\n", first.replace("timeout 1", "timeout 2")),
        "so nothing has changed: maxclients: The operating system is not able to handle",
    );
    fs::remove_file(&main).unwrap();
    daemon.signal("HUP");
    within("the loss to be told", || folder.read("log").contains("No such file or directory").then_some(()));
    assert_eq!(all(), before);
    // The same file again: what CONFIG SET has changed stays.
    hang_up(first, "nothing that can change now is different");
    assert_eq!(all(), before);
    hang_up(
        "# other\nmaxmemory 20mb\nmax-key-bytes 3mb\nproto-max-bulk-len 4mb\ndatabases 4\n",
        "these options are different in",
    );
    assert_eq!(all(), ["3600", "20971520", "3145728", "4194304", "55", "16"]);
    let text = folder.read("log");
    let changed = "these options have changed: timeout max-key-bytes proto-max-bulk-len maxmemory\n";
    assert!(text.contains(changed), "{text}");
    assert!(text.contains("need a restart: databases\n"), "{text}");
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn a_file_that_changes_while_a_script_runs_counts_when_the_script_has_ended() {
    let folder = Folder::new("script");
    let text = "timeout 1000\nscript-time-limit 0\nbusy-reply-threshold 20\n";
    let main = folder.file("main.conf", text);
    let log = folder.path("log");
    let daemon = Daemon::start(&[&main, "--logfile", &log]);
    let (mut runner, mut other) = (daemon.connect(), daemon.connect());
    runner.send(request(&[b"EVAL", b"while true do end", b"0"]));
    within("the server to be busy", || {
        other.send("GET k\r\n");
        other.line().starts_with("-BUSY").then_some(())
    });
    folder.file("main.conf", &text.replace("1000", "2000"));
    daemon.signal("HUP");
    within("the signal to be heard", || folder.read("log").contains("log reopened").then_some(()));
    assert!(!folder.read("log").contains("was read again"), "the settings have changed under the script");
    other.ask("SCRIPT KILL\r\n", "+OK\r\n");
    assert!(runner.line().starts_with("-ERR Script killed"));
    within("the change", || (daemon.setting("timeout") == "2000").then_some(()));
}

#[test]
fn a_pipe_is_read_once_and_never_again() {
    let folder = Folder::new("pipe");
    let pipe = folder.path("pipe");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        skipped("mkfifo does not work here");
        return;
    }
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, "timeout 3\n").unwrap())
    };
    let log = folder.path("log");
    let daemon = Daemon::start(&[&pipe, "--logfile", &log]);
    writer.join().unwrap();
    assert_eq!(daemon.setting("timeout"), "3");
    daemon.signal("HUP");
    within("the refusal", || folder.read("log").contains("is no regular file").then_some(()));
    let mut wire = daemon.connect();
    wire.send("CONFIG REWRITE\r\n");
    assert!(wire.line().contains("is no regular file"));
}

/// Options that both servers have, with values that the files below give them.
const SHARED: [&str; 7] = [
    "timeout",
    "maxmemory",
    "slowlog-max-len",
    "notify-keyspace-events",
    "maxmemory-policy",
    "hash-max-listpack-value",
    "tcp-keepalive",
];

#[test]
fn a_redis_server_reads_the_same_files_alike() {
    if !have("redis-server", "--version") {
        return;
    }
    let folder = Folder::new("alike");
    folder.file("parts/b.conf", "slowlog-max-len 2\n");
    folder.file("parts/a.conf", "slowlog-max-len 1\ntimeout 9\n");
    folder.file("parts/.c.conf", "slowlog-max-len 3\n");
    let include = format!(
        "timeout 3\ninclude {}\nslowlog-max-len 77\ninclude {}",
        folder.path("parts/*.conf"),
        folder.path("parts/no*")
    );
    for text in [
        "",
        "#timeout 5\n \t# timeout 6\n\n\r\n",
        "  TimeOut\t5 \r\nMAXMEMORY 1gb\n",
        "timeout 5\ntimeout \"6\"\ntimeout '7'",
        "notify-keyspace-events \"\\x4bE\\x41\"\nmaxmemory-policy 'allkeys-lru'\n",
        "notify-keyspace-events \"\"\nmaxmemory 2mb\nmaxmemory 3k",
        "hash-max-ziplist-value 9\ntcp-keepalive 0",
        "hash-max-listpack-value 8\nhash-max-ziplist-value 9\nappendonly no\nsave \"\"\nrdbcompression yes",
        "client-output-buffer-limit pubsub 1mb 1mb 1\nclient-output-buffer-limit normal 0 0 0",
        &include,
    ] {
        // The defaults of this option differ.
        let main = folder.file("main.conf", &format!("timeout 11\n{text}"));
        let daemon = Daemon::start(&[&main]);
        let (_redis, mut wire, _) = start_redis(&["--include", &main]);
        for name in SHARED {
            assert_eq!(daemon.setting(name), setting(&mut wire, name), "{name} in {text:?}");
        }
    }
    for text in [
        "timeout",
        "timeout 1 2",
        "timeout \"5",
        "timeout \"5\"x",
        "timeout x",
        "timeuot 5",
        "maxmemory 1gbb",
        "include none.conf",
        "include",
        "maxmemory-policy lru",
        "client-output-buffer-limit pubsub 1 2",
        "appendonly maybe",
        "timeout -1",
    ] {
        let main = folder.file("main.conf", text);
        refusal(command(&[&main]));
        let redis = Command::new("redis-server")
            .args([&main, "--port", "0"])
            .current_dir(&folder.0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut redis = Guard(redis.unwrap());
        let status = within("redis-server to refuse", || redis.0.try_wait().unwrap());
        assert!(!status.success(), "{text}");
    }
}

#[test]
fn a_redis_server_reads_what_was_rewritten() {
    if !have("redis-server", "--version") {
        return;
    }
    let folder = Folder::new("exchange");
    let main = folder.file("main.conf", "# both\ntimeout 5\n");
    let mut started = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    started.args([&main]).env("TIDEGATE_PORT", "0").stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Daemon::spawn(started);
    for (name, value) in [
        ("timeout", "7"),
        ("maxmemory", "30mb"),
        ("slowlog-max-len", "9"),
        ("notify-keyspace-events", "KEA"),
        ("maxmemory-policy", "allkeys-lfu"),
        ("hash-max-listpack-value", "10"),
        ("client-output-buffer-limit", "pubsub 3mb 100 1"),
    ] {
        daemon.set(name, value);
    }
    daemon.connect().ask("CONFIG REWRITE\r\n", "+OK\r\n");
    let text = folder.read("main.conf");
    assert!(text.contains("maxmemory 30mb\n"), "{text}");
    // Another port than the one in the file: there it means none.
    folder.file("main.conf", &text.replace("port 0\n", ""));
    let (_redis, mut wire, _) = start_redis(&["--include", &main]);
    for name in SHARED {
        assert_eq!(daemon.setting(name), setting(&mut wire, name), "{name}");
    }
    let limits = setting(&mut wire, "client-output-buffer-limit");
    assert!(limits.ends_with("pubsub 3145728 100 1"), "{limits}");
}
