use brokered_runtime::Never;

fn main() {
    let _ = Never {};
}
