use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) -> ! {
    for client in bound.incoming() {
        drop(client);
    }
    loop {}
    println!("unreachable");
}
