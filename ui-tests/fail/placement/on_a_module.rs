use brokered_runtime::brokered_daemon;

#[brokered_daemon("indexd")]
mod daemon {
    pub fn serve() {}
}

fn main() {
    daemon::serve();
}
