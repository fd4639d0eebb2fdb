//! The client: sends a request, and prints the replies.

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
    progress::Progress,
    protocol::{ReceiveError, Reply, Request, Summary},
    serve::{self, shown},
    tree::Tree,
};

/// The size of the input and output buffers, in bytes.
const BUFFER: usize = 64 << 10;

/// If the daemon ends within this time without a reply, the client tries once more. A process that is being killed still
/// accepts connections, and then the next daemon replies.
const RETRY_WINDOW: Duration = Duration::from_secs(1);

/// The outcome of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    Complete(Summary),
    /// The reader of the output has closed it, as `head` does.
    ReaderGone,
}

/// Sends a request to the daemon of `directory`, launching it if it does not run, and prints the replies.
pub(crate) fn request(
    instance: &Instance,
    directory: &Path,
    request: &Request,
) -> anyhow::Result<Answer> {
    let mut message = Vec::new();
    request.send(&mut message)?;
    let context = || {
        let endpoint = instance.endpoint().unwrap_or_default();
        let log = instance.log_path().unwrap_or_default();
        format!(
            "no complete reply from {} (the daemon's log is {})",
            endpoint.display(),
            log.display()
        )
    };
    let request_once = || -> anyhow::Result<Option<Answer>> {
        let progress = Progress::new(
            format!("waiting for the index of {}", shown(directory)),
            instance.clone(),
        );
        let mut stream = match instance.connect_or_spawn() {
            Err(LaunchError::Disabled { .. }) => {
                return search_without_daemon(directory, &message, || drop(progress));
            }
            connected => connected?,
        };
        // If the daemon has just ended, no reply comes, so a failed write needs no handling.
        let _ = stream.write_all(&message);
        let (out, notes) = (io::stdout().lock(), io::stderr());
        print(stream, || drop(progress), directory, out, notes).with_context(context)
    };
    let began = Instant::now();
    let mut answer = request_once()?;
    let mut failure = None;
    if answer.is_none() {
        // This also waits until a dying daemon has ended, so that the next one replies.
        failure = instance.last_failure()?;
        if began.elapsed() < RETRY_WINDOW {
            answer = request_once()?;
        }
    }
    answer
        .with_context(|| match failure {
            Some(failure) => format!("the daemon ended before it replied: {failure}"),
            None => "the daemon ended before it replied".to_owned(),
        })
        .with_context(context)
}

/// Reads the directory and searches it in this process, because daemons are disabled.
fn search_without_daemon(
    directory: &Path,
    message: &[u8],
    on_first_reply: impl FnOnce(),
) -> anyhow::Result<Option<Answer>> {
    let tree = Tree::read(&fs::canonicalize(directory)?)?;
    let (replies, mut answers) = io::pipe()?;
    thread::scope(|scope| {
        scope.spawn(move || serve::answer(&tree, &mut &*message, &mut answers));
        let (out, notes) = (io::stdout().lock(), io::stderr());
        print(replies, on_first_reply, directory, out, notes)
    })
}

/// Prints all replies. `None` if there was no reply at all.
fn print(
    from: impl Read,
    on_first_reply: impl FnOnce(),
    directory: &Path,
    out: impl Write,
    mut notes: impl Write,
) -> anyhow::Result<Option<Answer>> {
    let mut from = BufReader::with_capacity(BUFFER, from);
    let mut printer = Printer {
        out: BufWriter::with_capacity(BUFFER, out),
        file: String::new(),
        in_line: false,
    };
    let mut on_first_reply = Some(on_first_reply);
    loop {
        // All output is flushed before the client waits for more input.
        if from.buffer().is_empty() && printer.out.flush().is_err() {
            return Ok(Some(Answer::ReaderGone));
        }
        let reply = Reply::receive(&mut from);
        let is_first = on_first_reply.take().map(|call| call()).is_some();
        let written = match reply {
            Ok(Reply::File(path)) => {
                printer.file = shown(&directory.join(path));
                Ok(())
            }
            Ok(Reply::Line { number, text }) => printer.line(number, &text),
            Ok(Reply::More(text)) => printer.out.write_all(&text),
            Ok(Reply::Skipped { path, why }) => printer.end().map(|()| {
                // The answer is printed even if the notes cannot be.
                let _ = writeln!(
                    notes,
                    "words: skipped {}: {why}",
                    shown(&directory.join(path))
                );
            }),
            Ok(Reply::Done(summary)) => {
                return Ok(Some(if printer.end().is_ok() {
                    Answer::Complete(summary)
                } else {
                    Answer::ReaderGone
                }));
            }
            Ok(Reply::Failed(why)) => bail!("the daemon refuses the request: {why}"),
            Err(ReceiveError::Ended) if is_first => return Ok(None),
            Err(ReceiveError::Ended) => {
                let _ = printer.end();
                bail!("the daemon ended in the middle of its reply; the output is incomplete");
            }
            Err(error) => return Err(error.into()),
        };
        if written.is_err() {
            return Ok(Some(Answer::ReaderGone));
        }
    }
}

/// The standard output, in the form `path:line: text`.
struct Printer<W: Write> {
    out: BufWriter<W>,
    /// The file of the next lines, as it is shown.
    file: String,
    /// Whether the end of the current line is still to be printed.
    in_line: bool,
}

impl<W: Write> Printer<W> {
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
        let mut calls = 0;
        let answer = print(
            wire.as_slice(),
            || calls += 1,
            Path::new("dir"),
            &mut out,
            &mut notes,
        );
        assert_eq!(calls, 1);
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
    fn an_incomplete_answer_is_an_error() {
        let (answer, out, _) = printed(&[]);
        assert!(matches!(answer, Ok(None)));
        assert_eq!(out, "");
        let (answer, out, _) = printed(&[Reply::File("a".into()), line(1, "one")]);
        assert!(answer.unwrap_err().to_string().contains("in the middle"));
        assert!(out.ends_with(":1: one\n"));
        let (answer, ..) = printed(&[Reply::Failed("no".into())]);
        assert!(
            answer
                .unwrap_err()
                .to_string()
                .contains("refuses the request: no")
        );
    }

    #[test]
    fn a_closed_output_is_not_an_error() {
        struct ClosedPipe;
        impl Write for ClosedPipe {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut wire = Vec::new();
        line(1, "text").send(&mut wire).unwrap();
        let answer = print(
            wire.as_slice(),
            || {},
            Path::new("dir"),
            ClosedPipe,
            io::sink(),
        );
        assert!(matches!(answer, Ok(Some(Answer::ReaderGone))));
    }
}
