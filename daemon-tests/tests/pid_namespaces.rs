//! Clients and daemons in different PID namespaces.

#![cfg(unix)]

mod common;

use std::process::Stdio;

use common::{
    Fixture, ROOT, TIMEOUT, TestResult, has_requirements, output_within, read_line, replied_pid,
    spawn_piped, wait_until, wait_within,
};

#[test]
fn clients_and_daemons_in_different_pid_namespaces_connect() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let client_inside = |fixture: &Fixture, shell: &str| {
        let client = fixture.client_command("pid");
        let mut command = fixture.command("unshare");
        command
            .args(["--pid", "--fork", "sh", "-c", shell, "sh"])
            .arg(client.get_program())
            .args(client.get_args())
            .env_remove("BROKERED_INSTANCE");
        command
    };
    let fixture = Fixture::new()?;
    let pid = fixture.request("pid")?;
    let output = output_within(TIMEOUT, &mut client_inside(&fixture, "\"$@\"; exit $?"));
    assert_eq!(replied_pid(&fixture, &output)?, pid);

    // The reverse: a daemon inside the namespace, which runs as long as the namespace's first process.
    let fixture = Fixture::new()?;
    let mut first = client_inside(&fixture, "\"$@\"; echo; read -r _");
    let mut first = spawn_piped(first.stdin(Stdio::piped()));
    let mut report = std::io::BufReader::new(first.0.stdout.take().ok_or("no output")?);
    let inner_pid = read_line(&mut report)?;
    let output = output_within(TIMEOUT, &mut fixture.client_command("pid"));
    assert_eq!(
        replied_pid(&fixture, &output)?,
        inner_pid,
        "the PID inside the namespace"
    );
    drop(first.0.stdin.take());
    wait_within(TIMEOUT, first);
    wait_until("the lock is free", || {
        fixture.is_lock_free().unwrap_or(false)
    });
    let output = output_within(TIMEOUT, &mut fixture.client_command("pid"));
    replied_pid(&fixture, &output)?;
    Ok(())
}
