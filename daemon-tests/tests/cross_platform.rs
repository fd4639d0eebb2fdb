//! What must hold on every platform: the same tests run on Linux, and under Wine.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use brokered_runtime::{IpcStream, testing};
use daemon_tests::{LOAD_FAILS, LOAD_UNTIL, MAIN_ENDS, WITNESS};

type Outcome = Result<(), Box<dyn Error>>;

const PROGRAM: &str = env!("CARGO_BIN_EXE_subject");
const ASK: &str = env!("CARGO_BIN_EXE_ask");
const OPERATE: &str = env!("CARGO_BIN_EXE_operate");
const BECOME: &str = env!("CARGO_BIN_EXE_become");

/// How long anything may take on a busy machine before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place for one test: a runtime directory, a directory to be the instance of, and what runs there.
struct Place {
    whole: tempfile::TempDir,
}

impl Place {
    fn new() -> io::Result<Self> {
        let whole = tempfile::tempdir()?;
        fs::create_dir(whole.path().join("directory"))?;
        Ok(Self { whole })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.whole.path().join(name)
    }

    /// A program in this place.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("BROKERED_RUNTIME_DIR", self.path("runtime"))
            .env_remove("BROKERED_INSTANCE");
        command
    }

    /// A client that asks the daemon of this place, which is started if it is not there.
    fn ask_command(&self, line: &str) -> Command {
        let mut command = self.command(ASK);
        command.arg(self.path("directory")).arg(PROGRAM).arg(line);
        command
    }

    fn ask(&self, line: &str) -> Result<String, Box<dyn Error>> {
        answer_of(&self.ask_command(line).finished()?)
    }

    /// What an operator is told: of the status, of waiting, of stopping.
    fn operate(&self, what: &str) -> Result<String, Box<dyn Error>> {
        let mut command = self.command(OPERATE);
        command.args([what, "30000"]).arg(self.path("directory"));
        answer_of(&command.finished()?)
    }

    /// A client that has started a daemon, which loads until a file is there.
    fn loading(&self, until: &Path) -> io::Result<Child> {
        let started = self
            .ask_command("first")
            .env(LOAD_UNTIL, until)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .started()?;
        eventually("it loads", || {
            self.recorded("PHASE").is_ok_and(|phase| phase == "loading")
        });
        Ok(started)
    }

    /// The daemon, started by hand, once it is ready.
    fn by_hand(&self) -> Result<Running, Box<dyn Error>> {
        let child = self
            .command(PROGRAM)
            .env("BROKERED_INSTANCE", self.path("directory"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .started()?;
        let running = Running(child);
        let pid = running.0.id().to_string();
        eventually("the daemon is ready", || {
            self.recorded("PID").is_ok_and(|recorded| recorded == pid)
                && self.recorded("PHASE").is_ok_and(|phase| phase == "ready")
        });
        Ok(running)
    }

    fn record(&self) -> Result<String, Box<dyn Error>> {
        let mut instances = fs::read_dir(self.path("runtime"))?;
        let instance = instances.next().ok_or("no instance")??.path();
        assert!(instances.next().is_none(), "more than one instance");
        Ok(fs::read_to_string(instance.join("record"))?)
    }

    fn recorded(&self, key: &str) -> Result<String, Box<dyn Error>> {
        let record = self.record()?;
        let mut fields = record.lines().filter_map(|line| line.split_once('='));
        let field = fields.find(|(name, _)| *name == key);
        Ok(field.ok_or("not recorded")?.1.to_owned())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(pid) = self.recorded("PID") {
            kill(&pid);
        }
    }
}

/// A child of the test, killed when it is dropped.
struct Running(Child);

impl Running {
    fn end(mut self) -> io::Result<Output> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(pipe) = &mut self.0.stdout {
            pipe.read_to_end(&mut stdout)?;
        }
        if let Some(pipe) = &mut self.0.stderr {
            pipe.read_to_end(&mut stderr)?;
        }
        let status = self.0.wait()?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Kills a process that is nobody's child here.
fn kill(pid: &str) {
    let (program, arguments) = if cfg!(windows) {
        ("taskkill", ["/F", "/PID", pid])
    } else {
        ("kill", ["-s", "KILL", pid])
    };
    let _ = Command::new(program).args(arguments).finished();
}

/// Wine fails to start a program now and then when others end at that moment, with an error of its own.
trait Patiently {
    fn started(&mut self) -> io::Result<Child>;

    fn finished(&mut self) -> io::Result<Output>;
}

impl Patiently for Command {
    fn started(&mut self) -> io::Result<Child> {
        const INTERNAL_ERROR: i32 = 1359;
        let mut tries = 0;
        loop {
            match self.spawn() {
                Err(error)
                    if cfg!(windows)
                        && error.raw_os_error() == Some(INTERNAL_ERROR)
                        && tries < 3 =>
                {
                    tries += 1;
                }
                started => return started,
            }
        }
    }

    fn finished(&mut self) -> io::Result<Output> {
        self.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.started()?.wait_with_output()
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn answer_of(output: &Output) -> Result<String, Box<dyn Error>> {
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

/// How often a race is run: more of them in the full tier.
fn rounds(unless_told: usize) -> usize {
    let told = env::var("ROUNDS").ok();
    told.and_then(|rounds| rounds.parse().ok())
        .unwrap_or(unless_told)
}

#[test]
fn a_client_starts_its_daemon_and_the_next_one_finds_it() -> Outcome {
    let place = Place::new()?;
    let first = place.ask("pid")?;
    assert_eq!(place.ask("pid")?, first);
    assert_eq!(place.recorded("PID")?, first);
    assert_eq!(place.recorded("OWNER")?, "launcher");
    assert_eq!(place.ask("phase")?, "ready");
    Ok(())
}

/// The caller reads its pipe to the end, which comes while the daemon lives: the daemon has not kept it. And the
/// directory that the caller was in can be removed.
#[test]
fn a_daemon_keeps_neither_its_starters_pipes_nor_its_directory() -> Outcome {
    let place = Place::new()?;
    let left = place.path("left");
    fs::create_dir(&left)?;
    let mut asked = place
        .ask_command("pid")
        .current_dir(&left)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .started()?;
    let (mut stdout, mut stderr) = (String::new(), String::new());
    asked
        .stdout
        .take()
        .ok_or("a pipe")?
        .read_to_string(&mut stdout)?;
    asked
        .stderr
        .take()
        .ok_or("a pipe")?
        .read_to_string(&mut stderr)?;
    assert!(asked.wait()?.success(), "{stderr}");
    fs::remove_dir(&left)?;
    assert_eq!(place.ask("pid")?, stdout.trim_end());
    Ok(())
}

#[test]
fn eight_starters_have_one_daemon_in_each_round() -> Outcome {
    for round in 0..rounds(if cfg!(windows) { 10 } else { 30 }) {
        let place = Place::new()?;
        let witness = place.path("witness");
        let starters = (0..8)
            .map(|_| {
                place
                    .ask_command("pid")
                    .env(WITNESS, &witness)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .started()
            })
            .collect::<io::Result<Vec<_>>>()?;
        let mut owners = Vec::new();
        for starter in starters {
            owners.push(answer_of(&starter.wait_with_output()?)?);
        }
        owners.dedup();
        assert_eq!(owners.len(), 1, "round {round}: {owners:?}");
        assert!(!witness.with_extension("second").exists(), "round {round}");
    }
    Ok(())
}

#[test]
fn a_daemon_that_is_killed_is_followed_by_another_at_once() -> Outcome {
    let place = Place::new()?;
    let mut before = place.ask("pid")?;
    for _ in 0..3 {
        kill(&before);
        let mut after = None;
        // A process that is just being killed may still be met; it answers nobody.
        eventually("the next one answers", || {
            after = place.ask("pid").ok().filter(|pid| *pid != before);
            after.is_some()
        });
        before = after.ok_or("another one")?;
    }
    Ok(())
}

#[test]
fn a_hundred_clients_connect_while_the_daemon_loads() -> Outcome {
    let place = Place::new()?;
    let loaded = place.path("loaded");
    let started = place.loading(&loaded)?;
    let endpoint = PathBuf::from(place.recorded("ENDPOINT")?);
    let clients = (0..100)
        .map(|_| connect(&endpoint))
        .collect::<io::Result<Vec<_>>>()?;
    assert_eq!(place.recorded("PHASE")?, "loading");
    fs::write(&loaded, "")?;
    for (number, client) in clients.into_iter().enumerate() {
        assert_eq!(say(client, &number.to_string())?, number.to_string());
    }
    assert_eq!(answer_of(&started.wait_with_output()?)?, "first");
    Ok(())
}

#[test]
fn a_daemon_started_by_hand_is_the_only_one_and_the_second_ends_with_69() -> Outcome {
    let place = Place::new()?;
    let first = place.by_hand()?;
    assert_eq!(place.ask("pid")?, first.0.id().to_string());
    let second = place
        .command(PROGRAM)
        .env("BROKERED_INSTANCE", place.path("directory"))
        .finished()?;
    assert_eq!(second.status.code(), Some(69));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("already bound by process"), "{said}");
    assert_eq!(place.ask("pid")?, first.0.id().to_string());
    Ok(())
}

#[test]
fn whoever_was_let_in_is_served_when_the_daemon_is_asked_to_end() -> Outcome {
    let place = Place::new()?;
    let daemon = place.by_hand()?;
    let endpoint = PathBuf::from(place.recorded("ENDPOINT")?);
    let (mut client, first) = ask(connect(&endpoint)?, "wait")?;
    assert_eq!(first, "waiting");
    assert_eq!(place.ask("stop")?, "stopping");
    eventually("it drains", || {
        place
            .recorded("PHASE")
            .is_ok_and(|phase| phase == "draining")
    });
    // Nobody new is let in: this one is served by the next daemon.
    let next = place
        .ask_command("pid")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .started()?;
    writeln!(client.get_ref(), "and now let go")?;
    let mut rest = String::new();
    client.read_line(&mut rest)?;
    assert_eq!(rest.trim_end(), "let go");
    drop(client);
    let before = daemon.0.id().to_string();
    assert_eq!(daemon.end()?.status.code(), Some(0));
    let after = answer_of(&next.wait_with_output()?)?;
    assert_ne!(after, before);
    assert_eq!(place.recorded("PID")?, after);
    Ok(())
}

#[test]
fn a_daemon_that_dies_at_its_start_tells_why() -> Outcome {
    let place = Place::new()?;
    let output = place
        .ask_command("any")
        .env(LOAD_FAILS, "the shelf is empty")
        .env("ASK_WAIT", "ready")
        .finished()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("the shelf is empty") && said.contains("70"),
        "{said}"
    );
    let output = place
        .ask_command("any")
        .env(MAIN_ENDS, "panic")
        .env("ASK_WAIT", "ready")
        .finished()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("main was told to"), "{said}");
    assert_eq!(place.ask("fine")?, "fine");
    Ok(())
}

#[test]
fn a_program_that_is_missing_is_named() -> Outcome {
    let place = Place::new()?;
    let missing = place.path("no-such-daemon");
    let output = place
        .command(ASK)
        .arg(place.path("directory"))
        .arg(&missing)
        .arg("any")
        .finished()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&missing.display().to_string()), "{said}");
    Ok(())
}

#[test]
fn an_argument_arrives_as_it_was_given() -> Outcome {
    for odd in [
        r#"a "quoted" \path\ with\\ everything\" in it"#,
        "",
        r"C:\ends\",
        "%PATH% $HOME *",
    ] {
        let place = Place::new()?;
        let output = place
            .ask_command("arguments")
            .env("ASK_ARGUMENT", odd)
            .finished()?;
        let arrived = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(arrived, format!("{odd}\n"));
    }
    Ok(())
}

#[test]
fn the_control_endpoint_answers_while_the_daemon_loads() -> Outcome {
    let place = Place::new()?;
    let loaded = place.path("loaded");
    let started = place.loading(&loaded)?;
    let status = place.operate("status")?;
    assert!(status.contains("phase: Loading"), "{status}");
    assert!(
        status.contains(&format!("pid: {}", place.recorded("PID")?)),
        "{status}"
    );
    fs::write(&loaded, "")?;
    assert_eq!(place.operate("wait")?, "ready");
    assert_eq!(answer_of(&started.wait_with_output()?)?, "first");
    assert!(place.operate("status")?.contains("phase: Ready"));
    assert_eq!(place.operate("stop")?, "Ended");
    assert_eq!(place.operate("stop")?, "WasNotRunning");
    Ok(())
}

#[test]
fn a_test_of_ones_own_has_a_daemon_that_ends_as_it_should() -> Outcome {
    let place = Place::new()?;
    let daemon = testing::launch(PROGRAM)
        .directory(place.path("directory"))
        .start()?;
    assert_eq!(say(daemon.connect()?, "echo")?, "echo");
    let status = daemon.stop()?;
    assert_eq!(status.code(), Some(0));
    Ok(())
}

#[test]
fn becoming_the_daemon_passes_its_exit_code_on() -> Outcome {
    let place = Place::new()?;
    let _first = place.by_hand()?;
    let output = place
        .command(BECOME)
        .arg(place.path("directory"))
        .arg(PROGRAM)
        .finished()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(69), "{said}");
    Ok(())
}

/// What holds the lock can't be removed where the system keeps what is open; elsewhere the daemon notices later.
#[test]
#[cfg(windows)]
fn a_daemons_directory_can_not_be_removed_while_it_lives() -> Outcome {
    let place = Place::new()?;
    let before = place.ask("pid")?;
    assert!(fs::remove_dir_all(place.path("runtime")).is_err());
    assert_eq!(place.ask("pid")?, before);
    Ok(())
}

fn connect(endpoint: &Path) -> io::Result<IpcStream> {
    use brokered_runtime::interprocess::local_socket::traits::Stream as _;
    use brokered_runtime::interprocess::local_socket::{GenericFilePath, ToFsName};

    IpcStream::connect(endpoint.to_fs_name::<GenericFilePath>()?)
}

/// Sends a line, and reads the first of the answer.
fn ask(mut stream: IpcStream, line: &str) -> io::Result<(BufReader<IpcStream>, String)> {
    writeln!(stream, "{line}")?;
    let mut stream = BufReader::new(stream);
    let mut answer = String::new();
    stream.read_line(&mut answer)?;
    Ok((stream, answer.trim_end().to_owned()))
}

fn say(stream: IpcStream, line: &str) -> io::Result<String> {
    ask(stream, line).map(|(_, answer)| answer)
}
