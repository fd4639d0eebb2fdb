//! The client's side of a conversation.

use std::{
    fs,
    io::{self, BufReader, BufWriter, Read, Write},
    mem,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use brokered_runtime::{Instance, LaunchError};

use crate::{
    protocol::{ReceiveError, Reply, Request, Summary},
    serve::{self, shown},
    tree::Tree,
    waiting::Waiting,
};

/// For what is received and for what is printed, in bytes.
const BUFFER: usize = 64 << 10;

/// Who gets no reply for no longer than this has met a daemon that was just about to end: a process
/// that is killed accepts connections to the last. The next one answers.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Answer {
    Complete(Summary),
    /// Whoever read the output has gone, as `head` does.
    Unheard,
}

/// Asks the daemon of `directory`, which is started if there is none, and prints what it says.
pub(crate) fn ask(
    instance: &Instance,
    directory: &Path,
    request: &Request,
) -> anyhow::Result<Answer> {
    let mut message = Vec::new();
    request.send(&mut message)?;
    let from_whom = || {
        let endpoint = instance.endpoint().unwrap_or_default();
        let log = instance.log_path().unwrap_or_default();
        format!(
            "no complete answer from {} (a daemon in the background prints to {})",
            endpoint.display(),
            log.display()
        )
    };
    let ask_once = || -> anyhow::Result<Option<Answer>> {
        let waiting = Waiting::new(format!("waiting for the index of {}", shown(directory)));
        let mut stream = match instance.connect_or_spawn() {
            Err(LaunchError::Disabled { .. }) => {
                return here(directory, &message, || drop(waiting));
            }
            connected => connected?,
        };
        // A daemon that has just ended is noticed when no reply comes.
        let _ = stream.write_all(&message);
        let (out, notes) = (io::stdout().lock(), io::stderr());
        print(stream, || drop(waiting), directory, out, notes).with_context(from_whom)
    };
    let asked = Instant::now();
    let mut answer = ask_once()?;
    let mut failure = None;
    if answer.is_none() {
        // It also waits until a daemon that is dying has gone, so that the next one answers.
        failure = instance.last_failure()?;
        if asked.elapsed() < AT_ONCE {
            answer = ask_once()?;
        }
    }
    answer
        .with_context(|| match failure {
            Some(failure) => format!("the daemon ended before it replied: {failure}"),
            None => "the daemon ended before it replied".to_owned(),
        })
        .with_context(from_whom)
}

/// Reads the directory and answers in this process: the user wants no daemon.
fn here(directory: &Path, message: &[u8], begun: impl FnOnce()) -> anyhow::Result<Option<Answer>> {
    let tree = Tree::read(&fs::canonicalize(directory)?)?;
    let (replies, mut answers) = io::pipe()?;
    thread::scope(|scope| {
        scope.spawn(move || serve::answer(&tree, &mut &*message, &mut answers));
        let (out, notes) = (io::stdout().lock(), io::stderr());
        print(replies, begun, directory, out, notes)
    })
}

/// Prints replies up to the last one. `None` if there was not even a first one.
fn print(
    from: impl Read,
    begun: impl FnOnce(),
    directory: &Path,
    out: impl Write,
    mut notes: impl Write,
) -> anyhow::Result<Option<Answer>> {
    let mut from = BufReader::with_capacity(BUFFER, from);
    let mut page = Page {
        out: BufWriter::with_capacity(BUFFER, out),
        file: String::new(),
        in_line: false,
    };
    let mut begun = Some(begun);
    loop {
        // Nothing is held back while nothing comes.
        if from.buffer().is_empty() && page.out.flush().is_err() {
            return Ok(Some(Answer::Unheard));
        }
        let reply = Reply::receive(&mut from);
        let is_first = begun.take().map(|begun| begun()).is_some();
        let written = match reply {
            Ok(Reply::File(path)) => {
                page.file = shown(&directory.join(path));
                Ok(())
            }
            Ok(Reply::Line { number, text }) => page.line(number, &text),
            Ok(Reply::More(text)) => page.out.write_all(&text),
            Ok(Reply::Skipped { path, why }) => page.end().map(|()| {
                // Notes that cannot be printed are no reason to withhold the answer.
                let _ = writeln!(
                    notes,
                    "words: skipped {}: {why}",
                    shown(&directory.join(path))
                );
            }),
            Ok(Reply::Done(summary)) => {
                return Ok(Some(if page.end().is_ok() {
                    Answer::Complete(summary)
                } else {
                    Answer::Unheard
                }));
            }
            Ok(Reply::Failed(why)) => bail!("the daemon refuses: {why}"),
            Err(ReceiveError::Ended) if is_first => return Ok(None),
            Err(ReceiveError::Ended) => {
                let _ = page.end();
                bail!("the daemon ended in the middle of its reply: what is printed is not all");
            }
            Err(error) => return Err(error.into()),
        };
        if written.is_err() {
            return Ok(Some(Answer::Unheard));
        }
    }
}

/// What goes to standard output: `path:line: text`.
struct Page<W: Write> {
    out: BufWriter<W>,
    /// Which file the lines are of, as it is shown.
    file: String,
    /// Whether the end of a line is still to be printed.
    in_line: bool,
}

impl<W: Write> Page<W> {
    fn line(&mut self, number: u32, text: &[u8]) -> io::Result<()> {
        self.end_line()?;
        write!(self.out, "{}:{number}: ", self.file)?;
        self.in_line = true;
        self.out.write_all(text)
    }

    fn end_line(&mut self) -> io::Result<()> {
        if mem::take(&mut self.in_line) {
            self.out.write_all(b"\n")
        } else {
            Ok(())
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.end_line()?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(replies: &[Reply]) -> (anyhow::Result<Option<Answer>>, String, String) {
        let mut wire = Vec::new();
        for reply in replies {
            reply.send(&mut wire).unwrap();
        }
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let mut begun = 0;
        let answer = print(
            wire.as_slice(),
            || begun += 1,
            Path::new("dir"),
            &mut out,
            &mut notes,
        );
        assert_eq!(begun, 1);
        (
            answer,
            String::from_utf8(out).unwrap(),
            String::from_utf8(notes).unwrap(),
        )
    }

    fn line(number: u32, text: &str) -> Reply {
        Reply::Line {
            number,
            text: text.into(),
        }
    }

    #[test]
    fn lines_are_printed_with_their_files_and_numbers() {
        let skipped = Reply::Skipped {
            path: "x".into(),
            why: "binary".into(),
        };
        let more = Reply::More(b" and more".to_vec());
        let replies = [
            Reply::File("a/b".into()),
            line(1, "one"),
            line(30, "some"),
            more,
            Reply::File("c".into()),
            line(2, ""),
            skipped,
            Reply::Done(Summary::default()),
        ];
        let (answer, out, notes) = printed(&replies);
        assert!(matches!(answer, Ok(Some(Answer::Complete(_)))));
        let dir = Path::new("dir");
        let (first, second, third) = (dir.join("a/b"), dir.join("c"), dir.join("x"));
        assert_eq!(
            out,
            format!(
                "{0}:1: one\n{0}:30: some and more\n{1}:2: \n",
                first.display(),
                second.display()
            )
        );
        assert_eq!(
            notes,
            format!("words: skipped {}: binary\n", third.display())
        );
    }

    #[test]
    fn an_answer_without_an_end_is_an_error_and_says_which() {
        let (answer, out, _) = printed(&[]);
        assert!(matches!(answer, Ok(None)));
        assert_eq!(out, "");
        let (answer, out, _) = printed(&[Reply::File("a".into()), line(1, "one")]);
        assert!(answer.unwrap_err().to_string().contains("in the middle"));
        assert!(out.ends_with(":1: one\n"));
        let (answer, ..) = printed(&[Reply::Failed("no".into())]);
        assert!(answer.unwrap_err().to_string().contains("refuses: no"));
    }

    #[test]
    fn a_reader_who_goes_is_no_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut wire = Vec::new();
        line(1, "text").send(&mut wire).unwrap();
        let answer = print(wire.as_slice(), || {}, Path::new("dir"), Gone, io::sink());
        assert!(matches!(answer, Ok(Some(Answer::Unheard))));
    }
}
