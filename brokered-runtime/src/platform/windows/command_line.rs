//! The program, the command line and the environment of a new process, as `CreateProcessW` takes them.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use super::ffi::wide;

/// The executable. A batch file is refused, because its interpreter would parse the arguments by other rules.
pub(super) fn program_of(command: &Command) -> io::Result<Vec<u16>> {
    let program = Path::new(command.get_program());
    let is_script = program.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("bat") || extension.eq_ignore_ascii_case("cmd")
    });
    if is_script {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a batch file cannot be started as a daemon; use the program that it starts",
        ));
    }
    // The standard library adds the extension in the same way.
    if program.extension().is_none() && !program.exists() {
        return text(program.with_extension("exe").as_os_str());
    }
    text(program.as_os_str())
}

/// A text for the system. It must not contain a NUL, which would end it.
fn text(text: &OsStr) -> io::Result<Vec<u16>> {
    if text.encode_wide().any(|unit| unit == 0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the program, an argument or an environment variable contains a NUL",
        ));
    }
    Ok(wide(text))
}

/// The program and its arguments in one line, which the new process splits again.
pub(super) fn command_line(command: &Command) -> io::Result<Vec<u16>> {
    let mut line = Vec::new();
    push_quoted(&mut line, &text(command.get_program())?);
    for argument in command.get_args() {
        line.push(u16::from(b' '));
        push_quoted(&mut line, &text(argument)?);
    }
    line.push(0);
    Ok(line)
}

/// Quotes one argument by the rules of Microsoft's C runtime, which Rust's standard library follows as well. A
/// backslash is an escape character only in a row of backslashes before a quote.
fn push_quoted(line: &mut Vec<u16>, argument: &[u16]) {
    const QUOTE: u16 = b'"' as u16;
    const BACKSLASH: u16 = b'\\' as u16;
    let argument = argument.strip_suffix(&[0]).unwrap_or(argument);
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in argument {
        match *unit {
            BACKSLASH => backslashes += 1,
            QUOTE => {
                line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(*unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

/// The environment of this process, with the changes of the command. The names of variables are not case-sensitive.
pub(super) fn environment(command: &Command, is_cleared: bool) -> io::Result<Vec<u16>> {
    let key = |name: &OsStr| name.to_string_lossy().to_uppercase();
    let mut variables: BTreeMap<String, (OsString, OsString)> = BTreeMap::new();
    if !is_cleared {
        for (name, value) in env::vars_os() {
            variables.insert(key(&name), (name, value));
        }
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => {
                variables.insert(key(name), (name.to_owned(), value.to_owned()));
            }
            None => {
                variables.remove(&key(name));
            }
        }
    }
    let mut block = Vec::new();
    for (name, value) in variables.values() {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        block.extend(text(&variable)?);
    }
    // A block without variables also ends with two zeroes.
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(argument: &str) -> String {
        let mut line = Vec::new();
        push_quoted(&mut line, &wide(OsStr::new(argument)));
        String::from_utf16(&line).expect("the argument was valid Unicode")
    }

    #[test]
    fn arguments_are_quoted_so_that_a_program_splits_them_correctly() {
        assert_eq!(quoted(""), r#""""#);
        assert_eq!(quoted("a b"), r#""a b""#);
        assert_eq!(quoted(r"C:\dir\"), r#""C:\dir\\""#);
        assert_eq!(quoted(r#"say "hi""#), r#""say \"hi\"""#);
        assert_eq!(quoted(r#"\""#), r#""\\\"""#);
    }

    #[test]
    fn a_variable_replaces_one_whose_name_differs_only_in_case() -> io::Result<()> {
        let mut command = Command::new("any");
        command.env("Some_Name", "1").env("SOME_NAME", "2");
        let block = String::from_utf16_lossy(&environment(&command, true)?);
        assert_eq!(block.matches("=2\0").count(), 1, "{block}");
        assert!(!block.contains("=1\0"), "{block}");
        assert!(block.ends_with("\0\0"), "{block}");
        Ok(())
    }
}
