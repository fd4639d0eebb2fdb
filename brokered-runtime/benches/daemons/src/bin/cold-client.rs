//! One cold client, in a process of its own, as a command line that was just started is one.
//!
//! - `cold-client launch bound|ready|nothing PROGRAM`: `connect_or_spawn` on the instance that
//!   `BROKERED_RUNTIME_DIR` gives, then the first reply.
//! - `cold-client spin ENDPOINT PROGRAM [ARGUMENT]...`: the same by hand: spawn, connect until it works,
//!   read the first reply.
//! - `cold-client repeat MIB PROGRAM`: a process that goes on, with that much memory: starts an echo daemon of its
//!   own at each line that it reads, and prints nanoseconds until it was bound, and its process id.
//!
//! Prints nanoseconds from just before the call until connected and until the first reply came, then the
//! daemon's process id where this process knows it.
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
    const PATIENCE: Duration = Duration::from_secs(20);

    type Outcome = Result<(), Box<dyn Error>>;

    pub(super) fn main() -> Outcome {
        let mut arguments = std::env::args_os().skip(1);
        let mut next = || arguments.next().ok_or("an argument is missing");
        match next()?.to_str() {
            Some("launch") => launch(&next()?, next()?),
            Some("spin") => {
                let (endpoint, program) = (next()?, next()?);
                spin(&endpoint, program, arguments)
            }
            Some("repeat") => repeat(&next()?, &next()?),
            other => Err(format!("no such mode: {other:?}").into()),
        }
    }

    fn launch(wait: &OsString, program: OsString) -> Outcome {
        let wait = match wait.to_str() {
            Some("bound") => WaitFor::Bound,
            Some("ready") => WaitFor::Ready,
            Some("nothing") => WaitFor::Nothing,
            other => return Err(format!("no such wait: {other:?}").into()),
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

    /// Between two attempts the client offers its core to whoever wants it. Spinning without that, it shares a
    /// core with the daemon in many rounds, and the daemon then waits for the end of the client's time
    /// slice, which is milliseconds: that would flatter whoever is compared with it.
    fn spin(
        endpoint: &OsString,
        program: OsString,
        arguments: impl Iterator<Item = OsString>,
    ) -> Outcome {
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
                Err(error) if called.elapsed() > PATIENCE => return Err(error.into()),
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

    fn repeat(mib: &OsString, program: &OsString) -> Outcome {
        let mib: usize = mib.to_str().ok_or("no number")?.parse()?;
        // Touched, or it would not be resident.
        let memory = vec![1_u8; mib << 20];
        let mut told = io::stdin().lines();
        let mut round = 0;
        while let Some(Ok(_)) = told.next() {
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

    /// The whole reply: a hello that was cut short is not one.
    fn expect_hello(stream: &mut impl Read) -> io::Result<()> {
        let mut reply = [0; 6];
        stream.read_exact(&mut reply)?;
        if &reply == b"hello\n" {
            Ok(())
        } else {
            Err(io::Error::other("that was no hello"))
        }
    }

    fn report(connected: Duration, replied: Duration, daemon: Option<u32>) {
        let daemon = daemon.map_or_else(|| "-".to_owned(), |id| id.to_string());
        println!("{} {} {daemon}", connected.as_nanos(), replied.as_nanos());
    }
}
