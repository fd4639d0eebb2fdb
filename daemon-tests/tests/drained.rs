//! When `Handle::drained` is set.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use brokered_runtime::{Bound, Drained, TokioStream, testing};
use common::{ChildProcess, Fixture, TestResult, make_fifo, stderr, wait_until};
use daemon_tests::{LOAD_FIFO, SINGLE_INSTANCE_DAEMON};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time;

/// Longer than a settled client delays a drain.
const A_WHILE: Duration = Duration::from_millis(500);

/// Before this time, nothing but settled clients ends the wait.
const LIMIT: Duration = Duration::from_secs(4);

fn bound() -> Result<Bound, Box<dyn Error>> {
    Ok(testing::bound(SINGLE_INSTANCE_DAEMON)?)
}

fn connect(bound: &Bound) -> Result<UnixStream, Box<dyn Error>> {
    Ok(UnixStream::connect(bound.instance().endpoint()?)?)
}

/// Waits until it is set, and expects that to be soon.
#[track_caller]
fn expect_soon(drained: &Drained) {
    let began = Instant::now();
    drained.wait();
    assert!(drained.is_set());
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
}

#[test]
fn it_is_set_without_clients_and_when_it_is_asked_for_late() -> TestResult {
    let bound = bound()?;
    let handle = bound.handle();
    let before = handle.drained();
    let incoming = bound.incoming();
    thread::sleep(Duration::from_millis(50));
    assert!(!before.is_set(), "the drain has not begun");
    handle.stop();
    let during = handle.drained();
    assert_eq!(incoming.count(), 0);
    expect_soon(&before);
    expect_soon(&during);
    assert!(handle.drained().is_set());
    Ok(())
}

#[test]
fn it_is_set_when_nothing_accepts_any_more() -> TestResult {
    let unused = bound()?;
    let (handle, drained) = (unused.handle(), unused.handle().drained());
    drop(unused);
    handle.stop();
    expect_soon(&drained);

    let own_loop = bound()?;
    let (handle, drained) = (own_loop.handle(), own_loop.handle().drained());
    let _listener = own_loop.into_listener();
    handle.stop();
    expect_soon(&drained);

    let served = bound()?;
    let (handle, drained) = (served.handle(), served.handle().drained());
    let _client = connect(&served)?;
    let mut incoming = served.incoming();
    let _accepted = incoming.next();
    drop(incoming);
    handle.stop();
    expect_soon(&drained);
    Ok(())
}

#[test]
fn it_waits_for_the_clients_in_the_backlog() -> TestResult {
    let bound = bound()?;
    let (handle, drained) = (bound.handle(), bound.handle().drained());
    let mut clients = [connect(&bound)?, connect(&bound)?];
    for client in &mut clients {
        client.write_all(b"x")?;
    }
    let served = AtomicUsize::new(0);
    thread::scope(|scope| -> TestResult {
        let serving = scope.spawn(|| {
            bound.max_connections(1).serve(|mut client| {
                served.fetch_add(1, Ordering::Relaxed);
                let mut line = [0; 2];
                client.read_exact(&mut line)?;
                client.write_all(&line)
            })
        });
        wait_until("a client is served", || served.load(Ordering::Relaxed) == 1);
        handle.stop();
        thread::sleep(A_WHILE);
        let is_early = drained.is_set();
        for client in &mut clients {
            client.write_all(b"y")?;
        }
        serving.join().expect("no panic")?;
        assert!(!is_early, "a client was in the backlog");
        expect_soon(&drained);
        Ok(())
    })?;
    for client in &mut clients {
        let mut reply = String::new();
        client.read_to_string(&mut reply)?;
        assert_eq!(reply, "xy");
    }
    Ok(())
}

/// A daemon on tokio that shuts down, with one client that it has accepted.
async fn with_client(
    prepare: impl AsyncFnOnce(&mut UnixStream, &mut TokioStream) -> TestResult,
) -> Result<(UnixStream, TokioStream, Drained), Box<dyn Error>> {
    let bound = bound()?;
    let (handle, drained) = (bound.handle(), bound.handle().drained());
    let mut client = connect(&bound)?;
    let mut listener = bound.into_tokio()?;
    let mut stream = listener.accept().await?.ok_or("no client")?;
    prepare(&mut client, &mut stream).await?;
    handle.stop();
    assert!(listener.accept().await?.is_none());
    Ok((client, stream, drained))
}

/// One request of the client, and its reply.
async fn serve_one(client: &mut UnixStream, stream: &mut TokioStream) -> TestResult {
    client.write_all(b"request")?;
    stream.read_exact(&mut [0; 7]).await?;
    stream.write_all(b"reply").await?;
    // The server waits for the next request.
    let next = time::timeout(Duration::from_millis(1), stream.read_u8()).await;
    assert!(next.is_err());
    Ok(())
}

#[tokio::test]
async fn it_waits_until_a_request_that_has_arrived_is_read() -> TestResult {
    let (client, mut stream, drained) = with_client(async |_, _| Ok(())).await?;
    (&client).write_all(b"first")?;
    time::sleep(A_WHILE).await;
    assert!(!drained.is_set(), "the first request is not read");
    stream.read_exact(&mut [0; 5]).await?;
    time::timeout(LIMIT, drained).await?;

    let (client, mut stream, drained) = with_client(serve_one).await?;
    (&client).write_all(b"second")?;
    time::sleep(A_WHILE).await;
    assert!(!drained.is_set(), "the second request is not read");
    stream.read_exact(&mut [0; 6]).await?;
    time::timeout(LIMIT, drained).await?;
    Ok(())
}

#[tokio::test]
async fn it_does_not_wait_for_bytes_that_the_server_does_not_want_yet() -> TestResult {
    let (_client, _stream, drained) = with_client(async |client, stream| {
        client.write_all(b"head and body")?;
        Ok(stream.read_exact(&mut [0; 4]).await.map(drop)?)
    })
    .await?;
    time::timeout(LIMIT, drained).await?;
    Ok(())
}

#[tokio::test]
async fn a_client_that_sends_without_a_pause_delays_it_for_a_second() -> TestResult {
    let (mut client, mut stream, drained) = with_client(async |_, _| Ok(())).await?;
    let began = Instant::now();
    let ended = drained.clone();
    let sending = thread::spawn(move || {
        while !ended.is_set() {
            client.write_all(b"x").expect("the daemon reads");
            thread::sleep(Duration::from_millis(1));
        }
    });
    let reading = async { while stream.read_u8().await.is_ok() {} };
    tokio::select! {
        () = reading => return Err("the stream ended".into()),
        () = drained => {}
    }
    assert!(began.elapsed() >= Duration::from_millis(900) && began.elapsed() < LIMIT);
    sending.join().expect("no panic");
    Ok(())
}

#[tokio::test]
async fn a_client_that_sends_nothing_gets_the_end_of_the_stream() -> TestResult {
    let (_silent, mut stream, _drained) = with_client(async |_, _| Ok(())).await?;
    let end = time::timeout(LIMIT, stream.read(&mut [0; 1])).await??;
    assert_eq!(end, 0);
    // A reply still arrives, and a client that has sent something keeps its connection.
    stream.write_all(b"bye").await?;
    let (client, mut stream, drained) = with_client(serve_one).await?;
    time::timeout(LIMIT, drained).await?;
    (&client).write_all(b"later")?;
    stream.read_exact(&mut [0; 5]).await?;
    Ok(())
}

#[test]
fn a_daemon_that_fails_is_drained() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let program = env!("CARGO_BIN_EXE_background-load-daemon");
    let mut command = fixture.command_without_instance(program);
    command.env(LOAD_FIFO, &fifo).stderr(Stdio::piped());
    let daemon = ChildProcess(command.spawn()?);
    std::fs::write(&fifo, "fail\n")?;
    let output = daemon.wait_with_output()?;
    assert_eq!(output.status.code(), Some(70), "{}", stderr(&output));
    assert!(stderr(&output).contains("drained\n"), "{}", stderr(&output));
    Ok(())
}
