//! Too many at once: commands, connections, descriptors.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use crate::harness::{Wire, have, have_descriptors, limited, within};
use crate::report::{Seen, Situation};
use crate::watched::{Watched, count};

pub const SITUATIONS: &[Situation] = &[
    Situation {
        name: "100,000 commands in one burst",
        expects: "all replies in order, another client served in between",
        run: burst,
    },
    Situation {
        name: "three endless pipelines",
        expects: "a polite client served all the while",
        run: endless_pipelines,
    },
    Situation { name: "2,000 connections at once", expects: "all served", run: || connect_flood(2_000) },
    Situation {
        name: "a flood past maxclients that is to be refused",
        expects: "each told so, those inside served, room again as they leave",
        run: flood_refused,
    },
    Situation {
        name: "a flood past maxclients that is to wait",
        expects: "nobody told anything, each served as others leave",
        run: flood_waits,
    },
    Situation {
        name: "a flood past maxclients that never stops",
        expects: "those inside served all the while",
        run: endless_refusals,
    },
    Situation {
        name: "maxclients lowered below those who are here",
        expects: "they stay and are served, newcomers are refused",
        run: cap_lowered,
    },
    Situation {
        name: "descriptors run out",
        expects: "those inside served, no spin; accepting again once there are some",
        run: descriptors_run_out,
    },
    Situation {
        name: "started with 40 descriptors",
        expects: "half of them for clients, said aloud; a flood of 100 survived",
        run: few_descriptors,
    },
    Situation {
        name: "all clients killed by one",
        expects: "200 ends, the killer served",
        run: everybody_killed,
    },
    Situation { name: "1,000 clients vanish at once", expects: "nothing left", run: || connect_flood(1_000) },
];

const NO_ROOM: &str = "-ERR max number of clients reached\r\n";

fn burst() -> Seen {
    const COMMANDS: usize = 100_000;
    let daemon = Watched::start(&[]);
    let wire = daemon.connect();
    let mut sender = wire.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        let all: String = (0..COMMANDS).map(|n| format!("ECHO {n:06}\r\n")).collect();
        sender.write_all(all.as_bytes())
    });
    let (mut reader, mut polite) = (std::io::BufReader::new(wire.stream), daemon.connect());
    let mut reply = vec![0; "$6\r\n".len() + 8];
    for n in 0..COMMANDS {
        reader.read_exact(&mut reply).expect("every reply comes");
        assert!(reply == format!("$6\r\n{n:06}\r\n").into_bytes(), "reply {n} is {}", reply.escape_ascii());
        // Some of the burst is still to be read when this is answered.
        if n % 10_000 == 0 {
            polite.ask("PING\r\n", "+PONG\r\n");
        }
    }
    sending.join().unwrap().expect("all of it is taken");
    let yields = count(&mut polite, "turns_yielded");
    assert!(yields > 0, "it never met the budget of a turn");
    drop((reader, polite));
    format!("{COMMANDS} replies in order, {yields} turns given up to others, {}", daemon.is_unharmed(16))
        .into()
}

fn endless_pipelines() -> Seen {
    let daemon = Watched::start(&[]);
    let floods: Vec<TcpStream> = (0..3).map(|_| daemon.connect().stream).collect();
    let batch = b"PING\r\n".repeat(20_000);
    let asked = std::thread::scope(|scope| {
        for flood in &floods {
            let (mut sender, mut reader) = (flood, flood);
            let batch = &batch;
            scope.spawn(move || while sender.write_all(batch).is_ok() {});
            scope.spawn(move || {
                let mut scrap = vec![0; 1 << 18];
                while reader.read(&mut scrap).is_ok_and(|count| count > 0) {}
            });
        }
        let mut polite = daemon.connect();
        let mut asked = 0;
        within("the floods to meet their budgets", || {
            polite.ask("PING\r\n", "+PONG\r\n");
            asked += 1;
            (asked >= 200 && count(&mut polite, "turns_yielded") > 300).then_some(())
        });
        floods.iter().for_each(|flood| flood.shutdown(Shutdown::Both).unwrap());
        asked
    });
    drop(floods);
    format!("{asked} polite requests served, {}", daemon.is_unharmed(16)).into()
}

fn connect_flood(crowd: usize) -> Seen {
    if !have_descriptors(crowd as u64 + 500) {
        return Seen::Skipped("too few descriptors are allowed".to_owned());
    }
    let daemon = Watched::start(&[]);
    let mut crowd: Vec<Wire> = (0..crowd).map(|_| daemon.connect()).collect();
    for wire in &mut crowd {
        wire.send("PING\r\n");
    }
    for wire in &mut crowd {
        wire.expect("+PONG\r\n");
    }
    let all = crowd.len();
    drop(crowd);
    format!("{all} served, {}", daemon.is_unharmed(8)).into()
}

/// So many clients that are served.
fn inside(daemon: &Watched, many: usize) -> Vec<Wire> {
    let mut inside: Vec<Wire> = (0..many).map(|_| daemon.connect()).collect();
    inside.iter_mut().for_each(|wire| wire.ask("PING\r\n", "+PONG\r\n"));
    inside
}

fn flood_refused() -> Seen {
    let daemon = Watched::start(&["--maxclients", "10", "--tcp-backlog", "1024"]);
    let mut inside = inside(&daemon, 10);
    // More at once than there are places for saying goodbye slowly, and none of them leaves.
    let mut flood: Vec<Wire> = (0..400).map(|_| daemon.connect()).collect();
    for wire in &mut flood {
        wire.expect(NO_ROOM);
    }
    inside.iter_mut().for_each(|wire| wire.ask("PING\r\n", "+PONG\r\n"));
    let refused = inside[0].info("rejected_connections");
    assert_eq!(refused, "400");
    for _ in 0..100 {
        drop(inside.pop());
        let mut wire = daemon.connect();
        wire.ask("PING\r\n", "+PONG\r\n");
        inside.push(wire);
    }
    drop((inside, flood));
    format!("{refused} refused, 100 let in as others left, {}", daemon.is_unharmed(8)).into()
}

fn flood_waits() -> Seen {
    let daemon = Watched::start(&["--maxclients", "10", "--at-maxclients", "wait"]);
    let mut inside = inside(&daemon, 10);
    let mut waiting: Vec<Wire> = (0..100).map(|_| daemon.connect()).collect();
    waiting.iter_mut().for_each(|wire| wire.send("PING\r\n"));
    inside.iter_mut().for_each(|wire| wire.ask("PING\r\n", "+PONG\r\n"));
    let received = count(&mut inside[0], "total_connections_received");
    assert!(received <= 11, "{received} were accepted");
    drop(inside);
    for mut wire in waiting {
        wire.expect("+PONG\r\n");
    }
    format!("100 served after 10, {}", daemon.is_unharmed(8)).into()
}

fn endless_refusals() -> Seen {
    let daemon = Watched::start(&["--maxclients", "2"]);
    let mut inside = inside(&daemon, 2);
    let asked = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            for _ in 0..2_000 {
                // Some are told, some meet a reset when they have gone before they were accepted.
                let _ = TcpStream::connect(daemon.address).and_then(|mut stream| stream.write(b"PING\r\n"));
            }
        });
        let mut asked = 0;
        while !flood.is_finished() {
            inside[0].ask("PING\r\n", "+PONG\r\n");
            inside[1].ask("PING\r\n", "+PONG\r\n");
            asked += 2;
        }
        asked
    });
    let refused = within("all to be refused", || {
        Some(count(&mut inside[0], "rejected_connections")).filter(|refused| *refused >= 2_000)
    });
    drop(inside);
    format!("{refused} refused, {asked} requests served meanwhile, {}", daemon.is_unharmed(8)).into()
}

fn cap_lowered() -> Seen {
    let daemon = Watched::start(&[]);
    let mut inside = inside(&daemon, 50);
    inside[0].ask("CONFIG SET maxclients 1\r\n", "+OK\r\n");
    inside.iter_mut().for_each(|wire| wire.ask("PING\r\n", "+PONG\r\n"));
    let mut refused = daemon.connect();
    refused.expect(NO_ROOM);
    refused.expect_end();
    drop((inside, refused));
    format!("50 served on, 1 refused, {}", daemon.is_unharmed(8)).into()
}

fn descriptors_run_out() -> Seen {
    if !have("prlimit", "--version") {
        return Seen::Skipped("prlimit is not installed".to_owned());
    }
    let daemon = Watched::start(&[]);
    let limit = |soft: u32| {
        let pid = daemon.child.id().to_string();
        let arguments = ["--pid", &pid, &format!("--nofile={soft}:")];
        assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
    };
    let mut inside = inside(&daemon, 5);
    limit(25);
    let mut crowd: Vec<Wire> = (0..60).map(|_| daemon.connect()).collect();
    crowd.iter_mut().for_each(|wire| wire.send("PING\r\n"));
    within("them to run out", || (inside[0].info("descriptor_refusing_now") == "1").then_some(()));
    let before = count(&mut inside[0], "ticks");
    for _ in 0..100 {
        inside[1].ask("PING\r\n", "+PONG\r\n");
    }
    let ticks = count(&mut inside[0], "ticks") - before;
    assert!(ticks < 400, "{ticks} ticks for 100 requests: it spins");
    // One that leaves makes room for one.
    drop(inside.pop());
    within("somebody to be let in", || (count(&mut inside[0], "descriptor_refusing_usec") > 0).then_some(()));
    limit(1_000);
    crowd.iter_mut().for_each(|wire| wire.expect("+PONG\r\n"));
    drop((inside, crowd));
    format!("60 of 60 served in the end, {ticks} ticks for 100 requests, {}", daemon.is_unharmed(8)).into()
}

fn few_descriptors() -> Seen {
    let daemon = Watched::spawn(limited("-n 40", &[]));
    let mut only = daemon.connect();
    only.ask("PING\r\n", "+PONG\r\n");
    let cap: usize = only.info("maxclients").parse().expect("a number");
    assert!(cap >= 20, "{cap} of 40 descriptors for clients");
    let others = inside(&daemon, cap - 1);
    let mut flood: Vec<Wire> = (0..100).map(|_| daemon.connect()).collect();
    only.ask("PING\r\n", "+PONG\r\n");
    for wire in &mut flood {
        wire.expect(NO_ROOM);
    }
    assert_eq!(only.info("descriptor_exhaustions"), "0");
    drop((only, others, flood));
    let unharmed = daemon.is_unharmed(8);
    let (code, log) = daemon.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("maxclients lowered from 10000"), "{log}");
    format!("maxclients {cap}, {unharmed}").into()
}

fn everybody_killed() -> Seen {
    let daemon = Watched::start(&[]);
    let mut victims = inside(&daemon, 200);
    victims.iter_mut().step_by(2).for_each(|wire| wire.send("*2\r\n$4\r\nECHO\r\n$100\r\nhalf"));
    let mut killer = daemon.connect();
    killer.ask("CLIENT KILL TYPE normal\r\n", ":200\r\n");
    victims.iter_mut().for_each(Wire::expect_end);
    killer.ask("PING\r\n", "+PONG\r\n");
    drop((victims, killer));
    daemon.is_unharmed(8).into()
}
