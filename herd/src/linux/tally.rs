//! What came of all rounds of one herd.

use std::time::Duration;

use super::arguments::Case;
use super::burst::Client;
use super::sides::{Answer, Side};

/// How long one of our clients tries, and a moment for its end.
const DEADLINE: Duration = Duration::from_secs(16);

#[derive(Debug)]
pub(super) struct Tally {
    pub(super) side: Side,
    pub(super) case: Case,
    pub(super) clients: usize,
    rounds: usize,
    /// The most daemons in a round.
    owners: usize,
    /// Daemons that were bound while another one was.
    seconds: usize,
    /// Whether a round had more daemons than starts that anybody asked for.
    superfluous: bool,
    failures: usize,
    first_failure: Option<String>,
    /// Clients whose daemon ended once before they had their answer.
    once: usize,
    /// And those to whom that happened more than once.
    oftener: usize,
    /// How often a client met a daemon again that was still dying.
    dying: u32,
    kills: u32,
    /// Each client's time, of all rounds, sorted.
    pub(super) times: Vec<Duration>,
    /// The last client's, round by round, sorted.
    walls: Vec<Duration>,
}

/// What came of one.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) clients: Vec<Client>,
    pub(super) owners: usize,
    pub(super) seconds: usize,
    pub(super) kills: u32,
}

const HEADINGS: [&str; 15] = [
    "case",
    "clients",
    "side",
    "rounds",
    "owners",
    "second owners",
    "failures",
    "ended once",
    "oftener",
    "dying",
    "kills",
    "median",
    "p99",
    "slowest",
    "total",
];

const WIDTHS: [usize; 15] = [7, 8, 10, 7, 7, 14, 9, 11, 8, 6, 6, 11, 11, 11, 11];

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

impl Tally {
    pub(super) fn new(side: Side, case: Case, clients: usize) -> Self {
        Self {
            side,
            case,
            clients,
            rounds: 0,
            owners: 0,
            seconds: 0,
            superfluous: false,
            failures: 0,
            first_failure: None,
            once: 0,
            oftener: 0,
            dying: 0,
            kills: 0,
            times: Vec::new(),
            walls: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, nth: usize, round: Round) {
        self.rounds += 1;
        self.owners = self.owners.max(round.owners);
        self.seconds += round.seconds;
        self.kills += round.kills;
        let asked_for = 1 + usize::try_from(round.kills).unwrap_or(usize::MAX - 1);
        self.superfluous |= round.owners > asked_for;
        for client in round.clients {
            let answer = self.side.answer(&client.said);
            // A daemon that is killed can be seen to end twice: under its launcher's number, who had bound for it,
            // and under its own.
            let may_be = |answer: &Answer| client.succeeded && answer.ended <= 2 * round.kills;
            if let Some(answer) = answer.filter(may_be) {
                self.once += usize::from(answer.ended == 1);
                self.oftener += usize::from(answer.ended > 1);
                self.dying += answer.dying;
            } else {
                self.failures += 1;
                let said = client.said.trim();
                self.first_failure
                    .get_or_insert_with(|| format!("round {nth}: {said}"));
            }
            self.times.push(client.took);
        }
        // The last that was reaped took longest.
        self.walls.extend(self.times.last());
        self.times.sort_unstable();
        self.walls.sort_unstable();
    }

    /// Whether there was one owner at a time, and everybody was answered within the deadline.
    pub(super) fn is_supervised(&self) -> bool {
        let in_time = self.times.last().is_some_and(|slowest| *slowest < DEADLINE);
        self.seconds == 0 && !self.superfluous && self.failures == 0 && in_time
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
            self.side.name().to_owned(),
            self.rounds.to_string(),
            self.owners.to_string(),
            self.seconds.to_string(),
            self.failures.to_string(),
            self.once.to_string(),
            self.oftener.to_string(),
            self.dying.to_string(),
            self.kills.to_string(),
            time(quantile(&self.times, 0.5)),
            time(quantile(&self.times, 0.99)),
            time(quantile(&self.times, 1.0)),
            time(quantile(&self.walls, 0.5)),
        ];
        print_line(&cells, plain);
        if let Some(said) = &self.first_failure {
            eprintln!("herd: {}, the first failure: {said}", self.side.name());
        }
    }
}

/// Of sorted times, the one that the fraction `q` of them does not exceed.
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
