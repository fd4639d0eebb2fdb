use brokered_runtime::brokered_daemon;

#[brokered_daemon("indexd")]
struct App;

fn main() {}
