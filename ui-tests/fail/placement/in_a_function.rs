use brokered_runtime::{Bound, brokered_daemon};

fn main() {
    println!("before bind");

    #[brokered_daemon("indexd")]
    fn main(bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }

    main();
}
