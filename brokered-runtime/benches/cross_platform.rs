//! What a warm connect and a one-byte round trip cost on this platform, against the same by `interprocess` alone: the
//! one row that is measured also where the other budgets can't be, in one process.
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
    let (mut ours, mut raws) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(timed(|| round_trip(reach(&instance)?))?);
        raws.push(timed(|| round_trip(raw(&endpoint)?))?);
    }
    let (ours, raws) = (median(ours), median(raws));
    println!(
        "warm connect_or_spawn and round trip: {:.1} µs; interprocess alone: {:.1} µs; ratio {:.3} ({ROUNDS} rounds)",
        ours.as_secs_f64() * 1e6,
        raws.as_secs_f64() * 1e6,
        ours.as_secs_f64() / raws.as_secs_f64()
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

fn reach(instance: &Instance) -> io::Result<IpcStream> {
    instance.connect_or_spawn().map_err(io::Error::other)
}

fn raw(endpoint: &Path) -> io::Result<IpcStream> {
    IpcStream::connect(endpoint.to_fs_name::<GenericFilePath>()?)
}

fn round_trip(mut stream: IpcStream) -> io::Result<()> {
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])
}

fn timed(what: impl FnOnce() -> io::Result<()>) -> io::Result<Duration> {
    let began = Instant::now();
    what()?;
    Ok(began.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
