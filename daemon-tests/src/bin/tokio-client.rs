//! A client on a single-threaded tokio runtime.
//!
//! - `tokio-client <directory> <executable of the daemon> <line>` sends the line on two connections at once, after
//!   waiting for readiness. A timer prints `tick` meanwhile. With `TEST_CLIENT_REPORT_CONNECTED` it prints `connected`
//!   for each connection.
//! - `tokio-client <directory> <executable of the daemon> reap <other directory>` stops the daemon that it has launched,
//!   connects to the daemon of the other directory, and prints whether it has reaped the first one.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::time::Duration;

use brokered_runtime::{Instance, WaitFor};
use daemon_tests::{TEST_DAEMON, process_state, wait_for_exit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("tokio-client <directory> <daemon> <line>")
    };
    let instance = TEST_DAEMON
        .at(next()?)
        .program(next()?)
        .wait(WaitFor::Ready);
    let line = next()?;
    if line == "reap" {
        let other = TEST_DAEMON.at(next()?);
        return reap(&instance, &other).await;
    }
    let ticking = tokio::spawn(tick());
    let (first, second) = tokio::join!(request(&instance, &line), request(&instance, &line));
    ticking.abort();
    println!("{}{}", first?, second?);
    // The daemon is ready by now.
    let mut stream = instance.connect_tokio().await?;
    stream.write_all(b"pid\n").await?;
    let mut pid = String::new();
    stream.read_to_string(&mut pid).await?;
    print!("{pid}");
    Ok(())
}

async fn reap(instance: &Instance, other: &Instance) -> Result<(), Box<dyn Error>> {
    let pid = request(instance, "pid").await?.trim_end().parse()?;
    request(instance, "stop").await?;
    wait_for_exit(pid);
    let other = request(other, "pid").await?;
    match process_state(pid) {
        Some(state) => println!("{state}, served by {other}"),
        None => println!("reaped, served by {other}"),
    }
    Ok(())
}

async fn request(instance: &Instance, line: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = instance.connect_or_spawn_tokio().await?;
    if env::var_os("TEST_CLIENT_REPORT_CONNECTED").is_some() {
        println!("connected");
    }
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn tick() {
    loop {
        time::sleep(Duration::from_millis(1)).await;
        println!("tick");
    }
}
