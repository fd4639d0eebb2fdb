//! One cold client in its own process, as a command line tool is.
//!
//! - `cold-client launch bound|ready|nothing PROGRAM`: `connect_or_spawn` with the runtime directory of
//!   `BROKERED_RUNTIME_DIR`, then the first reply.
//! - `cold-client spin ENDPOINT PROGRAM [ARGUMENT]...`: the same by hand: spawn, try to connect until that
//!   succeeds, read the first reply.
//! - `cold-client repeat MIB PROGRAM`: a long-running process with that much memory. For each line that it reads, it
//!   launches another echo daemon, and prints the nanoseconds until the daemon was bound and the daemon's PID.
//!
//! The first two print the nanoseconds from the call to the connection and to the first reply, then the daemon's PID, or `-`
//! if this process does not know it.
#![forbid(unsafe_code)]

use std::error::Error;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    unix::main()
}

#[cfg(not(unix))]
fn main() -> Result<(), Box<dyn Error>> {
    Err("cold-client: Unix only".into())
}

#[cfg(unix)]
mod unix {
    use std::error::Error;
    use std::ffi::OsString;
    use std::io::{self, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use brokered_runtime::{Daemon, WaitFor};

    const HELLO: Daemon = Daemon::new("hello");
    const ECHO: Daemon = Daemon::new("echo");
    const TIMEOUT: Duration = Duration::from_secs(20);

    type MainResult = Result<(), Box<dyn Error>>;

    pub(super) fn main() -> MainResult {
        let mut arguments = std::env::args_os().skip(1);
        let mut next = || arguments.next().ok_or("an argument is missing");
        match next()?.to_str() {
            Some("launch") => launch(&next()?, next()?),
            Some("spin") => {
                let (endpoint, program) = (next()?, next()?);
                spin(&endpoint, program, arguments)
            }
            Some("repeat") => repeat(&next()?, &next()?),
            other => Err(format!("unknown mode: {other:?}").into()),
        }
    }

    fn launch(wait: &OsString, program: OsString) -> MainResult {
        let wait = match wait.to_str() {
            Some("bound") => WaitFor::Bound,
            Some("ready") => WaitFor::Ready,
            Some("nothing") => WaitFor::Nothing,
            other => return Err(format!("unknown wait: {other:?}").into()),
        };
        let called = Instant::now();
        let mut stream = HELLO
            .instance()
            .program(program)
            .wait(wait)
            .connect_or_spawn()?;
        let connected = called.elapsed();
        expect_hello(&mut stream)?;
        report(connected, called.elapsed(), None);
        Ok(())
    }

    /// The client yields its core between two attempts. Without that, it shares a core with the daemon in many rounds, and
    /// the daemon waits milliseconds for the end of the client's time slice. That would make the baseline too slow.
    fn spin(
        endpoint: &OsString,
        program: OsString,
        arguments: impl Iterator<Item = OsString>,
    ) -> MainResult {
        let mut command = Command::new(program);
        command.arg(endpoint).args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let called = Instant::now();
        let mut daemon = command.spawn()?;
        let mut stream = loop {
            match UnixStream::connect(endpoint) {
                Ok(stream) => break stream,
                Err(error) if called.elapsed() > TIMEOUT => return Err(error.into()),
                Err(_) => std::thread::yield_now(),
            }
        };
        let connected = called.elapsed();
        if let Err(error) = expect_hello(&mut stream) {
            let _ = daemon.kill();
            return Err(error.into());
        }
        report(connected, called.elapsed(), Some(daemon.id()));
        Ok(())
    }

    fn repeat(mib: &OsString, program: &OsString) -> MainResult {
        let mib: usize = mib.to_str().ok_or("not a number")?.parse()?;
        // Written memory is resident.
        let memory = vec![1_u8; mib << 20];
        let mut commands = io::stdin().lines();
        let mut round = 0;
        while let Some(Ok(_)) = commands.next() {
            round += 1;
            let instance = ECHO.named(format!("round {round}")).program(program);
            let instance = instance.arg("serve");
            let called = Instant::now();
            let mut stream = instance.connect_or_spawn()?;
            let bound = called.elapsed();
            stream.write_all(b"p")?;
            let mut daemon = [0; 4];
            stream.read_exact(&mut daemon)?;
            println!("{} {}", bound.as_nanos(), u32::from_ne_bytes(daemon));
        }
        drop(std::hint::black_box(memory));
        Ok(())
    }

    /// Reads the whole reply.
    fn expect_hello(stream: &mut impl Read) -> io::Result<()> {
        let mut reply = [0; 6];
        stream.read_exact(&mut reply)?;
        if &reply == b"hello\n" {
            Ok(())
        } else {
            Err(io::Error::other("the reply is not hello"))
        }
    }

    fn report(connected: Duration, replied: Duration, daemon: Option<u32>) {
        let daemon = daemon.map_or_else(|| "-".to_owned(), |id| id.to_string());
        println!("{} {} {daemon}", connected.as_nanos(), replied.as_nanos());
    }
}
