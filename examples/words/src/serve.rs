//! The daemon: receives a request, and sends the replies.

use std::{
    io::{self, BufWriter, Read, Write},
    path::Path,
    process,
    time::{Duration, Instant},
};

use brokered_runtime::IpcStream;
use brokered_runtime::interprocess::local_socket::traits::Stream as _;

use crate::{
    protocol::{ReceiveError, Reply, Request, Summary, send_line},
    query::{self, Line, MAX_WORDS},
    segment::{MAX_FILE_SIZE, Skipped},
    text,
    tree::Tree,
};

/// A request is one short message, so a client that takes longer is disconnected.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Found lines are sent at the latest with the first line after this time.
const FLUSH_INTERVAL: Duration = Duration::from_millis(50);

/// Serves one client. Compares the index with the disk afterwards, if that is due.
pub(crate) fn client(tree: &Tree, client: IpcStream) -> io::Result<()> {
    // A silent client must not occupy a worker forever. Windows pipes do not support timeouts.
    match client.set_recv_timeout(Some(REQUEST_TIMEOUT)) {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
        _ => {}
    }
    let answered = answer(tree, &mut &client, &mut &client);
    drop(client);
    tree.compare_if_due();
    answered
}

/// Answers one request. A malformed request gets an error.
pub(crate) fn answer(tree: &Tree, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let request = match Request::receive(from) {
        Ok(request) => request,
        // The client has sent no request.
        Err(ReceiveError::Ended) => return Ok(()),
        Err(error @ ReceiveError::Malformed(_)) => return refuse(to, error.to_string()),
        Err(ReceiveError::Io(error))
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ) =>
        {
            return refuse(to, "no request came in time".to_owned());
        }
        Err(ReceiveError::Io(error)) => return Err(error),
    };
    match find(tree, &request, to) {
        // The client has closed the connection, because it needs no more lines.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

fn refuse(to: &mut impl Write, why: String) -> io::Result<()> {
    Reply::Failed(why).send(to)?;
    to.flush()
}

fn find(tree: &Tree, request: &Request, to: &mut impl Write) -> io::Result<()> {
    let started = Instant::now();
    let words = text::distinct_words(&request.text);
    if words.is_empty() {
        return refuse(to, "the request has no words".to_owned());
    }
    if words.len() > MAX_WORDS {
        return refuse(
            to,
            format!(
                "{} words are too many; the maximum is {MAX_WORDS}",
                words.len()
            ),
        );
    }
    let index = tree.current();
    let mut to = BufWriter::with_capacity(64 << 10, to);
    let mut summary = Summary {
        pid: process::id().into(),
        tree: index.size(),
        ..Summary::default()
    };
    let mut flushed = started;
    let mut latest = None;
    query::search(tree.root(), &index, &words, |path, line| {
        if latest != Some(path) {
            latest = Some(path);
            summary.files += 1;
            Reply::File(shown(path)).send(&mut to)?;
        }
        summary.lines += 1;
        send_found(&mut to, line, request.whole_lines)?;
        if flushed.elapsed() > FLUSH_INTERVAL {
            to.flush()?;
            flushed = Instant::now();
        }
        Ok(())
    })?;
    if request.list_skipped {
        for (path, why) in index.skipped() {
            Reply::Skipped {
                path: shown(path),
                why: reason(&why),
            }
            .send(&mut to)?;
        }
    }
    summary.microseconds = started.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
    Reply::Done(summary).send(&mut to)?;
    to.flush()
}

fn send_found(to: &mut impl Write, line: Line<'_>, whole: bool) -> io::Result<()> {
    if whole {
        return send_line(to, line.number, &[line.text]);
    }
    let (text, before, after) = query::excerpt(line.text, line.first);
    let mark = |cut: bool| if cut { "…".as_bytes() } else { b"" };
    send_line(to, line.number, &[mark(before), text, mark(after)])
}

fn reason(why: &Skipped) -> String {
    match why {
        Skipped::Binary => "binary".to_owned(),
        Skipped::Large => format!("larger than {} MiB", MAX_FILE_SIZE >> 20),
        Skipped::Unreadable(error) => error.clone(),
    }
}

/// A path in a form for one line of output. Control characters and bytes that are not UTF-8 are replaced.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn replies_to(tree: &Tree, request: &[u8]) -> Vec<Reply> {
        let mut wire = Vec::new();
        answer(tree, &mut &request[..], &mut wire).unwrap();
        let mut wire = wire.as_slice();
        let mut replies = Vec::new();
        while !wire.is_empty() {
            replies.push(Reply::receive(&mut wire).unwrap());
        }
        replies
    }

    fn request(tree: &Tree, request: &Request) -> Vec<Reply> {
        let mut wire = Vec::new();
        request.send(&mut wire).unwrap();
        replies_to(tree, &wire)
    }

    fn tree(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Tree) {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(root.path().join(name), content).unwrap();
        }
        let tree = Tree::read(root.path()).unwrap();
        (root, tree)
    }

    #[test]
    fn an_answer_has_files_lines_and_a_summary() {
        let (_root, tree) = tree(&[("a", b"red\nblue\nred"), ("b", b"red"), ("c", b"\0")]);
        let replies = request(
            &tree,
            &Request {
                text: "red".into(),
                list_skipped: true,
                whole_lines: false,
            },
        );
        let line = |number| Reply::Line {
            number,
            text: b"red".to_vec(),
        };
        let (last, before) = replies.split_last().unwrap();
        let skipped = Reply::Skipped {
            path: "c".into(),
            why: "binary".into(),
        };
        assert_eq!(
            before,
            [
                Reply::File("a".into()),
                line(1),
                line(3),
                Reply::File("b".into()),
                line(1),
                skipped
            ]
        );
        let Reply::Done(summary) = last else {
            panic!("{last:?}")
        };
        assert_eq!(
            (
                summary.lines,
                summary.files,
                summary.tree.files,
                summary.tree.binary
            ),
            (3, 2, 3, 1)
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_word_unless_whole_lines_are_requested() {
        let line = format!("{} needle {}", "x".repeat(100_000), "y".repeat(100_000));
        let (_root, tree) = tree(&[("a", line.as_bytes())]);
        let mut search = Request {
            text: "needle".into(),
            ..Request::default()
        };
        let Reply::Line { text, .. } = &request(&tree, &search)[1] else {
            panic!("no line")
        };
        let text = String::from_utf8(text.clone()).unwrap();
        assert!(
            text.starts_with("…x")
                && text.contains(" needle ")
                && text.ends_with("y…")
                && text.len() < 400,
            "{text}"
        );

        search.whole_lines = true;
        let whole: Vec<u8> = request(&tree, &search)
            .into_iter()
            .flat_map(|reply| match reply {
                Reply::Line { text, .. } | Reply::More(text) => text,
                _ => Vec::new(),
            })
            .collect();
        assert_eq!(whole, line.as_bytes());
    }

    #[test]
    fn a_malformed_request_gets_an_error_and_an_empty_one_no_reply() {
        let (_root, tree) = tree(&[("a", b"red")]);
        for malformed in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"?\xff\xff\xff\xff",
            b"?\x01\0\0\0\0",
            b"?\x03\0\0\0\0--",
        ] {
            let replies = replies_to(&tree, malformed);
            assert!(
                matches!(replies.as_slice(), [Reply::Failed(_)]),
                "{malformed:?}: {replies:?}"
            );
        }
        let many: Vec<String> = (0..=MAX_WORDS).map(|n| format!("w{n}")).collect();
        assert!(matches!(
            request(
                &tree,
                &Request {
                    text: many.join(" "),
                    ..Request::default()
                }
            )
            .as_slice(),
            [Reply::Failed(_)]
        ));
        assert_eq!(replies_to(&tree, b""), []);
    }

    #[test]
    fn a_shown_path_is_a_single_line() {
        assert_eq!(
            shown(Path::new("a\nb\x1b[31m/c d")),
            "a\u{fffd}b\u{fffd}[31m/c d"
        );
    }
}
