//! A daemon whose state loads in the background, from a fifo. Each line is progress; `fail` and `panic` end the load
//! in that way, and so does the end of the file, with success. It prints when it is drained.

#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};

use brokered_runtime::{Background, Bound, State, brokered_daemon};
use daemon_tests::{BACKGROUND_LOAD_DAEMON, LOAD_FIFO};

struct Lines(usize);

impl State for Lines {
    type Error = io::Error;

    fn load(bound: &Bound) -> io::Result<Self> {
        let mut number = 0;
        if let Some(fifo) = env::var_os(LOAD_FIFO) {
            for line in BufReader::new(fs::File::open(fifo)?).lines() {
                match line?.as_str() {
                    "fail" => return Err(io::Error::from_raw_os_error(2)),
                    "panic" => panic!("the fifo said so"),
                    progress => bound.set_status(progress),
                }
                number += 1;
            }
        }
        Ok(Self(number))
    }
}

#[brokered_daemon(BACKGROUND_LOAD_DAEMON)]
fn main(bound: Bound, lines: Background<Lines>) -> io::Result<()> {
    let handle = bound.handle();
    let drained = handle.drained();
    bound.serve(move |client| {
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line)?;
        let mut reply = &client;
        match line.trim_end() {
            "peek" => writeln!(reply, "{:?}", lines.try_get().map(|lines| lines.0)),
            "phase" => writeln!(reply, "{}", handle.phase()),
            _ => writeln!(reply, "{}", lines.get().0),
        }
    })?;
    drained.wait();
    eprintln!("drained");
    Ok(())
}
