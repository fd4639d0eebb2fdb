use brokered_runtime::{Bound, brokered_daemon};

mod daemon {
    use super::*;

    #[brokered_daemon("indexd")]
    fn main(bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }
}

fn main() {
    println!("before bind");
}
