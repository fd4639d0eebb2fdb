//! Doors for the fuzzer, which are there in its builds alone.

use crate::control::{Request, Status};
use crate::handoff::{Event, Message, announced_nonce};
use crate::record::Record;

/// A record.
pub fn record(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(record) = Record::from_text(&text) {
        assert_eq!(Record::from_text(&record.to_text()), Some(record));
    }
}

/// A control request, and the reply to one.
pub fn control(bytes: &[u8]) {
    if let Some(request) = Request::from_line(bytes) {
        let line = request.as_line().as_bytes();
        assert_eq!(Request::from_line(line), Some(request));
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(status) = Status::from_text(&text) {
        let said = status.to_text();
        assert!(!said.contains("\n\n"), "an empty line is the end: {said}");
        assert_eq!(Status::from_text(&said), Some(status));
    }
}

/// A launch message, the announcement of one, and what a daemon tells its launcher.
pub fn launch(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(message) = Message::from_text(&text) {
        let sent = message.to_text("nonce");
        assert!(sent.find("\n\n") == Some(sent.len() - 2), "one end: {sent}");
        assert_eq!(Message::from_text(&sent), Some(message));
    }
    let line = text.lines().next().unwrap_or_default();
    if let Some(event) = Event::from_line(line) {
        assert_eq!(event.to_line(), line);
    }
    let _ = announced_nonce(&text);
}
