use brokered_runtime::{Bound, brokered_daemon};

trait App {
    #[brokered_daemon("indexd")]
    fn main(bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }
}

impl App for () {}

fn main() {
    println!("before bind");
    let _ = <() as App>::main();
}
