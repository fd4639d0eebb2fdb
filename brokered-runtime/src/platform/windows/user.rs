//! The user of this process, and what is for this user alone.

use std::ffi::{OsStr, OsString, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
    GetNamedSecurityInfoW, GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT, SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{
    CheckTokenMembership, EqualSid, GetSidSubAuthority, GetSidSubAuthorityCount,
    GetTokenInformation, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
    SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{check, wide};

/// A user, by the identifier that the system knows them by.
#[derive(Debug)]
pub(super) struct User {
    /// The user's token information, aligned as its header wants it. The identifier is inside.
    information: Box<[usize]>,
}

impl User {
    /// The user of this process.
    pub(super) fn current() -> io::Result<&'static Self> {
        static CURRENT: OnceLock<User> = OnceLock::new();
        if let Some(user) = CURRENT.get() {
            return Ok(user);
        }
        let user = Self::of_this_process()?;
        Ok(CURRENT.get_or_init(|| user))
    }

    fn of_this_process() -> io::Result<Self> {
        let mut token = ptr::null_mut();
        // SAFETY: `token` is valid for writes, and what it is then is nobody else's yet.
        let token = unsafe {
            check(OpenProcessToken(
                GetCurrentProcess(),
                TOKEN_QUERY,
                &raw mut token,
            ))?;
            OwnedHandle::from_raw_handle(token)
        };
        // An identifier has 68 bytes at most, behind a header of two pointers.
        let mut information = vec![0_usize; 32].into_boxed_slice();
        let size = u32::try_from(size_of_val(&*information)).map_err(io::Error::other)?;
        let mut length = 0;
        // SAFETY: `information` is valid for writes of `size` bytes.
        check(unsafe {
            GetTokenInformation(
                token.as_raw_handle(),
                TokenUser,
                information.as_mut_ptr().cast(),
                size,
                &raw mut length,
            )
        })?;
        Ok(Self { information })
    }

    fn identifier(&self) -> PSID {
        // SAFETY: the system has filled the information, which is aligned for its header, and the identifier that
        // the header points to is in the same allocation.
        unsafe { (*self.information.as_ptr().cast::<TOKEN_USER>()).User.Sid }
    }

    /// The last part of the identifier, which is what tells users of one machine apart.
    pub(super) fn number(&self) -> u32 {
        // SAFETY: the identifier is valid.
        unsafe { last_part(self.identifier()) }
    }

    /// The identifier as text: `S-1-5-21-...`.
    pub(super) fn text(&self) -> io::Result<String> {
        let mut text = ptr::null_mut();
        // SAFETY: the identifier is valid, and `text` is valid for writes. The system ends what it writes with a
        // zero, and gives it to us to be freed.
        unsafe {
            check(ConvertSidToStringSidW(self.identifier(), &raw mut text))?;
            let length = (0..).take_while(|index| *text.add(*index) != 0).count();
            let written = OsString::from_wide(std::slice::from_raw_parts(text, length));
            LocalFree(text.cast());
            Ok(written.to_string_lossy().into_owned())
        }
    }
}

/// A security descriptor, made from the text that describes it.
#[derive(Debug)]
pub(super) struct Descriptor(PSECURITY_DESCRIPTOR);

// SAFETY: it is only read once it is made.
unsafe impl Send for Descriptor {}
// SAFETY: as above.
unsafe impl Sync for Descriptor {}

impl Descriptor {
    /// What belongs to the user of this process, who alone may do anything with it.
    pub(super) fn for_this_user() -> io::Result<Self> {
        let user = User::current()?.text()?;
        Self::from_text(&format!("O:{user}D:P(A;;GA;;;{user})"))
    }

    /// The same for a directory, and for what is made in it. The system itself may look into it, as backups do.
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

    /// For `interprocess`, which keeps a copy.
    pub(super) fn to_interprocess(
        &self,
    ) -> io::Result<interprocess::os::windows::security_descriptor::SecurityDescriptor> {
        use interprocess::os::windows::security_descriptor::{
            AsSecurityDescriptorExt, BorrowedSecurityDescriptor,
        };
        // SAFETY: the descriptor is valid for as long as `self` is borrowed.
        unsafe { BorrowedSecurityDescriptor::from_ptr(self.0) }.to_owned_sd()
    }

    /// To make something with. Not to be kept any longer than this.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system has given it to us to be freed, once.
        unsafe { LocalFree(self.0) };
    }
}

/// Who owns something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The user of this process.
    Us,
    /// A group that this process acts for, as administrators do.
    OurGroup,
    /// Somebody else, by the last part of the identifier.
    Other(u32),
}

/// Who has made the pipe at the other end of a connection.
pub(super) fn owner_of_pipe(pipe: BorrowedHandle<'_>) -> io::Result<Owner> {
    let mut owner: PSID = ptr::null_mut();
    let mut descriptor = MaybeUninit::<PSECURITY_DESCRIPTOR>::zeroed();
    // SAFETY: the handle is open as long as it is borrowed, and both places are valid for writes.
    let code = unsafe {
        GetSecurityInfo(
            pipe.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            descriptor.as_mut_ptr(),
        )
    };
    judge(code, owner, descriptor)
}

/// Who owns a file.
pub(super) fn owner_of_file(path: &Path) -> io::Result<Owner> {
    let path = wide(path.as_os_str());
    let mut owner: PSID = ptr::null_mut();
    let mut descriptor = MaybeUninit::<PSECURITY_DESCRIPTOR>::zeroed();
    // SAFETY: the path ends with a zero, and both places are valid for writes.
    let code = unsafe {
        GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            descriptor.as_mut_ptr(),
        )
    };
    judge(code, owner, descriptor)
}

/// Judges an owner that the system has told, and frees what it was told in.
fn judge(
    code: u32,
    owner: PSID,
    descriptor: MaybeUninit<PSECURITY_DESCRIPTOR>,
) -> io::Result<Owner> {
    if code != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    let ours = User::current()?.identifier();
    // SAFETY: the system has written both, the owner is inside the descriptor, and is looked at before that is freed.
    unsafe {
        let judged = if owner.is_null() {
            Owner::Other(0)
        } else if EqualSid(owner, ours) != 0 {
            Owner::Us
        } else if acts_for(owner) {
            Owner::OurGroup
        } else {
            Owner::Other(last_part(owner))
        };
        LocalFree(descriptor.assume_init().cast::<c_void>());
        Ok(judged)
    }
}

/// Whether this process acts for a group.
///
/// # Safety
///
/// The identifier is valid.
unsafe fn acts_for(group: PSID) -> bool {
    let mut is_member = 0;
    // SAFETY: by the contract above; without a token it is this process's own that is asked about.
    let asked = unsafe { CheckTokenMembership(ptr::null_mut(), group, &raw mut is_member) };
    asked != 0 && is_member != 0
}

/// The last part of an identifier, which is what tells users of one machine apart.
///
/// # Safety
///
/// The identifier is valid.
unsafe fn last_part(identifier: PSID) -> u32 {
    // SAFETY: by the contract above, and only a part that is there is read.
    unsafe {
        match *GetSidSubAuthorityCount(identifier) {
            0 => 0,
            parts => *GetSidSubAuthority(identifier, u32::from(parts) - 1),
        }
    }
}
