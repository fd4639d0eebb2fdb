//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::duration;

const EXIT_CODES: &str = "\
Exit codes:
  0  success; from probe: the daemon is ready
  1  failure; from probe: the daemon answers and is not ready
  2  the command line is not valid
  3  the daemon is not running
  4  the daemon does not answer
  5  the timeout has passed
  6  from reload: the daemon does not take reloads
  7  from reload: the daemon refused the reload, and goes on as before";

/// Inspects and controls the brokered daemons of this user
#[derive(Debug, Parser)]
#[command(
    name = "brokered",
    version,
    propagate_version = false,
    disable_help_subcommand = true,
    after_help = EXIT_CODES
)]
pub(crate) struct Arguments {
    /// Print only JSON on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// When to use colours
    #[arg(
        long,
        global = true,
        help = "When to use colours; the variables NO_COLOR and CLICOLOR apply, too",
        value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// If standard output is a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the daemons of this user
    #[command(visible_alias = "ls")]
    List(List),
    /// Show all that is known about a daemon
    Status(Status),
    /// Start a daemon, and wait until it is ready
    Start(Start),
    /// Request a graceful shutdown, and wait until the daemon has ended
    Stop(Stop),
    /// Stop a daemon, and start it again with the same arguments
    Restart(Restart),
    /// Request a reload, such as of a configuration, and wait until it is done
    Reload(Reload),
    /// Wait until a daemon is ready
    Wait(Wait),
    /// Check whether a daemon is ready; the exit code is the result
    Probe(Probe),
    /// Print the output of a daemon that a client started
    Log(Log),
    /// Print the path of a daemon's endpoint or of another of its files
    Path(Path),
    /// Start a daemon, and show how long each step of the start takes
    Trace(Trace),
    /// Check for what prevents clients from reaching daemons, and say what to do
    Doctor(Doctor),
    /// List the instances that are no longer used, and remove their directories on demand
    Prune(Prune),
    /// Print the files that a service manager needs to start a daemon
    Unit(Unit),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// The daemon and, if it has several, the instance.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// The name of a daemon, or the name or path of an instance directory
    #[arg(value_name = "DAEMON")]
    pub(crate) daemon: String,

    /// The directory that the instance is for, if the daemon has one instance for each directory
    #[arg(short = 'C', long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "instance")]
    pub(crate) directory: Option<PathBuf>,

    /// The name of the instance, if the daemon has named instances
    #[arg(short, long, value_name = "NAME")]
    pub(crate) instance: Option<String>,

    /// The contract number, if daemons with different numbers run
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) contract: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Also list the instances that have ended cleanly
    #[arg(short, long)]
    pub(crate) all: bool,

    /// How long to wait for the answer of each daemon
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) target: Target,

    /// How long to wait for the answer of the daemon
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) program: Program,

    /// The phase to wait for
    #[arg(long = "wait", value_enum, value_name = "PHASE", default_value_t = Until::Ready)]
    pub(crate) until: Until,

    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "15s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Program {
    /// The executable; the default is the one in the daemon's record
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::ExecutablePath)]
    pub(crate) program: Option<PathBuf>,

    /// The arguments of the daemon
    #[arg(last = true, value_name = "ARGUMENT", requires = "program")]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// The endpoint is bound: clients can connect, and wait in the backlog
    Bound,
    /// All states have loaded: clients are served
    Ready,
}

#[derive(Debug, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub(crate) target: Target,

    /// How long to wait for its end; a drain may take 10 seconds
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "15s")]
    pub(crate) timeout: Duration,

    /// End its process with SIGKILL if it has not ended by then; on Linux, and only if its record certainly names it
    #[arg(long)]
    pub(crate) kill: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) program: Program,

    /// How long to wait for its end, and then for its start
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "15s")]
    pub(crate) timeout: Duration,

    /// End its process with SIGKILL if it has not ended by then; on Linux, and only if its record certainly names it
    #[arg(long)]
    pub(crate) kill: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) target: Target,

    /// How long to wait for the result; the reload continues after that
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "60s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    pub(crate) target: Target,

    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "60s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Probe {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Accept any answer: check that the daemon is alive, not that it is ready
    #[arg(long)]
    pub(crate) live: bool,

    /// How long to wait for the answer of the daemon
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Continue as the log grows, until ^C
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Begin with this many lines from the end; the default is all
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub(crate) lines: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Path {
    #[command(flatten)]
    pub(crate) target: Target,

    /// The file whose path to print
    #[arg(long = "of", value_enum, value_name = "FILE", default_value_t = File::Endpoint)]
    pub(crate) file: File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum File {
    /// The endpoint, on which the daemon listens
    Endpoint,
    /// The control endpoint, on which the framework answers
    Control,
    /// The record: which process is bound, since when, and in which phase
    Record,
    /// The log, which receives the output if a client started the daemon
    Log,
    /// The instance directory
    Directory,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) program: Program,

    /// The line to send as the first request, because many daemons reply only to a request
    #[arg(short, long, value_name = "LINE")]
    pub(crate) send: Option<String>,

    /// Also draw the steps into this SVG file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) svg: Option<PathBuf>,

    /// Stop the daemon first if it is running
    #[arg(long)]
    pub(crate) restart: bool,

    /// How long to wait until the daemon is ready
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "15s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Also show the checks that are fine
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// How long to wait for the answer of each daemon, file system and service manager
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Remove the directories, with the logs in them
    #[arg(long)]
    pub(crate) remove: bool,

    /// The time after which an instance that has ended counts as no longer used; at most a day if its directory is gone
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "30d")]
    pub(crate) older_than: Duration,

    /// How long to wait for the answer of each daemon and file system
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Unit {
    /// The service manager
    #[arg(value_enum)]
    pub(crate) manager: Manager,

    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) program: Program,

    /// Write the files into this directory instead of printing them
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) write: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manager {
    /// A socket unit and a service unit for the systemd of a user
    Systemd,
    /// A property list for launchd; experimental: it has never been used on macOS
    Launchd,
    /// The probes of a container
    Kubernetes,
}
