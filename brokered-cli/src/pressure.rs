//! Whether a daemon is at one of its limits, in words.

use brokered_runtime::Status;

/// The share of the descriptors from which a daemon is under pressure, in percent.
const MANY: u64 = 80;

/// That all connections which the daemon serves at once are in use. `None` if there is room.
pub(crate) fn connections(status: &Status) -> Option<String> {
    let limit = status.connections_limit?;
    (status.connections_open >= limit).then(|| {
        format!(
            "{} now, which is the limit: further clients wait",
            status.connections_open
        )
    })
}

/// That descriptors are about to run out, or have done so. `None` if there are enough.
pub(crate) fn descriptors(status: &Status) -> Option<String> {
    let numbers = status.descriptors_open.zip(status.descriptors_limit);
    let are_many =
        |(open, limit): (u64, u64)| open.saturating_mul(100) >= limit.saturating_mul(MANY);
    let had_shortage = status.descriptor_shortages > 0;
    if !had_shortage && !numbers.is_some_and(are_many) {
        return None;
    }
    let open = match numbers {
        Some((open, limit)) => format!("{open} of {limit} open"),
        None => "an unknown number open".to_owned(),
    };
    Some(if had_shortage {
        format!(
            "{open}; shortages: {}, clients refused: {}",
            status.descriptor_shortages, status.clients_refused
        )
    } else {
        open
    })
}
