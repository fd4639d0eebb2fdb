//! `handwritten` on every platform.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::Command;

use brokered_runtime::testing;

const HANDWRITTEN: &str = env!("CARGO_BIN_EXE_handwritten");

#[test]
fn it_shouts_and_is_the_only_one() -> Result<(), Box<dyn Error>> {
    let daemon = testing::launch(HANDWRITTEN).start()?;
    let mut stream = BufReader::new(daemon.connect()?);
    writeln!(stream.get_mut(), "good evening")?;
    let mut answer = String::new();
    stream.read_line(&mut answer)?;
    assert_eq!(answer, "GOOD EVENING\n");
    let second = Command::new(HANDWRITTEN)
        .env("BROKERED_RUNTIME_DIR", daemon.runtime_directory())
        .output()?;
    assert_eq!(second.status.code(), Some(69));
    Ok(())
}
