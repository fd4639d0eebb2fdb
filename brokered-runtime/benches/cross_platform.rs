//! The cost of a warm connect and a one-byte round trip, compared with `interprocess` alone. It runs in one process, so
//! it works on every platform; the other budgets are for Unix.
//!
//! `cargo bench -p brokered-runtime --features testing --bench cross_platform`

use std::error::Error;
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use brokered_runtime::interprocess::local_socket::traits::Stream as _;
use brokered_runtime::interprocess::local_socket::{GenericFilePath, ToFsName};
use brokered_runtime::{Daemon, Instance, IpcStream, testing};

const ECHO: Daemon = Daemon::new("echo");
const ROUNDS: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let bound = testing::bound(ECHO)?;
    let instance = bound.instance().clone();
    let handle = bound.handle();
    let serving = thread::spawn(move || bound.serve(echo));
    let endpoint = instance.endpoint()?;
    let (mut ours, mut raw_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time(|| round_trip(connect(&instance)?))?);
        raw_times.push(time(|| round_trip(connect_raw(&endpoint)?))?);
    }
    let (ours, raw) = (median(ours), median(raw_times));
    println!(
        "warm connect_or_spawn and round trip: {:.1} µs; interprocess alone: {:.1} µs; ratio {:.3} ({ROUNDS} rounds)",
        ours.as_secs_f64() * 1e6,
        raw.as_secs_f64() * 1e6,
        ours.as_secs_f64() / raw.as_secs_f64()
    );
    handle.stop();
    serving.join().map_err(|_| "the server panicked")??;
    Ok(())
}

fn echo(mut client: IpcStream) -> io::Result<()> {
    let mut byte = [0];
    client.read_exact(&mut byte)?;
    client.write_all(&byte)
}

fn connect(instance: &Instance) -> io::Result<IpcStream> {
    instance.connect_or_spawn().map_err(io::Error::other)
}

fn connect_raw(endpoint: &Path) -> io::Result<IpcStream> {
    IpcStream::connect(endpoint.to_fs_name::<GenericFilePath>()?)
}

fn round_trip(mut stream: IpcStream) -> io::Result<()> {
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])
}

fn time(operation: impl FnOnce() -> io::Result<()>) -> io::Result<Duration> {
    let began = Instant::now();
    operation()?;
    Ok(began.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
