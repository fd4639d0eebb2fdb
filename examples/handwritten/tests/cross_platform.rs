//! `handwritten` on every platform.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::Command;

use brokered_runtime::testing;

const HANDWRITTEN: &str = env!("CARGO_BIN_EXE_handwritten");

#[test]
fn lines_come_back_in_upper_case_and_a_second_daemon_exits_with_69() -> Result<(), Box<dyn Error>> {
    let daemon = testing::launch(HANDWRITTEN).start()?;
    let mut stream = BufReader::new(daemon.connect()?);
    writeln!(stream.get_mut(), "hello")?;
    let mut reply = String::new();
    stream.read_line(&mut reply)?;
    assert_eq!(reply, "HELLO\n");
    let second = Command::new(HANDWRITTEN)
        .env("BROKERED_RUNTIME_DIR", daemon.runtime_directory())
        .output()?;
    assert_eq!(second.status.code(), Some(69));
    Ok(())
}
