//! Asking a daemon's control endpoint.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use interprocess::local_socket::traits::Stream as _;

use super::place::Place;
use crate::fields::Fields;
use crate::{IpcStream, platform};

/// The longest reply that is read.
const LONGEST: usize = 64 * 1024;

/// What came of a question.
#[derive(Debug)]
pub enum Answer {
    /// It was answered.
    Reply(Reply),
    /// Nobody listens.
    Nobody,
    /// Somebody listens, and gives no answer that makes sense.
    Silent(Silence),
}

/// Why there is no answer from somebody who listens.
#[derive(Debug)]
pub enum Silence {
    /// Nothing came within the time, or not all of it.
    Slow(Duration),
    /// It hung up before its answer was complete.
    HungUp,
    /// Another user answers.
    Foreign(u32),
    /// Its answer is longer than any that is known, or no text.
    Nonsense(&'static str),
    /// The system refused.
    Io(io::Error),
}

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slow(waited) => {
                write!(f, "no answer within {}", crate::text::duration(*waited))
            }
            Self::HungUp => f.write_str("it hung up without a complete answer"),
            Self::Foreign(user) => write!(f, "user {user} answers, and was asked nothing"),
            Self::Nonsense(what) => write!(f, "its answer {what}"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

/// The lines of a reply.
#[derive(Debug, Clone)]
pub struct Reply(String);

impl Reply {
    /// A value. `None` if the daemon did not say, or it is no text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        Fields::of(&self.0).text(key)
    }

    /// A value that is a number.
    #[must_use]
    pub fn number<N: std::str::FromStr>(&self, key: &str) -> Option<N> {
        Fields::of(&self.0).number(key)
    }

    /// All lines, each a key and its text, in the daemon's order. What is no such line is passed over.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, String)> {
        Fields::of(&self.0).all()
    }
}

/// A question that was asked, and its answer as it comes.
#[derive(Debug)]
pub struct Conversation {
    stream: IpcStream,
    asked: Instant,
    deadline: Instant,
    read: Vec<u8>,
}

impl Place {
    /// Asks for one reply.
    #[must_use]
    pub fn ask(&self, question: &str, patience: Duration) -> Answer {
        match self.converse(question, patience) {
            Ok(mut conversation) => match conversation.reply() {
                Ok(reply) => Answer::Reply(reply),
                Err(silence) => Answer::Silent(silence),
            },
            Err(answer) => answer,
        }
    }

    /// Asks, and leaves it to the caller to hear the reply.
    ///
    /// # Errors
    ///
    /// If nobody listens, or it can't be asked.
    #[expect(
        clippy::result_large_err,
        reason = "an answer is taken apart where it is made"
    )]
    pub fn converse(&self, question: &str, patience: Duration) -> Result<Conversation, Answer> {
        let asked = Instant::now();
        let deadline = asked + patience;
        let silent = |error: io::Error| Answer::Silent(silence(error, patience));
        let stream = match platform::connect(&self.control(), deadline) {
            Ok(stream) => stream,
            Err(error) => {
                return Err(match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Answer::Nobody,
                    _ => silent(error),
                });
            }
        };
        match platform::foreign_peer(&stream).map_err(silent)? {
            Some(user) => return Err(Answer::Silent(Silence::Foreign(user))),
            None => {}
        }
        stream.set_send_timeout(Some(patience)).map_err(silent)?;
        let mut conversation = Conversation {
            stream,
            asked,
            deadline,
            read: Vec::new(),
        };
        conversation
            .stream
            .write_all(format!("{question}\n").as_bytes())
            .map_err(silent)?;
        Ok(conversation)
    }
}

impl Conversation {
    /// The process that listens, as the kernel noted it.
    #[must_use]
    pub fn listening_process(&self) -> Option<u32> {
        platform::listening_process(&self.stream)
    }

    /// The reply, up to its empty line.
    ///
    /// # Errors
    ///
    /// If it does not come, or not in time.
    pub fn reply(&mut self) -> Result<Reply, Silence> {
        self.reply_until(&mut |_| {})
    }

    /// The same, telling each line as it comes.
    ///
    /// # Errors
    ///
    /// If it does not come, or not in time.
    pub fn reply_until(&mut self, on_line: &mut dyn FnMut(&str)) -> Result<Reply, Silence> {
        let mut told = 0;
        loop {
            while let Some(length) = self.read[told..].iter().position(|byte| *byte == b'\n') {
                let line = std::str::from_utf8(&self.read[told..told + length])
                    .map_err(|_| Silence::Nonsense("is no text"))?;
                if line.is_empty() {
                    self.read.truncate(told);
                    let text = String::from_utf8(std::mem::take(&mut self.read))
                        .map_err(|_| Silence::Nonsense("is no text"))?;
                    return Ok(Reply(text));
                }
                on_line(line);
                told += length + 1;
            }
            if self.read.len() > LONGEST {
                return Err(Silence::Nonsense("does not end"));
            }
            self.read_some()?;
        }
    }

    fn read_some(&mut self) -> Result<(), Silence> {
        let waited = || Silence::Slow(self.asked.elapsed());
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(waited());
        }
        self.stream
            .set_recv_timeout(Some(left))
            .map_err(Silence::Io)?;
        let mut buffer = [0_u8; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Silence::HungUp),
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) if is_timeout(&error) => Err(waited()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(Silence::HungUp),
            Err(error) => Err(Silence::Io(error)),
        }
    }
}

fn silence(error: io::Error, patience: Duration) -> Silence {
    match error.kind() {
        _ if is_timeout(&error) => Silence::Slow(patience),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Silence::HungUp,
        _ => Silence::Io(error),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
