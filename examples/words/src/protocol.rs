//! The protocol between client and daemon.
//!
//! A frame is one byte for its kind, four bytes for the length of its body (little-endian, at most [`MAX_BODY`]), and the
//! body. The client sends one [`Request`]. The daemon sends any number of [`Reply`]s, of which the last is [`Reply::Done`] or
//! [`Reply::Failed`]; an answer without one of them is incomplete. Each version of the protocol has its own contract number
//! in [`crate::WORDS`], so clients and daemons with different versions never connect.

use std::{
    error, fmt,
    io::{self, Read, Write},
};

use crate::tree::Size;

/// The maximum length of a frame's body.
const MAX_BODY: usize = 64 << 10;

/// A search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// The words as they were typed. The daemon splits them.
    pub(crate) text: String,
    /// Also list the skipped files.
    pub(crate) list_skipped: bool,
    /// Send long lines without cutting them.
    pub(crate) whole_lines: bool,
}

/// A part of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The file of the lines that follow: its path relative to the root, as it is shown.
    File(String),
    /// A found line, or its beginning.
    Line { number: u32, text: Vec<u8> },
    /// The continuation of the previous line.
    More(Vec<u8>),
    /// A file that was not searched, and the reason.
    Skipped { path: String, why: String },
    /// The search failed, for this reason.
    Failed(String),
    /// The answer is complete.
    Done(Summary),
}

/// The numbers of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) lines: u64,
    /// The files that contain these lines.
    pub(crate) files: u64,
    /// The duration of the search.
    pub(crate) microseconds: u64,
    /// The daemon's PID.
    pub(crate) pid: u64,
    /// The size of the searched tree.
    pub(crate) tree: Size,
}

/// Why no message was received.
#[derive(Debug)]
pub(crate) enum ReceiveError {
    /// The stream ended.
    Ended,
    /// The message violates the protocol.
    Malformed(&'static str),
    Io(io::Error),
}

impl Request {
    const KIND: u8 = b'?';
    const LIST_SKIPPED: u8 = 1;
    const WHOLE_LINES: u8 = 2;

    /// # Errors
    ///
    /// `InvalidInput` if the words are too long for a frame.
    pub(crate) fn send(&self, to: &mut impl Write) -> io::Result<()> {
        let flags = if self.list_skipped {
            Self::LIST_SKIPPED
        } else {
            0
        } | if self.whole_lines {
            Self::WHOLE_LINES
        } else {
            0
        };
        if self.text.len() >= MAX_BODY {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the words have more than {MAX_BODY} bytes together"),
            ));
        }
        send(to, Self::KIND, &[&[flags], self.text.as_bytes()])
    }

    pub(crate) fn receive(from: &mut impl Read) -> Result<Self, ReceiveError> {
        let (_, body) = receive(from, |kind| kind == Self::KIND)?;
        let (&flags, words) = body
            .split_first()
            .ok_or(ReceiveError::Malformed("an empty request"))?;
        Ok(Self {
            text: text(words.to_vec())?,
            list_skipped: flags & Self::LIST_SKIPPED != 0,
            whole_lines: flags & Self::WHOLE_LINES != 0,
        })
    }
}

impl Reply {
    const FILE: u8 = b'f';
    const LINE: u8 = b'l';
    const MORE: u8 = b'm';
    const SKIPPED: u8 = b's';
    const FAILED: u8 = b'e';
    const DONE: u8 = b'd';

    pub(crate) fn send(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::File(path) => send(to, Self::FILE, &[path.as_bytes()]),
            Self::Line { number, text } => send_line(to, *number, &[text]),
            Self::More(text) => send(to, Self::MORE, &[text]),
            Self::Skipped { path, why } => {
                send(to, Self::SKIPPED, &[path.as_bytes(), b"\0", why.as_bytes()])
            }
            Self::Failed(why) => send(to, Self::FAILED, &[why.as_bytes()]),
            Self::Done(summary) => {
                let numbers: Vec<u8> = summary
                    .numbers()
                    .into_iter()
                    .flat_map(u64::to_le_bytes)
                    .collect();
                send(to, Self::DONE, &[&numbers])
            }
        }
    }

    pub(crate) fn receive(from: &mut impl Read) -> Result<Self, ReceiveError> {
        let (kind, body) = receive(from, |kind| {
            [
                Self::FILE,
                Self::LINE,
                Self::MORE,
                Self::SKIPPED,
                Self::FAILED,
                Self::DONE,
            ]
            .contains(&kind)
        })?;
        Ok(match kind {
            Self::FILE => Self::File(text(body)?),
            Self::LINE => {
                let (number, text) = body
                    .split_first_chunk()
                    .ok_or(ReceiveError::Malformed("a line without a number"))?;
                Self::Line {
                    number: u32::from_le_bytes(*number),
                    text: text.to_vec(),
                }
            }
            Self::MORE => Self::More(body),
            Self::SKIPPED => {
                let body = text(body)?;
                let (path, why) = body
                    .split_once('\0')
                    .ok_or(ReceiveError::Malformed("a skipped file without a reason"))?;
                Self::Skipped {
                    path: path.to_owned(),
                    why: why.to_owned(),
                }
            }
            Self::FAILED => Self::Failed(text(body)?),
            _ => Self::Done(
                Summary::from_bytes(&body)
                    .ok_or(ReceiveError::Malformed("a summary of the wrong size"))?,
            ),
        })
    }
}

/// Sends a line, which is given in pieces, in as many frames as necessary.
pub(crate) fn send_line(to: &mut impl Write, number: u32, pieces: &[&[u8]]) -> io::Result<()> {
    let number = number.to_le_bytes();
    if pieces.iter().map(|piece| piece.len()).sum::<usize>() + number.len() <= MAX_BODY {
        let all: Vec<&[u8]> = std::iter::once(&number[..])
            .chain(pieces.iter().copied())
            .collect();
        return send(to, Reply::LINE, &all);
    }
    send(to, Reply::LINE, &[&number])?;
    pieces
        .iter()
        .flat_map(|piece| piece.chunks(MAX_BODY))
        .try_for_each(|piece| send(to, Reply::MORE, &[piece]))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lines,
            files,
            microseconds,
            tree,
            ..
        } = self;
        write!(
            f,
            "{} in {}, ",
            count(*lines, "line"),
            count(*files, "file")
        )?;
        write!(
            f,
            "{:.1} ms; ",
            std::time::Duration::from_micros(*microseconds).as_secs_f64() * 1e3
        )?;
        write!(
            f,
            "of {}, skipped {} binary, {} too large, {} unreadable",
            count(tree.files, "file"),
            tree.binary,
            tree.large,
            tree.unreadable
        )
    }
}

fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

impl Summary {
    const NUMBERS: usize = 10;

    fn numbers(&self) -> [u64; Self::NUMBERS] {
        let Self {
            lines,
            files,
            microseconds,
            pid,
            tree,
        } = *self;
        [
            lines,
            files,
            microseconds,
            pid,
            tree.files,
            tree.text,
            tree.memory,
            tree.binary,
            tree.large,
            tree.unreadable,
        ]
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let numbers: Vec<u64> = numbers.iter().copied().map(u64::from_le_bytes).collect();
        let &[
            lines,
            files,
            microseconds,
            pid,
            tree_files,
            text,
            memory,
            binary,
            large,
            unreadable,
        ] = numbers.as_slice()
        else {
            return None;
        };
        let tree = Size {
            files: tree_files,
            text,
            memory,
            binary,
            large,
            unreadable,
        };
        rest.is_empty().then_some(Self {
            lines,
            files,
            microseconds,
            pid,
            tree,
        })
    }
}

/// Sends one frame whose body is the concatenation of `parts`.
fn send(to: &mut impl Write, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let header = match u32::try_from(length) {
        Ok(short) if length <= MAX_BODY => short.to_le_bytes(),
        _ => return Err(io::Error::other(format!("a frame of {length} bytes"))),
    };
    to.write_all(&[kind])?;
    to.write_all(&header)?;
    parts.iter().try_for_each(|part| to.write_all(part))
}

/// Receives one frame of an expected kind.
fn receive(
    from: &mut impl Read,
    expected: impl Fn(u8) -> bool,
) -> Result<(u8, Vec<u8>), ReceiveError> {
    let mut header = [0; 5];
    // The kind alone reveals most malformed input, even if it is short.
    from.read_exact(&mut header[..1])?;
    let kind = header[0];
    if !expected(kind) {
        return Err(ReceiveError::Malformed("a frame of an unknown kind"));
    }
    from.read_exact(&mut header[1..])?;
    let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
    if length > MAX_BODY {
        return Err(ReceiveError::Malformed("a frame that is too long"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok((kind, body))
}

fn text(bytes: Vec<u8>) -> Result<String, ReceiveError> {
    String::from_utf8(bytes).map_err(|_| ReceiveError::Malformed("a text that is not UTF-8"))
}

impl From<io::Error> for ReceiveError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.kind() {
            UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => Self::Ended,
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the connection ended"),
            Self::Malformed(what) => write!(f, "malformed message: {what}"),
            Self::Io(_) => f.write_str("cannot receive"),
        }
    }
}

impl error::Error for ReceiveError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Ended | Self::Malformed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let tree = Size {
            files: 5,
            text: 6,
            memory: 7,
            binary: 8,
            large: 9,
            unreadable: u64::MAX,
        };
        Summary {
            lines: 1,
            files: 2,
            microseconds: 3,
            pid: 4,
            tree,
        }
    }

    #[test]
    fn each_message_arrives_unchanged() {
        let replies = [
            Reply::File("a/b\u{fffd}".into()),
            Reply::Line {
                number: 7,
                text: b"\xff text".to_vec(),
            },
            Reply::Line {
                number: u32::MAX,
                text: Vec::new(),
            },
            Reply::More(vec![b'x'; MAX_BODY]),
            Reply::Skipped {
                path: "x".into(),
                why: "reason".into(),
            },
            Reply::Failed("no".into()),
            Reply::Done(summary()),
        ];
        let mut wire = Vec::new();
        for reply in &replies {
            reply.send(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        for reply in replies {
            assert_eq!(Reply::receive(&mut wire).unwrap(), reply);
        }
        assert!(matches!(
            Reply::receive(&mut wire),
            Err(ReceiveError::Ended)
        ));

        for (list_skipped, whole_lines) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let request = Request {
                text: "one İZWÖLF ::".into(),
                list_skipped,
                whole_lines,
            };
            let mut wire = Vec::new();
            request.send(&mut wire).unwrap();
            assert_eq!(Request::receive(&mut wire.as_slice()).unwrap(), request);
        }
    }

    #[test]
    fn a_line_of_any_length_arrives_complete() {
        for length in [0, 1, MAX_BODY - 4, MAX_BODY - 3, MAX_BODY, 3 * MAX_BODY + 1] {
            let line = vec![b'x'; length];
            let mut wire = Vec::new();
            send_line(&mut wire, 9, &[b"<", &line, b">"]).unwrap();
            let mut wire = wire.as_slice();
            let Reply::Line {
                number: 9,
                mut text,
            } = Reply::receive(&mut wire).unwrap()
            else {
                panic!("no line first")
            };
            while !wire.is_empty() {
                let Reply::More(more) = Reply::receive(&mut wire).unwrap() else {
                    panic!("not more of the line")
                };
                text.extend(more);
            }
            assert_eq!(text.len(), length + 2);
        }
    }

    #[test]
    fn the_sender_refuses_words_that_are_too_long() {
        let request = Request {
            text: "x".repeat(MAX_BODY),
            ..Request::default()
        };
        assert_eq!(
            request.send(&mut Vec::new()).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }

    #[test]
    fn a_malformed_request_is_an_error() {
        let cases: [&[u8]; 5] = [
            b"G",
            b"GET / HTTP/1.1\r\n\r\n",
            b"?\xff\xff\xff\xff",
            b"?\0\0\0\0",
            b"?\x02\0\0\0\0\xff",
        ];
        for case in cases {
            assert!(
                matches!(
                    Request::receive(&mut &case[..]),
                    Err(ReceiveError::Malformed(_))
                ),
                "{case:?}"
            );
        }
        for cut in [&b""[..], b"?", b"?\x05\0\0\0\0one"] {
            assert!(
                matches!(Request::receive(&mut &cut[..]), Err(ReceiveError::Ended)),
                "{cut:?}"
            );
        }
    }

    #[test]
    fn a_changed_byte_of_a_reply_never_causes_a_panic() {
        let mut wire = Vec::new();
        Reply::Done(summary()).send(&mut wire).unwrap();
        Reply::Skipped {
            path: "p".into(),
            why: "w".into(),
        }
        .send(&mut wire)
        .unwrap();
        for at in 0..wire.len() {
            for byte in 0..=u8::MAX {
                let mut changed = wire.clone();
                changed[at] = byte;
                let mut rest = changed.as_slice();
                while Reply::receive(&mut rest).is_ok() {}
            }
        }
    }
}
