//! `hello` on every platform.

use std::error::Error;
use std::io::Read;
use std::process::Command;

use brokered_runtime::testing;

const HELLO: &str = env!("CARGO_BIN_EXE_hello");

#[test]
fn hello_greets_each_client_and_stops_with_success() -> Result<(), Box<dyn Error>> {
    let hello = testing::launch(HELLO).start()?;
    for _ in 0..3 {
        let mut greeting = String::new();
        hello.connect()?.read_to_string(&mut greeting)?;
        assert_eq!(greeting, "hello\n");
    }
    assert!(hello.stop()?.success());
    Ok(())
}

#[test]
fn help_prints_the_endpoint() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let output = Command::new(HELLO)
        .arg("--help")
        .env("BROKERED_RUNTIME_DIR", directory.path().join("runtime"))
        .output()?;
    let help = String::from_utf8(output.stdout)?;
    let lines: Vec<&str> = help.lines().collect();
    let title = lines.iter().position(|line| *line == "Endpoint:");
    let endpoint = lines[title.ok_or("no endpoint in the help")? + 1];
    assert!(endpoint.contains("hello"), "{help}");
    Ok(())
}
