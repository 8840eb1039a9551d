//! Micro benchmarks of three inner loops: parsing a request, a service turn, and a whole tick.
//!
//! Run them with `cargo bench --bench micro`. They measure wall time, and other programs may share the
//! machine: compare only times of one run.

mod treadmill;

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidegate::base::{Clock, ConnId, Output, Peer};
use tidegate::config::Config;
use tidegate::resp::{Batch, Limits, Parser, Step};
use tidegate::server::Server;
use tidegate::service::Service;
use tidegate::service::turn::{Progress, Turn};
use tidegate::service::wires::NoWires;
use treadmill::Treadmill;

/// How many requests a client sends together.
const PIPELINES: [usize; 3] = [1, 16, 100];

/// A request in RESP.
fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    bytes.into_bytes()
}

/// The requests that are measured, with their names. All are about one key of 16 bytes; its value has 32.
fn requests() -> [(&'static str, Vec<u8>); 4] {
    let (key, value) = ("key:000000000042", "0123456789abcdef0123456789abcdef");
    [
        ("PING", request(&["PING"])),
        ("GET", request(&["GET", key])),
        ("SET", request(&["SET", key, value])),
        ("MGET 10", request(&[&["MGET"][..], &[key; 10]].concat())),
    ]
}

/// Parses requests: with the batch parser that a turn uses, and with the resumable one.
fn parse(c: &mut Criterion) {
    let limits = Limits { bulk_max: 1 << 29, args_max: 1 << 20, inline_max: 1 << 16, request_max: 1 << 30 };
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(1));
    for (name, bytes) in requests() {
        let mut batch = Batch::default();
        group.bench_function(name, |b| {
            b.iter(|| {
                assert_eq!(batch.fill(black_box(&bytes), 0, &limits), 1);
                batch.take()
            });
        });
        let mut parser = Parser::default();
        group.bench_function(BenchmarkId::new(name, "resumable"), |b| {
            b.iter(|| match parser.parse(black_box(&bytes), &limits) {
                Step::Complete { consumed } => consumed,
                other => panic!("{other:?}"),
            });
        });
    }
}

/// Runs service turns without a server.
fn turn(c: &mut Criterion) {
    let mut group = c.benchmark_group("turn");
    for (name, bytes) in requests() {
        for pipeline in PIPELINES {
            let input = bytes.repeat(pipeline);
            let mut service = Service::new(1, Config::default(), Clock::default(), Vec::new());
            let me = ConnId { slot: 0, serial: 1 };
            service.open(me, Peer::from(SocketAddr::from(([127, 0, 0, 1], 1))), 0);
            let mut output = Output::default();
            group.throughput(Throughput::Elements(pipeline as u64));
            group.bench_function(BenchmarkId::new(name, pipeline), |b| {
                b.iter(|| {
                    output.clear();
                    let mut progress = Progress::default();
                    let turn = Turn {
                        me,
                        input: black_box(&input),
                        memory: None,
                        output: &mut output,
                        wires: &mut NoWires,
                    };
                    service.turn(turn, &mut progress);
                    progress.commands
                });
            });
        }
    }
}

/// Runs ticks of a whole server, without system calls.
fn tick(c: &mut Criterion) {
    let mut group = c.benchmark_group("tick");
    for (name, bytes) in requests() {
        // A longer pipeline does not fit the lent buffer, and one tick would not serve all of it.
        let one_read = |pipeline: &usize| bytes.len() * pipeline < Config::default().bounds.lent_bytes;
        for pipeline in PIPELINES.into_iter().filter(one_read) {
            let batch = bytes.repeat(pipeline);
            let world = Treadmill::new(move |input| input.extend_from_slice(&batch));
            let mut server = Server::new(world, Config::default(), 1, Vec::new());
            group.throughput(Throughput::Elements(pipeline as u64));
            group.bench_function(BenchmarkId::new(name, pipeline), |b| {
                b.iter(|| server.tick().expect("no trouble here"))
            });
        }
    }
}

criterion_group!(benches, parse, turn, tick);
criterion_main!(benches);
