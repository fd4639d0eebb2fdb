use brokered_runtime::{Bound, brokered_daemon};

struct App;

impl App {
    #[brokered_daemon("indexd")]
    fn main(bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }
}

fn main() {
    println!("before bind");
    let _ = App::main();
}
