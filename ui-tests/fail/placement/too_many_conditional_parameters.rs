use brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

#[brokered_daemon("indexd")]
fn main(
    bound: Bound,
    #[cfg(unix)] _: Index,
    #[cfg(windows)] _: Index,
    #[cfg(target_os = "linux")] _: Index,
    #[cfg(target_os = "macos")] _: Index,
    #[cfg(target_os = "freebsd")] _: Index,
    #[cfg(target_os = "netbsd")] _: Index,
    #[cfg(target_os = "openbsd")] _: Index,
    #[cfg(target_os = "illumos")] _: Index,
    #[cfg(debug_assertions)] _: Index,
) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
