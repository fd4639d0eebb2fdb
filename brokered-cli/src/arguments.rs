//! The command line's words.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::duration;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; from probe: ready
  1  something went wrong; from probe: it answers and is not ready
  2  the command line makes no sense
  3  the daemon is not running
  4  the daemon does not answer
  5  what was waited for did not come in time";

/// Looks after this user's brokered daemons: what runs, how it fares, and what to do about it
#[derive(Debug, Parser)]
#[command(
    name = "brokered",
    version,
    propagate_version = false,
    disable_help_subcommand = true,
    after_help = EXIT_CODES
)]
pub(crate) struct Arguments {
    /// Print JSON, and nothing else, on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// When to use colours
    #[arg(
        long,
        global = true,
        help = "When to use colours; NO_COLOR and CLICOLOR are heeded, too",
        value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
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
    /// Tell how a daemon fares
    Status(Ask),
    /// Start a daemon, and wait until it is ready
    Start(Start),
    /// Ask a daemon to end, and wait until it has
    Stop(Stop),
    /// Stop a daemon, and start what ran
    Restart(Restart),
    /// Wait until a daemon is ready
    Wait(Wait),
    /// Tell by the exit code whether a daemon is ready, and print nothing
    Probe(Probe),
    /// Print the output of a daemon that a client has started
    Log(Log),
    /// Print where a daemon listens, for socat and curl
    Path(PathOf),
    /// Start a daemon, and show what its start spent its time on
    Trace(Trace),
    /// Look for what could keep daemons and clients from each other, and say what to do
    Doctor(Doctor),
    /// Print what a service manager wants to know of a daemon
    Unit(Unit),
    /// Print a script that completes this command line in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Which daemon.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// A daemon's name, its directory below the runtime directory, or the path of that
    #[arg(value_name = "DAEMON")]
    pub(crate) daemon: String,

    /// The directory that the instance is for, of a daemon that is one for each directory
    #[arg(short = 'C', long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "instance")]
    pub(crate) directory: Option<PathBuf>,

    /// The instance's name, of a daemon that has several by name
    #[arg(short, long, value_name = "NAME")]
    pub(crate) instance: Option<String>,

    /// The number of the wire protocol, where several run
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) contract: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Also list the instances that have ended as they should
    #[arg(short, long)]
    pub(crate) all: bool,

    /// How long to wait for each daemon's answer
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    pub(crate) target: Target,

    /// How long to wait for the daemon's answer
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) program: Program,

    /// What to wait for
    #[arg(long = "wait", value_enum, value_name = "PHASE", default_value_t = Until::Ready)]
    pub(crate) until: Until,

    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "15s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Program {
    /// The executable; otherwise the one in the daemon's record
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::ExecutablePath)]
    pub(crate) program: Option<PathBuf>,

    /// The daemon's arguments
    #[arg(last = true, value_name = "ARGUMENT", requires = "program")]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// Clients can connect, and wait
    Bound,
    /// All states have loaded
    Ready,
}

#[derive(Debug, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub(crate) target: Target,

    /// How long to wait for its end. A drain may take 10 seconds
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "15s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) program: Program,

    /// How long to wait for its end, and again for its start
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "15s")]
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

    /// Be content with an answer, whatever it is: for liveness, where readiness is not meant
    #[arg(long)]
    pub(crate) live: bool,

    /// How long to wait for the daemon's answer
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "1s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Go on as the log grows, until ^C
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// How many lines of the end to begin with; otherwise all
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub(crate) lines: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct PathOf {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Of what
    #[arg(long = "of", value_enum, value_name = "FILE", default_value_t = File::Endpoint)]
    pub(crate) file: File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum File {
    /// Where the daemon listens
    Endpoint,
    /// Where the framework answers for it
    Control,
    /// Who is bound, and since when
    Record,
    /// Its output, if a client has started it
    Log,
    /// The directory that all of these are in
    Directory,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) program: Program,

    /// What to send for the first reply; many daemons answer only when asked. A line end is added
    #[arg(short, long, value_name = "LINE")]
    pub(crate) send: Option<String>,

    /// Also draw it into this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) svg: Option<PathBuf>,

    /// Stop the daemon first, if it runs
    #[arg(long)]
    pub(crate) restart: bool,

    /// How long to wait until it is ready
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "15s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Also tell what is as it should be
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Unit {
    /// Of which service manager
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
    /// A socket unit and a service unit, for a user's own systemd
    Systemd,
    /// A property list for launchd. Experimental: nobody has run it
    Launchd,
    /// The probes of a container
    Kubernetes,
}
