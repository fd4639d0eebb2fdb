//! A daemon on tokio. It sends its process ID, then waits for the client to hang up. It prints the framework's spans
//! and events.

#![forbid(unsafe_code)]

use std::io;
use std::process;

use brokered_runtime::{Background, Bound, State, brokered_daemon};
use daemon_tests::{TOKIO_DAEMON, TracePrinter};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

struct Answer(u32);

impl State for Answer {
    type Error = String;

    fn load(_bound: &Bound) -> Result<Self, String> {
        Ok(Self(process::id()))
    }
}

/// A state that installs the subscriber. It loads first, so that the load of the other state is traced.
struct Tracing;

impl State for Tracing {
    type Error = String;

    fn load(_bound: &Bound) -> Result<Self, String> {
        tracing::subscriber::set_global_default(TracePrinter::default())
            .map(|()| Self)
            .map_err(|error| error.to_string())
    }
}

#[brokered_daemon(TOKIO_DAEMON)]
#[tokio::main(flavor = "current_thread")]
async fn main(bound: Bound, _tracing: Tracing, answer: Background<Answer>) -> io::Result<()> {
    let mut listener = bound.into_tokio()?;
    let mut clients = JoinSet::new();
    while let Some(mut client) = listener.accept().await? {
        let answer = answer.clone();
        clients.spawn(async move {
            let text = format!("{}\n", answer.wait().await.0);
            client.write_all(text.as_bytes()).await?;
            client.read_to_end(&mut Vec::new()).await
        });
    }
    while clients.join_next().await.is_some() {}
    println!("served");
    Ok(())
}
