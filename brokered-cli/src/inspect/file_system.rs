//! [`FileSystem`]: questions to file systems, of which a remote one may never answer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The file systems of other machines, as Linux names them.
const REMOTE: [&str; 13] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.sshfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb3",
];

/// Asks file systems, and waits no longer than a time for all answers together.
#[derive(Debug)]
pub(crate) struct FileSystem {
    left: Duration,
}

impl FileSystem {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { left: timeout }
    }

    /// Whether the path leads nowhere. Not without an answer, or after another error.
    pub(crate) fn is_gone(&mut self, path: &Path) -> bool {
        let path = path.to_owned();
        let metadata = self.ask(move || fs::symlink_metadata(path));
        metadata.is_some_and(|metadata| {
            metadata.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        })
    }

    /// Asks on another thread, because a call to a dead server blocks forever.
    fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Option<io::Result<T>> {
        if self.left.is_zero() {
            return None;
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let asked = Instant::now();
        thread::Builder::new()
            .spawn(move || sender.send(question()))
            .ok()?;
        let answer = receiver.recv_timeout(self.left).ok();
        self.left = self.left.saturating_sub(asked.elapsed());
        answer
    }
}

/// The type of the remote file system that holds a path. `None` if the file system is local, or on another system than
/// Linux.
pub(crate) fn remote_file_system(path: &Path) -> Option<String> {
    remote_in(&fs::read_to_string("/proc/self/mountinfo").ok()?, path)
}

/// The same in a table of mounts: <https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>.
fn remote_in(mounts: &str, path: &Path) -> Option<String> {
    let parse = |line: &str| {
        let (mount, file_system) = line.split_once(" - ")?;
        let point = PathBuf::from(unescape(mount.split(' ').nth(4)?));
        Some((point, file_system.split(' ').next()?.to_owned()))
    };
    // Of several mounts at one place, the last one hides the others.
    let (_, kind) = mounts
        .lines()
        .filter_map(parse)
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.components().count())?;
    REMOTE.contains(&kind.as_str()).then_some(kind)
}

/// Replaces the octal numbers that stand for spaces and the like.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(3).unwrap_or((part, ""));
        match u8::from_str_radix(code, 8) {
            Ok(code) => whole.push(char::from(code)),
            Err(_) => whole.push_str(code),
        }
        whole.push_str(rest);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:5 / /home rw shared:1 master:2 - nfs4 server:/home rw
24 23 0:6 / /home/local rw - tmpfs tmpfs rw
25 22 0:7 / /mnt/two\\040words rw - fuse.sshfs host: rw
26 22 0:8 / /srv rw - cifs //server/share rw
27 22 0:9 / /srv rw - ext4 /dev/vdb rw
";

    #[test]
    fn the_innermost_and_last_mount_decides() {
        let kind = |path: &str| remote_in(MOUNTS, Path::new(path));
        assert_eq!(kind("/home/you/x"), Some("nfs4".to_owned()));
        assert_eq!(kind("/home"), Some("nfs4".to_owned()));
        assert_eq!(kind("/homes"), None);
        assert_eq!(kind("/home/local/x"), None);
        assert_eq!(kind("/mnt/two words"), Some("fuse.sshfs".to_owned()));
        assert_eq!(kind("/srv/x"), None);
        assert_eq!(kind("/tmp"), None);
    }

    #[test]
    fn a_question_without_an_answer_is_given_up_and_no_other_is_asked() {
        let mut file_system = FileSystem::new(Duration::from_millis(50));
        let (_kept, never) = mpsc::channel::<()>();
        let answer = file_system.ask(move || Ok(never.recv().is_ok()));
        assert!(answer.is_none());
        assert!(!file_system.is_gone(Path::new("/no/such/directory")));
        let mut file_system = FileSystem::new(Duration::from_secs(60));
        assert!(file_system.is_gone(Path::new("/no/such/directory")));
        assert!(!file_system.is_gone(Path::new("/")));
    }
}
