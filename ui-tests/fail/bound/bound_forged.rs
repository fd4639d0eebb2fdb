use brokered_runtime::Bound;

fn main() {
    let _ = Bound {};
}
