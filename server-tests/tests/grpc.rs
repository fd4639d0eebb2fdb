//! The daemon on tonic loses no client when it is stopped.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use common::{Fixture, Schedule, Stop, Tally, TestResult, Total, expect_drained};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// How many clients of each kind connect in a round.
const CLIENTS: usize = 20;

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The HTTP/2 handshake and a call.
    First,
    /// The handshake and a call before the round begins, and a second call.
    Second,
    /// Calls without a pause, until the daemon closes the connection.
    Repeated,
}

const KINDS: [Kind; 3] = [Kind::First, Kind::Second, Kind::Repeated];

/// A client that has connected, and has sent nothing.
struct Client {
    kind: Kind,
    calls: HealthClient<Channel>,
    stop: Stop,
}

impl Client {
    async fn connect(socket: &Path, kind: Kind, stop: &Stop) -> Result<Self, Box<dyn Error>> {
        let stream = UnixStream::connect(socket)?;
        stream.set_nonblocking(true)?;
        let mut stream = Some(tokio::net::UnixStream::from_std(stream)?);
        let connector = tower::service_fn(move |_| {
            let stream = stream.take().map(TokioIo::new);
            async { stream.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused)) }
        });
        let channel = Endpoint::from_static("http://localhost")
            .timeout(common::TIMEOUT)
            .connect_with_connector_lazy(connector);
        let mut client = Self {
            kind,
            calls: HealthClient::new(channel),
            stop: stop.clone(),
        };
        if kind == Kind::Second {
            client.call().await?;
        }
        Ok(client)
    }

    async fn call(&mut self) -> Result<(), Status> {
        let request = HealthCheckRequest::default();
        self.calls.check(request).await.map(drop)
    }

    async fn run(mut self, begin: Instant) -> Tally {
        let mut tally = Tally::default();
        time::sleep_until(begin.into()).await;
        loop {
            let in_time = self.stop.is_in_time(None);
            let Err(status) = self.call().await else {
                tally.answered += 1;
                if self.kind == Kind::Repeated {
                    continue;
                }
                break;
            };
            // Calls without a pause end with one that fails, because the daemon closes the connection.
            if in_time {
                tally.lost.push(format!("{:?}: {status:?}", self.kind));
            } else if self.kind != Kind::Repeated {
                tally.late += 1;
            }
            break;
        }
        tally
    }
}

/// All clients connect. Then they call, and in the middle the daemon receives SIGTERM.
async fn run_round(program: &str, number: u32) -> Result<Tally, Box<dyn Error>> {
    let fixture = Fixture::new()?;
    let daemon = fixture.start(program)?;
    let socket = fixture.socket()?;
    let stop = Stop::default();
    // Clients that call without a pause delay the end, and hide what happens without them.
    let kinds = &KINDS[..if number % 4 == 3 { 3 } else { 2 }];
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        for kind in kinds {
            clients.push(Client::connect(&socket, *kind, &stop).await?);
        }
    }
    let silent = UnixStream::connect(&socket)?;
    let schedule = Schedule::of_round(number, clients.len());
    let mut running = JoinSet::new();
    for (client, index) in clients.into_iter().zip(0..) {
        running.spawn(client.run(schedule.start_of(index)));
    }
    time::sleep(schedule.until_stop()).await;
    stop.send(&daemon);
    let mut tally = Tally::default();
    while let Some(client) = running.join_next().await {
        tally.add(client?);
    }
    expect_drained(daemon)?;
    drop(silent);
    Ok(tally)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_loses_no_client_of_tonic() -> TestResult {
    let program = env!("CARGO_BIN_EXE_tonic-daemon");
    let mut total = Total::new(program)?;
    for number in total.rounds() {
        total.add(number, run_round(program, number).await?);
    }
    total.expect_none_lost();
    Ok(())
}
