use brokered_runtime::{Bound, brokered_daemon};

const _: () = {
    #[brokered_daemon("indexd")]
    fn main(bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }
};

fn main() {
    println!("before bind");
}
