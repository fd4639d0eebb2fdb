//! Properties that hold on every platform. The tests run on Linux and under Wine.

#[path = "common/portable.rs"]
mod portable;

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use brokered_runtime::{IpcStream, testing};
use daemon_tests::{CONFIGURATION, LOAD_ERROR, LOAD_UNTIL_FILE, MAIN_RESULT, WITNESS_LOCK};
use portable::{ChildProcess, TestResult, field_of, number_from_env, stderr, stdout, wait_until};

const TEST_DAEMON: &str = env!("CARGO_BIN_EXE_test-daemon");
const RELOAD_DAEMON: &str = env!("CARGO_BIN_EXE_reload-daemon");
const TEST_CLIENT: &str = env!("CARGO_BIN_EXE_test-client");
const TEST_OPERATOR: &str = env!("CARGO_BIN_EXE_test-operator");
const EXEC_DAEMON: &str = env!("CARGO_BIN_EXE_exec-daemon");

/// The fixture of one test: a runtime directory, a project directory, and the daemon that runs there. A daemon that still
/// runs when it is dropped is killed.
struct Fixture {
    root: tempfile::TempDir,
}

impl Fixture {
    fn new() -> io::Result<Self> {
        let root = tempfile::tempdir()?;
        fs::create_dir(root.path().join("project"))?;
        Ok(Self { root })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A command with this fixture's runtime directory.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("BROKERED_RUNTIME_DIR", self.path("runtime"))
            .env_remove("BROKERED_INSTANCE");
        command
    }

    /// A client that sends a line to the test daemon, launching it if it does not run.
    fn client_command(&self, line: &str) -> Command {
        let mut command = self.command(TEST_CLIENT);
        command.arg(self.path("project")).arg(TEST_DAEMON).arg(line);
        command
    }

    fn request(&self, line: &str) -> Result<String, Box<dyn Error>> {
        reply_of(&self.client_command(line).output_with_retries()?)
    }

    /// The output of an operator that runs `status`, `wait` or `stop`.
    fn operate(&self, command: &str) -> Result<String, Box<dyn Error>> {
        let mut operator = self.command(TEST_OPERATOR);
        operator.args([command, "30000"]).arg(self.path("project"));
        reply_of(&operator.output_with_retries()?)
    }

    /// A client that has launched a daemon, which loads until a file exists.
    fn launch_loading_daemon(&self, until: &Path) -> io::Result<Child> {
        let client = self
            .client_command("first")
            .env(LOAD_UNTIL_FILE, until)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn_with_retries()?;
        wait_until("the daemon loads", || {
            self.record_value("PHASE")
                .is_ok_and(|phase| phase == "loading")
        });
        Ok(client)
    }

    /// Starts the test daemon by hand, and waits until it is ready.
    fn start_daemon(&self) -> Result<ChildProcess, Box<dyn Error>> {
        let mut command = self.command(TEST_DAEMON);
        command.env("BROKERED_INSTANCE", self.path("project"));
        self.start(command)
    }

    fn start(&self, mut command: Command) -> Result<ChildProcess, Box<dyn Error>> {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn_with_retries()?;
        let daemon = ChildProcess(child);
        let pid = daemon.pid().to_string();
        wait_until("the daemon is ready", || {
            self.record_value("PID")
                .is_ok_and(|recorded| recorded == pid)
                && self
                    .record_value("PHASE")
                    .is_ok_and(|phase| phase == "ready")
        });
        Ok(daemon)
    }

    fn record(&self) -> Result<String, Box<dyn Error>> {
        let mut instances = fs::read_dir(self.path("runtime"))?;
        let instance = instances.next().ok_or("no instance")??.path();
        assert!(instances.next().is_none(), "more than one instance");
        Ok(fs::read_to_string(instance.join("record"))?)
    }

    fn record_value(&self, key: &str) -> Result<String, Box<dyn Error>> {
        field_of(&self.record()?, key)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Ok(pid) = self.record_value("PID") {
            kill(&pid);
        }
    }
}

/// Kills a process that is not a child of the test.
fn kill(pid: &str) {
    let (program, arguments) = if cfg!(windows) {
        ("taskkill", ["/F", "/PID", pid])
    } else {
        ("kill", ["-s", "KILL", pid])
    };
    let _ = Command::new(program).args(arguments).output_with_retries();
}

/// Starts a command again when Wine fails with an internal error, which happens when other programs end at that moment.
trait Retry {
    fn spawn_with_retries(&mut self) -> io::Result<Child>;

    fn output_with_retries(&mut self) -> io::Result<Output>;
}

impl Retry for Command {
    fn spawn_with_retries(&mut self) -> io::Result<Child> {
        const INTERNAL_ERROR: i32 = 1359;
        let mut retries = 0;
        loop {
            match self.spawn() {
                Err(error)
                    if cfg!(windows)
                        && error.raw_os_error() == Some(INTERNAL_ERROR)
                        && retries < 3 =>
                {
                    retries += 1;
                }
                result => return result,
            }
        }
    }

    fn output_with_retries(&mut self) -> io::Result<Output> {
        self.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.spawn_with_retries()?.wait_with_output()
    }
}

/// The standard output of a client, or its standard error if it failed.
fn reply_of(output: &Output) -> Result<String, Box<dyn Error>> {
    if !output.status.success() {
        return Err(stderr(output).into());
    }
    Ok(stdout(output).trim_end().to_owned())
}

#[test]
fn a_client_starts_the_daemon_and_the_next_client_connects_to_it() -> TestResult {
    let fixture = Fixture::new()?;
    let first = fixture.request("pid")?;
    assert_eq!(fixture.request("pid")?, first);
    assert_eq!(fixture.record_value("PID")?, first);
    assert_eq!(fixture.record_value("OWNER")?, "launcher");
    assert_eq!(fixture.request("phase")?, "ready");
    Ok(())
}

/// The pipes of the launcher end while the daemon runs, and the launcher's working directory can be removed.
#[test]
fn a_daemon_releases_its_starters_pipes_and_directory() -> TestResult {
    let fixture = Fixture::new()?;
    let directory = fixture.path("working-directory");
    fs::create_dir(&directory)?;
    let mut client = fixture
        .client_command("pid")
        .current_dir(&directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn_with_retries()?;
    let (mut stdout, mut stderr) = (String::new(), String::new());
    client
        .stdout
        .take()
        .ok_or("no pipe")?
        .read_to_string(&mut stdout)?;
    client
        .stderr
        .take()
        .ok_or("no pipe")?
        .read_to_string(&mut stderr)?;
    assert!(client.wait()?.success(), "{stderr}");
    fs::remove_dir(&directory)?;
    assert_eq!(fixture.request("pid")?, stdout.trim_end());
    Ok(())
}

#[test]
fn eight_starters_yield_one_daemon() -> TestResult {
    for round in 0..number_from_env("ROUNDS", if cfg!(windows) { 10 } else { 30 })? {
        let fixture = Fixture::new()?;
        let witness = fixture.path("witness");
        let starters = (0..8)
            .map(|_| {
                fixture
                    .client_command("pid")
                    .env(WITNESS_LOCK, &witness)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn_with_retries()
            })
            .collect::<io::Result<Vec<_>>>()?;
        let mut pids = Vec::new();
        for starter in starters {
            pids.push(reply_of(&starter.wait_with_output()?)?);
        }
        pids.dedup();
        assert_eq!(pids.len(), 1, "round {round}: {pids:?}");
        assert!(!witness.with_extension("second").exists(), "round {round}");
    }
    Ok(())
}

#[test]
fn a_killed_daemon_is_replaced_at_once() -> TestResult {
    let fixture = Fixture::new()?;
    let mut before = fixture.request("pid")?;
    for _ in 0..3 {
        kill(&before);
        let mut after = None;
        // A process that is being killed may still accept a connection, but never replies.
        wait_until("the next daemon replies", || {
            after = fixture.request("pid").ok().filter(|pid| *pid != before);
            after.is_some()
        });
        before = after.ok_or("no next daemon")?;
    }
    Ok(())
}

#[test]
fn a_hundred_clients_connect_while_the_daemon_loads() -> TestResult {
    let fixture = Fixture::new()?;
    let loaded = fixture.path("loaded");
    let client = fixture.launch_loading_daemon(&loaded)?;
    let endpoint = PathBuf::from(fixture.record_value("ENDPOINT")?);
    let clients = (0..100)
        .map(|_| connect(&endpoint))
        .collect::<io::Result<Vec<_>>>()?;
    assert_eq!(fixture.record_value("PHASE")?, "loading");
    fs::write(&loaded, "")?;
    for (number, client) in clients.into_iter().enumerate() {
        assert_eq!(reply_to(client, &number.to_string())?, number.to_string());
    }
    assert_eq!(reply_of(&client.wait_with_output()?)?, "first");
    Ok(())
}

#[test]
fn a_second_daemon_exits_with_69() -> TestResult {
    let fixture = Fixture::new()?;
    let first = fixture.start_daemon()?;
    assert_eq!(fixture.request("pid")?, first.pid().to_string());
    let second = fixture
        .command(TEST_DAEMON)
        .env("BROKERED_INSTANCE", fixture.path("project"))
        .output_with_retries()?;
    assert_eq!(second.status.code(), Some(69));
    let message = stderr(&second);
    assert!(message.contains("already bound by process"), "{message}");
    assert_eq!(fixture.request("pid")?, first.pid().to_string());
    Ok(())
}

#[test]
fn open_connections_are_served_during_the_drain() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let endpoint = PathBuf::from(fixture.record_value("ENDPOINT")?);
    let (mut client, first) = request(connect(&endpoint)?, "wait")?;
    assert_eq!(first, "waiting");
    assert_eq!(fixture.request("stop")?, "stopping");
    wait_until("the daemon drains", || {
        fixture
            .record_value("PHASE")
            .is_ok_and(|phase| phase == "draining")
    });
    // New connections are refused, so the next daemon serves this client.
    let next = fixture
        .client_command("pid")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn_with_retries()?;
    writeln!(client.get_ref(), "second line")?;
    let mut rest = String::new();
    client.read_line(&mut rest)?;
    assert_eq!(rest.trim_end(), "second reply");
    drop(client);
    let before = daemon.pid().to_string();
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    let after = reply_of(&next.wait_with_output()?)?;
    assert_ne!(after, before);
    assert_eq!(fixture.record_value("PID")?, after);
    Ok(())
}

#[test]
fn a_failed_start_is_reported_with_its_reason() -> TestResult {
    let fixture = Fixture::new()?;
    let output = fixture
        .client_command("any")
        .env(LOAD_ERROR, "no such shard")
        .env("TEST_CLIENT_WAIT", "ready")
        .output_with_retries()?;
    let message = stderr(&output);
    assert!(!output.status.success());
    assert!(
        message.contains("no such shard") && message.contains("70"),
        "{message}"
    );
    let output = fixture
        .client_command("any")
        .env(MAIN_RESULT, "panic")
        .env("TEST_CLIENT_WAIT", "ready")
        .output_with_retries()?;
    let message = stderr(&output);
    assert!(
        message.contains("the test requested this panic"),
        "{message}"
    );
    assert_eq!(fixture.request("fine")?, "fine");
    Ok(())
}

#[test]
fn a_missing_executable_is_named() -> TestResult {
    let fixture = Fixture::new()?;
    let missing = fixture.path("no-such-daemon");
    let output = fixture
        .command(TEST_CLIENT)
        .arg(fixture.path("project"))
        .arg(&missing)
        .arg("any")
        .output_with_retries()?;
    let message = stderr(&output);
    assert!(
        message.contains(&missing.display().to_string()),
        "{message}"
    );
    Ok(())
}

#[test]
fn arguments_arrive_unchanged() -> TestResult {
    for argument in [
        r#"a "quoted" \path\ with\\ everything\" in it"#,
        "",
        r"C:\ends\",
        "%PATH% $HOME *",
    ] {
        let fixture = Fixture::new()?;
        let output = fixture
            .client_command("arguments")
            .env("TEST_CLIENT_ARGUMENT", argument)
            .output_with_retries()?;
        let arrived = stdout(&output);
        assert_eq!(arrived, format!("{argument}\n"));
    }
    Ok(())
}

#[test]
fn the_control_endpoint_answers_while_the_daemon_loads() -> TestResult {
    let fixture = Fixture::new()?;
    let loaded = fixture.path("loaded");
    let client = fixture.launch_loading_daemon(&loaded)?;
    let status = fixture.operate("status")?;
    assert!(status.contains("phase: Loading"), "{status}");
    assert!(
        status.contains(&format!("pid: {}", fixture.record_value("PID")?)),
        "{status}"
    );
    fs::write(&loaded, "")?;
    assert_eq!(fixture.operate("wait")?, "ready");
    assert_eq!(reply_of(&client.wait_with_output()?)?, "first");
    assert!(fixture.operate("status")?.contains("phase: Ready"));
    assert_eq!(fixture.operate("stop")?, "Ended");
    assert_eq!(fixture.operate("stop")?, "WasNotRunning");
    Ok(())
}

#[test]
fn a_client_requests_a_reload_and_learns_its_result() -> TestResult {
    let fixture = Fixture::new()?;
    let configuration = fixture.path("configuration");
    fs::write(&configuration, "first")?;
    let mut command = fixture.command(RELOAD_DAEMON);
    command.env(CONFIGURATION, &configuration);
    let daemon = fixture.start(command)?;
    let endpoint = PathBuf::from(fixture.record_value("ENDPOINT")?);
    let operate = |command: &str| -> Result<String, Box<dyn Error>> {
        let mut operator = fixture.command(TEST_OPERATOR);
        operator
            .args([command, "30000"])
            .env("TEST_OPERATOR_DAEMON", "reload");
        reply_of(&operator.output_with_retries()?)
    };
    let reloaded = operate("reload")?;
    assert!(reloaded.starts_with("reloaded in"), "{reloaded}");
    let state = reply_to(connect(&endpoint)?, "state")?;
    assert!(state.starts_with("first, begun 1,"), "{state}");
    fs::write(&configuration, "refuse no such port")?;
    let refused = operate("reload").expect_err("it refuses").to_string();
    assert!(refused.contains("no such port"), "{refused}");
    assert_eq!(operate("stop")?, "Ended");
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));

    let fixture = Fixture::new()?;
    fixture.request("pid")?;
    let error = fixture.operate("reload").expect_err("it takes none");
    let error = error.to_string();
    assert!(error.contains("does not take reloads"), "{error}");
    Ok(())
}

#[test]
fn testing_launch_starts_and_stops_a_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = testing::launch(TEST_DAEMON)
        .directory(fixture.path("project"))
        .start()?;
    assert_eq!(reply_to(daemon.connect()?, "echo")?, "echo");
    let status = daemon.stop()?;
    assert_eq!(status.code(), Some(0));
    Ok(())
}

#[test]
fn exec_passes_on_the_daemons_exit_code() -> TestResult {
    let fixture = Fixture::new()?;
    let _first = fixture.start_daemon()?;
    let output = fixture
        .command(EXEC_DAEMON)
        .arg(fixture.path("project"))
        .arg(TEST_DAEMON)
        .output_with_retries()?;
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(69), "{message}");
    Ok(())
}

#[test]
fn a_daemon_ends_when_the_directory_that_it_is_for_is_gone() -> TestResult {
    for what in ["was removed", "was replaced by another one", " is now "] {
        let fixture = Fixture::new()?;
        let project = fixture.path("project");
        let child = fixture
            .command(TEST_DAEMON)
            .env("BROKERED_INSTANCE", &project)
            .env("BROKERED_TEST_CHECK_MS", "50")
            .env("BROKERED_TEST_CONFIRM_MS", "50")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn_with_retries()?;
        let daemon = ChildProcess(child);
        wait_until("the daemon knows its directory", || {
            let status = fixture.operate("status").unwrap_or_default();
            status.contains("name: \"directory\"")
        });
        let other = fixture.path("other");
        match what {
            "was removed" => fs::remove_dir(&project)?,
            " is now " => fs::rename(&project, &other)?,
            _ => {
                fs::create_dir(&other)?;
                fs::remove_dir(&project)?;
                fs::rename(&other, &project)?;
            }
        }
        let output = daemon.wait_with_output()?;
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{what}: {printed}");
        assert!(printed.contains(what), "{what}: {printed}");
    }
    Ok(())
}

/// Windows does not remove a directory with an open file. Elsewhere the daemon notices the removal and ends.
#[test]
#[cfg(windows)]
fn the_instance_directory_cannot_be_removed_while_its_daemon_runs() -> TestResult {
    let fixture = Fixture::new()?;
    let before = fixture.request("pid")?;
    assert!(fs::remove_dir_all(fixture.path("runtime")).is_err());
    assert_eq!(fixture.request("pid")?, before);
    Ok(())
}

fn connect(endpoint: &Path) -> io::Result<IpcStream> {
    use brokered_runtime::interprocess::local_socket::traits::Stream as _;
    use brokered_runtime::interprocess::local_socket::{GenericFilePath, ToFsName};

    IpcStream::connect(endpoint.to_fs_name::<GenericFilePath>()?)
}

/// Sends a line, and reads the first line of the reply.
fn request(mut stream: IpcStream, line: &str) -> io::Result<(BufReader<IpcStream>, String)> {
    writeln!(stream, "{line}")?;
    let mut stream = BufReader::new(stream);
    let mut answer = String::new();
    stream.read_line(&mut answer)?;
    Ok((stream, answer.trim_end().to_owned()))
}

/// The same for clients that need only the reply.
fn reply_to(stream: IpcStream, line: &str) -> io::Result<String> {
    request(stream, line).map(|(_, answer)| answer)
}
