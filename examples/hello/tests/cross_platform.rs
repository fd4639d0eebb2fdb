//! `hello` on every platform.

use std::error::Error;
use std::io::Read;
use std::process::Command;

use brokered_runtime::testing;

const HELLO: &str = env!("CARGO_BIN_EXE_hello");

#[test]
fn it_says_hello_and_ends_when_it_is_asked_to() -> Result<(), Box<dyn Error>> {
    let hello = testing::launch(HELLO).start()?;
    for _ in 0..3 {
        let mut said = String::new();
        hello.connect()?.read_to_string(&mut said)?;
        assert_eq!(said, "hello\n");
    }
    assert!(hello.stop()?.success());
    Ok(())
}

#[test]
fn help_tells_where_it_listens() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let output = Command::new(HELLO)
        .arg("--help")
        .env("BROKERED_RUNTIME_DIR", place.path().join("runtime"))
        .output()?;
    let help = String::from_utf8(output.stdout)?;
    let lines: Vec<&str> = help.lines().collect();
    let title = lines.iter().position(|line| *line == "Endpoint:");
    let endpoint = lines[title.ok_or("an endpoint")? + 1];
    assert!(endpoint.contains("hello"), "{help}");
    Ok(())
}
