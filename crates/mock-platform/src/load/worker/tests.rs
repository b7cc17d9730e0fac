//! What a webhook costs, beside its time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::*;
use crate::deliver::Target;
use crate::load::awake::Waits;
use crate::load::ledger::Ledger;
use crate::load::{LoadOptions, Rate};
use crate::plan::{PlanOptions, Simulator};

/// Answers every request of a connection.
fn answer(stream: &TcpStream) {
    let (mut line, mut length, mut body) = (String::new(), 0, Vec::new());
    let mut requests = BufReader::new(stream);
    while requests.read_line(&mut line).is_ok_and(|read| read > 0) {
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            body.resize(length, 0);
            requests.read_exact(&mut body).unwrap();
            // Whoever asked may be gone.
            let mut answers = stream;
            let _ = answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
        line.clear();
    }
}

/// How many webhooks of so many calls were acknowledged, and how often memory was asked for meanwhile, from the first connection on.
fn sent(rate: Rate, calls: u64) -> (u64, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || answer(&stream));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(&folder.path().join("ledger.jsonl"), &serde_json::Value::Null).unwrap();
    let simulator = Simulator::builtin("default", PlanOptions::default()).unwrap();
    let target = Target::parse(&format!("http://{address}/webhook"), &[]).unwrap();
    let mut options = LoadOptions::new(rate);
    (options.duration, options.calls) = (None, Some(calls));
    let start_ns = now_ns();
    let work = Work {
        source: Source::new(&simulator, &options, 0, 1),
        composer: Composer::new(&simulator, options.rate, &target),
        address,
        tls: None,
        connections: 4,
        waits: Waits::Asleep,
        backlog: 1 << 16,
        timeout: Duration::from_secs(30),
        ledger: Some(ledger.part()),
        opening: Duration::ZERO,
        start_ns,
        closed_loop_until_ns: (rate == Rate::Max).then_some(u64::MAX),
        progress: Arc::new(Progress::default()),
        teller: None,
        interval: Duration::from_secs(1),
    };
    let writing = thread::spawn(|| ledger.write());
    let mut tally = None;
    let memory = allocation_counter::measure(|| tally = Some(run(work).unwrap()));
    writing.join().unwrap().unwrap();
    let tally = tally.unwrap();
    assert_eq!((tally.acknowledged, tally.errors(), tally.dropped), (tally.planned, 0, 0));
    (tally.acknowledged, memory.count_total)
}

#[test]
fn no_webhook_asks_for_memory_of_its_own() {
    for rate in [Rate::Max, Rate::Webhooks(20_000.0)] {
        let (few, first) = sent(rate, 500);
        let (many, all) = sent(rate, 2_500);
        // A block of the ledger, now and then; what waits for a connection, and the buffers, as they grow.
        let more = all.saturating_sub(first);
        assert!(many > few + 5_000, "{few}, {many}");
        assert!(more * 100 < many - few, "{rate:?}: {more} times for {} webhooks", many - few);
    }
}
