//! A client on tokio's one thread: `ask-tokio <directory> <executable of the daemon> <line>` asks twice at
//! once, waiting until the daemon is ready, and says how often a timer beside it went off meanwhile. With `ASK_TELL`
//! it says when it is connected for both. `ask-tokio <directory> <executable> reap <other directory>` ends the daemon
//! that it has started, and says whether it has waited for it once it is connected to the other directory's.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::time::Duration;

use brokered_runtime::{Instance, WaitFor};
use daemon_tests::{SUBJECT, process_state, until_ended};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(ask())
}

async fn ask() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("ask-tokio <directory> <daemon> <line>")
    };
    let instance = SUBJECT.at(next()?).program(next()?).wait(WaitFor::Ready);
    let line = next()?;
    if line == "reap" {
        let other = SUBJECT.at(next()?);
        return reap(&instance, &other).await;
    }
    let ticking = tokio::spawn(tick());
    let (one, other) = tokio::join!(answer(&instance, &line), answer(&instance, &line));
    ticking.abort();
    println!("{}{}", one?, other?);
    // Warm by now.
    let mut stream = instance.connect_tokio().await?;
    stream.write_all(b"pid\n").await?;
    let mut pid = String::new();
    stream.read_to_string(&mut pid).await?;
    print!("{pid}");
    Ok(())
}

async fn reap(instance: &Instance, other: &Instance) -> Result<(), Box<dyn Error>> {
    let pid = answer(instance, "pid").await?.trim_end().parse()?;
    answer(instance, "stop").await?;
    until_ended(pid);
    let other = answer(other, "pid").await?;
    match process_state(pid) {
        Some(state) => println!("{state}, served by {other}"),
        None => println!("waited for, served by {other}"),
    }
    Ok(())
}

async fn answer(instance: &Instance, line: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = instance.connect_or_spawn_tokio().await?;
    if env::var_os("ASK_TELL").is_some() {
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
