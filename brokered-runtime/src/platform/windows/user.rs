//! The user of this process, and the owners of files and pipes.
//!
//! Windows identifies users and groups by security identifiers (SIDs), such as `S-1-5-21-...`.

use std::ffi::{OsString, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, GetNamedSecurityInfoW, GetSecurityInfo, SE_FILE_OBJECT,
    SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{
    CheckTokenMembership, EqualSid, GetSidSubAuthority, GetSidSubAuthorityCount,
    GetTokenInformation, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID, TOKEN_QUERY,
    TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::ffi::{check, wide};

/// A user.
#[derive(Debug)]
pub(super) struct User {
    /// The token information, aligned for its header. It contains the SID.
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
        // SAFETY: `token` is valid for writes. The handle that the call returns is new and has no owner.
        let token = unsafe {
            check(OpenProcessToken(
                GetCurrentProcess(),
                TOKEN_QUERY,
                &raw mut token,
            ))?;
            OwnedHandle::from_raw_handle(token)
        };
        // A header of two pointers, then a SID of 68 bytes at most.
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

    fn sid(&self) -> PSID {
        // SAFETY: the system has filled the information, which is aligned for its header. The SID that the header
        // points to is in the same allocation.
        unsafe { (*self.information.as_ptr().cast::<TOKEN_USER>()).User.Sid }
    }

    /// The last part of the SID, which differs for each user of a machine.
    pub(super) fn number(&self) -> u32 {
        // SAFETY: the SID is valid.
        unsafe { last_part(self.sid()) }
    }

    /// The SID as text: `S-1-5-21-...`.
    pub(super) fn text(&self) -> io::Result<String> {
        let mut text = ptr::null_mut();
        // SAFETY: the SID is valid, and `text` is valid for writes. The system allocates a text that ends with a zero,
        // and the caller must free it.
        unsafe {
            check(ConvertSidToStringSidW(self.sid(), &raw mut text))?;
            let length = (0..).take_while(|index| *text.add(*index) != 0).count();
            let written = OsString::from_wide(std::slice::from_raw_parts(text, length));
            LocalFree(text.cast());
            Ok(written.to_string_lossy().into_owned())
        }
    }
}

/// The owner of a file or a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The user of this process.
    ThisUser,
    /// A group that this process is a member of, such as the administrators.
    GroupOfThisUser,
    /// Another user or group, by the last part of the SID.
    Other(u32),
}

/// The user who has created a pipe.
pub(super) fn owner_of_pipe(pipe: BorrowedHandle<'_>) -> io::Result<Owner> {
    let mut owner: PSID = ptr::null_mut();
    let mut descriptor = MaybeUninit::<PSECURITY_DESCRIPTOR>::zeroed();
    // SAFETY: the handle is open while it is borrowed, and both variables are valid for writes.
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
    classify(code, owner, descriptor)
}

/// The owner of a file.
pub(super) fn owner_of_file(path: &Path) -> io::Result<Owner> {
    let path = wide(path.as_os_str());
    let mut owner: PSID = ptr::null_mut();
    let mut descriptor = MaybeUninit::<PSECURITY_DESCRIPTOR>::zeroed();
    // SAFETY: the path ends with a zero, and both variables are valid for writes.
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
    classify(code, owner, descriptor)
}

/// Classifies the owner that the system has returned, and frees the descriptor that contains it.
fn classify(
    code: u32,
    owner: PSID,
    descriptor: MaybeUninit<PSECURITY_DESCRIPTOR>,
) -> io::Result<Owner> {
    if code != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    let this_user = User::current()?.sid();
    // SAFETY: the system has written both. The owner is inside the descriptor, and is read before that is freed.
    unsafe {
        let classified = if owner.is_null() {
            Owner::Other(0)
        } else if EqualSid(owner, this_user) != 0 {
            Owner::ThisUser
        } else if is_member_of(owner) {
            Owner::GroupOfThisUser
        } else {
            Owner::Other(last_part(owner))
        };
        LocalFree(descriptor.assume_init().cast::<c_void>());
        Ok(classified)
    }
}

/// Whether this process is a member of a group.
///
/// # Safety
///
/// The SID must be valid.
unsafe fn is_member_of(group: PSID) -> bool {
    let mut is_member = 0;
    // SAFETY: by the contract above the SID is valid. A null token stands for the token of this process.
    let result = unsafe { CheckTokenMembership(ptr::null_mut(), group, &raw mut is_member) };
    result != 0 && is_member != 0
}

/// The last part of a SID, which differs for each user of a machine.
///
/// # Safety
///
/// The SID must be valid.
unsafe fn last_part(sid: PSID) -> u32 {
    // SAFETY: by the contract above the SID is valid. Only a part that exists is read.
    unsafe {
        match *GetSidSubAuthorityCount(sid) {
            0 => 0,
            parts => *GetSidSubAuthority(sid, u32::from(parts) - 1),
        }
    }
}
