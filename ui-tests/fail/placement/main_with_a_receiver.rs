use brokered_runtime::{Bound, brokered_daemon};

struct App;

impl App {
    #[brokered_daemon("indexd")]
    fn main(&self, bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }
}

fn main() {}
