//! A daemon on tokio that tells its process ID and then waits for the client to go. It prints the spans and events of
//! the framework.

#![forbid(unsafe_code)]

use std::io;
use std::process;

use brokered_runtime::{Background, Bound, State, brokered_daemon};
use daemon_tests::{ASYNC, Printer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

struct Answer(u32);

impl State for Answer {
    type Error = String;

    fn load(_bound: &Bound) -> Result<Self, String> {
        Ok(Self(process::id()))
    }
}

/// Set where states are loaded first, so that it hears of the other's load.
struct Tracing;

impl State for Tracing {
    type Error = String;

    fn load(_bound: &Bound) -> Result<Self, String> {
        tracing::subscriber::set_global_default(Printer::default())
            .map(|()| Self)
            .map_err(|error| error.to_string())
    }
}

#[brokered_daemon(ASYNC)]
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
