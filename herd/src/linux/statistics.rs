//! The statistics of all rounds of one herd.

use std::time::Duration;

use super::arguments::Case;
use super::implementation::{Implementation, Reply};
use super::simultaneous_clients::Client;

/// The deadline of our clients, and a second for their exit.
const DEADLINE: Duration = Duration::from_secs(16);

#[derive(Debug)]
pub(super) struct Statistics {
    pub(super) implementation: Implementation,
    pub(super) case: Case,
    pub(super) clients: usize,
    rounds: usize,
    /// The largest number of daemons in a round.
    daemons: usize,
    /// Daemons that were bound while another one was.
    second_daemons: usize,
    /// Whether a round had more daemons than the first one and one for each kill.
    has_extra_daemons: bool,
    failures: usize,
    first_failure: Option<String>,
    /// Clients whose daemon ended once before the reply.
    reconnected_once: usize,
    /// Clients whose daemons ended more than once before the reply.
    reconnected_more: usize,
    /// How often a client connected again to a daemon that was still dying.
    dying: u32,
    kills: u32,
    /// The times of all clients of all rounds, sorted.
    pub(super) times: Vec<Duration>,
    /// The time of the last client of each round, sorted.
    totals: Vec<Duration>,
}

/// The result of one round.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) clients: Vec<Client>,
    pub(super) daemons: usize,
    pub(super) second_daemons: usize,
    pub(super) kills: u32,
}

const HEADINGS: [&str; 15] = [
    "case",
    "clients",
    "implementation",
    "rounds",
    "daemons",
    "second daemons",
    "failures",
    "reconnected once",
    "more often",
    "dying",
    "kills",
    "median",
    "p99",
    "slowest",
    "total",
];

const WIDTHS: [usize; 15] = [7, 8, 15, 7, 8, 15, 9, 17, 11, 6, 6, 11, 11, 11, 11];

pub(super) fn print_headings(plain: bool) {
    print_line(&HEADINGS.map(str::to_owned), plain);
}

fn print_line(cells: &[String; 15], plain: bool) {
    if plain {
        println!("{}", cells.join("\t"));
        return;
    }
    let padded = cells.iter().zip(WIDTHS);
    let line = padded.fold(String::new(), |line, (cell, width)| {
        line + &format!("{cell:<width$}")
    });
    println!("{}", line.trim_end());
}

impl Statistics {
    pub(super) fn new(implementation: Implementation, case: Case, clients: usize) -> Self {
        Self {
            implementation,
            case,
            clients,
            rounds: 0,
            daemons: 0,
            second_daemons: 0,
            has_extra_daemons: false,
            failures: 0,
            first_failure: None,
            reconnected_once: 0,
            reconnected_more: 0,
            dying: 0,
            kills: 0,
            times: Vec::new(),
            totals: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, nth: usize, round: Round) {
        self.rounds += 1;
        self.daemons = self.daemons.max(round.daemons);
        self.second_daemons += round.second_daemons;
        self.kills += round.kills;
        let expected = 1 + usize::try_from(round.kills).unwrap_or(usize::MAX - 1);
        self.has_extra_daemons |= round.daemons > expected;
        for client in round.clients {
            let reply = self.implementation.reply(&client.output);
            // A killed daemon may be seen to end twice: under the PID of its launcher, which bound the listener, and under
            // its own.
            let is_plausible = |reply: &Reply| client.succeeded && reply.ended <= 2 * round.kills;
            if let Some(reply) = reply.filter(is_plausible) {
                self.reconnected_once += usize::from(reply.ended == 1);
                self.reconnected_more += usize::from(reply.ended > 1);
                self.dying += reply.dying;
            } else {
                self.failures += 1;
                let output = client.output.trim();
                self.first_failure
                    .get_or_insert_with(|| format!("round {nth}: {output}"));
            }
            self.times.push(client.took);
        }
        // The client that was reaped last took longest.
        self.totals.extend(self.times.last());
        self.times.sort_unstable();
        self.totals.sort_unstable();
    }

    /// Whether there was one daemon at a time, and every client had its reply by the deadline.
    pub(super) fn has_passed(&self) -> bool {
        let in_time = self.times.last().is_some_and(|slowest| *slowest < DEADLINE);
        self.second_daemons == 0 && !self.has_extra_daemons && self.failures == 0 && in_time
    }

    pub(super) fn print(&self, plain: bool) {
        let time = |time: Duration| {
            if plain {
                time.as_nanos().to_string()
            } else {
                format!("{:.1} ms", time.as_secs_f64() * 1e3)
            }
        };
        let cells = [
            self.case.name().to_owned(),
            self.clients.to_string(),
            self.implementation.name().to_owned(),
            self.rounds.to_string(),
            self.daemons.to_string(),
            self.second_daemons.to_string(),
            self.failures.to_string(),
            self.reconnected_once.to_string(),
            self.reconnected_more.to_string(),
            self.dying.to_string(),
            self.kills.to_string(),
            time(quantile(&self.times, 0.5)),
            time(quantile(&self.times, 0.99)),
            time(quantile(&self.times, 1.0)),
            time(quantile(&self.totals, 0.5)),
        ];
        print_line(&cells, plain);
        if let Some(failure) = &self.first_failure {
            eprintln!(
                "herd: {}, the first failure: {failure}",
                self.implementation.name()
            );
        }
    }
}

/// The time in the sorted slice that the fraction `q` of all times does not exceed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position in a slice, which is far below 2^52"
)]
fn quantile(sorted: &[Duration], q: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let position = (q * last as f64).ceil() as usize;
    sorted.get(position).copied().unwrap_or_default()
}
