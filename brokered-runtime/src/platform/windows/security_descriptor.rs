//! Security descriptors: who may access a pipe or a directory.
//!
//! The texts are in the security descriptor definition language (SDDL).

use std::ffi::OsStr;
use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES};

use super::ffi::{check, wide};
use super::user::User;

/// A security descriptor.
#[derive(Debug)]
pub(super) struct SecurityDescriptor(PSECURITY_DESCRIPTOR);

// SAFETY: after its creation it is only read.
unsafe impl Send for SecurityDescriptor {}
// SAFETY: as above.
unsafe impl Sync for SecurityDescriptor {}

impl SecurityDescriptor {
    /// The user of this process is the owner and has all access. All others have none.
    pub(super) fn for_this_user() -> io::Result<Self> {
        let user = User::current()?.text()?;
        Self::from_text(&format!("O:{user}D:P(A;;GA;;;{user})"))
    }

    /// The same for a directory and all that is created in it. The system account has access, too, for backups.
    pub(super) fn for_directories() -> io::Result<Self> {
        let user = User::current()?.text()?;
        Self::from_text(&format!("O:{user}D:P(A;OICI;FA;;;{user})(A;OICI;FA;;;SY)"))
    }

    pub(super) fn from_text(text: &str) -> io::Result<Self> {
        let text = wide(OsStr::new(text));
        let mut descriptor = ptr::null_mut();
        // SAFETY: the text ends with a zero, and `descriptor` is valid for writes.
        check(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        })?;
        Ok(Self(descriptor))
    }

    /// A copy as the type that `interprocess` takes.
    pub(super) fn to_interprocess(
        &self,
    ) -> io::Result<interprocess::os::windows::security_descriptor::SecurityDescriptor> {
        use interprocess::os::windows::security_descriptor::{
            AsSecurityDescriptorExt, BorrowedSecurityDescriptor,
        };
        // SAFETY: the descriptor is valid while `self` is borrowed.
        unsafe { BorrowedSecurityDescriptor::from_ptr(self.0) }.to_owned_sd()
    }

    /// The attributes for a call that creates an object. They must not outlive `self`.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        }
    }
}

impl Drop for SecurityDescriptor {
    fn drop(&mut self) {
        // SAFETY: the system has allocated it, and it is freed only here.
        unsafe { LocalFree(self.0) };
    }
}
