use brokered_runtime::{Bound, State, brokered_daemon};

struct Index {
    #[cfg(target_os = "linux")]
    inotify: String,
    // .. and what else there is only somewhere.
}

impl State for Index {
    type Error = std::io::Error;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Self {
            #[cfg(target_os = "linux")]
            inotify: std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches")?,
        })
    }
}

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: Index) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    println!("up to {} watches", index.inotify.trim());
    bound.serve(|_| Ok(()))
}
