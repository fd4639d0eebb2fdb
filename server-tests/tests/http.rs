//! The daemons on axum and hyper lose no client when they are stopped.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    ChildProcess, Fixture, Schedule, Stop, Tally, TestResult, Total, expect_drained, has_curl,
};

/// How many clients of each kind connect in a round.
const CLIENTS: u32 = 10;

/// How many times `curl` is started in a round.
const CURLS: usize = 6;

/// How long a client pauses between two parts of its request.
const PAUSE: Duration = Duration::from_millis(20);

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A request in one part.
    Whole,
    /// A request whose head arrives in two parts.
    SplitHead,
    /// A request whose body arrives in three parts.
    SplitBody,
    /// The second request on its connection.
    Second,
    /// The second request on its connection, whose head arrives in two parts.
    SplitSecond,
    /// Requests on one connection, without a pause, until the daemon closes it.
    Repeated,
}

const KINDS: [Kind; 6] = [
    Kind::Whole,
    Kind::SplitHead,
    Kind::SplitBody,
    Kind::Second,
    Kind::SplitSecond,
    Kind::Repeated,
];

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

impl Kind {
    /// The parts of the request, with a pause before each but the first.
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Whole | Self::Second | Self::Repeated => &[GET],
            Self::SplitHead | Self::SplitSecond => {
                &["GET / HTTP/1.1\r\nHo", "st: localhost\r\n\r\n"]
            }
            Self::SplitBody => &[
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
                "abc",
                "defghi",
            ],
        }
    }
}

struct Client {
    kind: Kind,
    stream: BufReader<UnixStream>,
    stop: Stop,
}

/// A reply, and whether the daemon closes the connection after it.
struct Reply {
    closes: bool,
}

impl Client {
    fn connect(socket: &Path, kind: Kind, stop: &Stop) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(common::TIMEOUT))?;
        let mut client = Self {
            kind,
            stream: BufReader::new(stream),
            stop: stop.clone(),
        };
        if matches!(kind, Kind::Second | Kind::SplitSecond) {
            client.stream.get_mut().write_all(GET.as_bytes())?;
            client.receive()?;
        }
        Ok(client)
    }

    /// Sends a request. A part that is late after SIGTERM, or after what was before, clears `in_time`: the daemon then
    /// owes no reply.
    fn send(&mut self, mut before: Option<Instant>, in_time: &mut bool) -> io::Result<()> {
        for (index, part) in self.kind.parts().iter().enumerate() {
            if index > 0 {
                thread::sleep(PAUSE);
            }
            let written = self.stream.get_mut().write_all(part.as_bytes());
            *in_time &= self.stop.is_in_time(before);
            before = Some(Instant::now());
            written?;
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200 ") {
            return Err(io::Error::other(format!("received {line:?}")));
        }
        let mut length = 0;
        let mut closes = false;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.parse().map_err(io::Error::other)?;
            }
            closes |= header == "connection: close";
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Reply { closes })
    }

    /// One request and its reply. `before` is the time of the reply before it.
    fn request(&mut self, before: Option<Instant>, tally: &mut Tally) -> Option<Reply> {
        let mut in_time = true;
        let sent = self.send(before, &mut in_time);
        match sent.and_then(|()| self.receive()) {
            Ok(reply) => {
                tally.answered += 1;
                return Some(reply);
            }
            Err(_) if !in_time => tally.late += 1,
            Err(error) => tally.lost.push(format!("{:?}: {error}", self.kind)),
        }
        None
    }

    fn run(mut self, begin: Instant) -> Tally {
        let mut tally = Tally::default();
        thread::sleep(begin.saturating_duration_since(Instant::now()));
        let mut before = None;
        while let Some(reply) = self.request(before, &mut tally) {
            if self.kind != Kind::Repeated || reply.closes {
                break;
            }
            before = Some(Instant::now());
        }
        tally
    }
}

/// Requests of `curl` that begin around SIGTERM.
fn start_curls(socket: &Path) -> Result<Vec<ChildProcess>, Box<dyn Error>> {
    let mut children = Vec::new();
    if has_curl() {
        for _ in 0..CURLS {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--unix-socket"])
                .args([socket, Path::new("http://localhost/")])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            children.push(ChildProcess(curl.spawn()?));
        }
    }
    Ok(children)
}

fn result_of_curl(curl: ChildProcess) -> Result<Tally, Box<dyn Error>> {
    const COULD_NOT_CONNECT: i32 = 7;
    let output = curl.wait_with_output()?;
    let mut tally = Tally::default();
    match output.status.code() {
        Some(0) => tally.answered += 1,
        Some(COULD_NOT_CONNECT) => {}
        _ => tally.lost.push(common::stderr(&output)),
    }
    Ok(tally)
}

/// All clients connect. Then they send their requests, and in the middle the daemon receives SIGTERM.
fn run_round(program: &str, number: u32) -> Result<Tally, Box<dyn Error>> {
    let fixture = Fixture::new()?;
    let daemon = fixture.start(program)?;
    let socket = fixture.socket()?;
    let stop = Stop::default();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        for kind in KINDS {
            clients.push(Client::connect(&socket, kind, &stop)?);
        }
    }
    let silent = UnixStream::connect(&socket)?;
    let curls = start_curls(&socket)?;
    let schedule = Schedule::of_round(number, clients.len());
    let threads: Vec<_> = clients
        .into_iter()
        .zip(0..)
        .map(|(client, index)| thread::spawn(move || client.run(schedule.start_of(index))))
        .collect();
    thread::sleep(schedule.until_stop());
    stop.send(&daemon);
    let mut tally = Tally::default();
    for thread in threads {
        tally.add(thread.join().map_err(|_| "a client panicked")?);
    }
    for curl in curls {
        tally.add(result_of_curl(curl)?);
    }
    expect_drained(daemon)?;
    drop(silent);
    Ok(tally)
}

fn run(program: &str) -> TestResult {
    let mut total = Total::new(program)?;
    for number in total.rounds() {
        total.add(number, run_round(program, number)?);
    }
    total.expect_none_lost();
    Ok(())
}

#[test]
fn a_drain_loses_no_client_of_axum() -> TestResult {
    run(env!("CARGO_BIN_EXE_axum-daemon"))
}

#[test]
fn a_drain_loses_no_client_of_hyper() -> TestResult {
    run(env!("CARGO_BIN_EXE_hyper-daemon"))
}
