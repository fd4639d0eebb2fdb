use brokered_runtime::brokered_daemon;

#[brokered_daemon("indexd")]
fn main() {}
