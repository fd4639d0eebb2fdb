use brokered_runtime::brokered_daemon;

macro_rules! daemon {
    () => {
        fn serve() {}
    };
}

#[brokered_daemon("indexd")]
daemon!();

fn main() {
    serve();
}
