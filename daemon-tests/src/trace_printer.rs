//! A `tracing` subscriber that prints the framework's spans and events.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Prints each span and event on a line. Keeps no state but the last span's number.
#[derive(Debug, Default)]
pub struct TracePrinter(AtomicU64);

/// The message of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for TracePrinter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "brokered"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        println!("span {}", span.metadata().name());
        Id::from_u64(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        println!("event {}", message.0);
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}
