pub mod inner {
    use brokered_runtime::{Bound, brokered_daemon};

    pub fn start() {
        println!("before bind");
        let _ = main();
    }

    #[brokered_daemon("indexd")]
    fn main(bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }
}
