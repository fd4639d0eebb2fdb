// Two errors: the compiler takes no macro's attribute there, and says so by itself.
use brokered_runtime::brokered_daemon;

fn main() {
    #[brokered_daemon("indexd")]
    let serve = |bound: brokered_runtime::Bound| bound.serve(|_| Ok(()));
    let _ = serve;
}
