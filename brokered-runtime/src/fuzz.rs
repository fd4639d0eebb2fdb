//! Entry points for the fuzz targets. They exist only in builds with `--cfg fuzzing`.

use crate::control::{Request, Status};
use crate::handoff::{Event, Message, announced_nonce};
use crate::record::Record;

/// Parses a record, and what it is written as.
pub fn record(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(record) = Record::from_text(&text) {
        assert_eq!(Record::from_text(&record.to_text()), Some(record));
    }
}

/// Parses a control request, and a reply.
pub fn control(bytes: &[u8]) {
    if let Some(request) = Request::from_line(bytes) {
        let line = request.as_line().as_bytes();
        assert_eq!(Request::from_line(line), Some(request));
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(status) = Status::from_text(&text) {
        let text = status.to_text();
        assert!(!text.contains("\n\n"), "an empty line ends a reply: {text}");
        assert_eq!(Status::from_text(&text), Some(status));
    }
}

/// Parses a launch message, an announcement, and an event.
pub fn launch(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(message) = Message::from_text(&text) {
        let sent = message.to_text("nonce");
        assert!(
            sent.find("\n\n") == Some(sent.len() - 2),
            "only one empty line: {sent}"
        );
        assert_eq!(Message::from_text(&sent), Some(message));
    }
    let line = text.lines().next().unwrap_or_default();
    if let Some(event) = Event::from_line(line) {
        assert_eq!(event.to_line(), line);
    }
    let _ = announced_nonce(&text);
}
