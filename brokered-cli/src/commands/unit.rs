//! `brokered unit`: what service managers want to know of a daemon.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use brokered_runtime::operator::{EXIT_ALREADY_BOUND, InstanceDirectory, canonicalize};
use serde_json::{Value, json};

use crate::arguments::{Manager, Target, Unit};
use crate::error::{CliError, DONE, USAGE};
use crate::output::{Output, style, styled};
use crate::select;

/// A file of a service manager's.
struct File {
    name: String,
    text: String,
}

/// A daemon, as a service manager starts it.
struct Service {
    /// What the units are called.
    name: String,
    target: Target,
    place: InstanceDirectory,
    program: PathBuf,
    arguments: Vec<String>,
    directory: Option<String>,
    instance: Option<String>,
}

pub(crate) fn unit(arguments: &Unit, output: &mut Output) -> Result<u8, CliError> {
    let service = service(arguments)?;
    let files = match arguments.manager {
        Manager::Systemd => systemd(&service)?,
        Manager::Launchd => vec![launchd(&service)],
        Manager::Kubernetes => vec![kubernetes(&service)],
    };
    if let Some(directory) = &arguments.write {
        write(directory, &files)?;
    }
    tell(&files, arguments.write.as_deref(), output)?;
    Ok(DONE)
}

fn service(arguments: &Unit) -> Result<Service, CliError> {
    let target = &arguments.target;
    let place = select::one_or_new(target)?;
    let recorded = place.recorded();
    let record = recorded.record();
    let given = arguments.program.program.clone();
    let known = given.clone().or_else(|| record?.program.clone());
    let program = match known {
        Some(program) => std::path::absolute(program).map_err(CliError::failed)?,
        None if arguments.manager == Manager::Kubernetes => PathBuf::new(),
        None => {
            let text = format!(
                "nothing tells which executable {} is: name it with --program",
                target.daemon
            );
            return Err(CliError::new(USAGE, text));
        }
    };
    let of = match (&given, record) {
        (None, Some(record)) => &record.arguments,
        _ => &arguments.program.arguments,
    };
    let directory =
        match (record, &target.directory) {
            (Some(record), _) => record.directory.clone(),
            (None, Some(directory)) => Some(canonicalize(directory).map_err(|error| {
                CliError::new(USAGE, format!("{}: {error}", directory.display()))
            })?),
            (None, None) => None,
        };
    let instance = record.map_or_else(|| target.instance.clone(), |record| record.instance.clone());
    Ok(Service {
        name: place.name(),
        target: target.clone(),
        place,
        program,
        arguments: of
            .iter()
            .map(|one| text_of(one))
            .collect::<Result<_, _>>()?,
        directory: directory
            .map(|path| text_of(path.as_os_str()))
            .transpose()?,
        instance,
    })
}

/// Service managers' files are text, and have lines.
fn text_of(text: &OsStr) -> Result<String, CliError> {
    match text.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(CliError::new(
            USAGE,
            format!(
                "{} can't stand in a unit: it has control characters, or is no text",
                text.display()
            ),
        )),
    }
}

impl Service {
    fn program(&self) -> Result<String, CliError> {
        text_of(self.program.as_os_str())
    }

    /// `BROKERED_INSTANCE`, for a daemon that a launcher did not tell which instance it is.
    fn named(&self) -> Option<&str> {
        self.directory.as_deref().or(self.instance.as_deref())
    }

    /// The words that mean this daemon on this tool's command line.
    fn words(&self) -> Vec<String> {
        let mut words = vec![self.target.daemon.clone()];
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.push(name.to_owned());
                words.push(value);
            }
        };
        option("--directory", self.directory.clone());
        option("--instance", self.instance.clone());
        option(
            "--contract",
            self.target.contract.map(|number| number.to_string()),
        );
        words
    }
}

fn systemd(service: &Service) -> Result<Vec<File>, CliError> {
    let name = &service.name;
    let endpoint = text_of(service.place.endpoint().as_os_str())?;
    let runtime = service.place.directory().parent().unwrap_or(Path::new("/"));
    let runtime = text_of(runtime.as_os_str())?;
    let socket = format!(
        "[Unit]\n\
         Description=Endpoint of {name}\n\
         \n\
         [Socket]\n\
         ListenStream={}\n\
         # Only directories that are this user's alone are used.\n\
         DirectoryMode=0700\n\
         SocketMode=0600\n\
         # The daemon holds the lock on the directory, not on the socket: nothing is to be unlinked for it.\n\
         RemoveOnStop=no\n\
         \n\
         [Install]\n\
         WantedBy=sockets.target\n",
        specifier(&endpoint)
    );
    let mut text = format!(
        "[Unit]\n\
         Description={name}\n\
         Requires={name}.socket\n\
         After={name}.socket\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={}",
        exec_word(&service.program()?)
    );
    for argument in &service.arguments {
        let _ = write!(text, " {}", exec_word(argument));
    }
    let _ = write!(
        text,
        "\nEnvironment={}\n",
        word(&specifier(&format!("BROKERED_RUNTIME_DIR={runtime}")))
    );
    if let Some(named) = service.named() {
        let variable = word(&format!("BROKERED_INSTANCE={}", escaped(named)));
        let _ = writeln!(text, "Environment={variable}");
    }
    let _ = write!(
        text,
        "# A program that is client and daemon in one is the daemon here.\n\
         Environment=BROKERED_ROLE=daemon\n\
         Restart=on-failure\n\
         RestartSec=1\n\
         # {EXIT_ALREADY_BOUND}: another process is this daemon already, and serves. 64: it is not a valid one.\n\
         RestartPreventExitStatus=64 {EXIT_ALREADY_BOUND}\n\
         # SIGTERM begins a drain, which takes 10 s at most, and a second one would cut it short.\n\
         KillMode=mixed\n\
         TimeoutStopSec=15\n\
         \n\
         [Install]\n\
         Also={name}.socket\n"
    );
    Ok(vec![
        File {
            name: format!("{name}.socket"),
            text: socket,
        },
        File {
            name: format!("{name}.service"),
            text,
        },
    ])
}

/// `%` begins a specifier in a unit.
fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}

/// The same, with the user's own runtime directory as every session of theirs has it.
fn specifier(text: &str) -> String {
    let text = escaped(text);
    let own = env::var("XDG_RUNTIME_DIR").unwrap_or_default();
    match text.split_once(&format!("{}/", escaped(&own))) {
        Some((before, after)) if !own.is_empty() => format!("{before}%t/{after}"),
        _ => text,
    }
}

/// One word of several.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%@+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The same in `ExecStart=`, where variables are put in.
fn exec_word(text: &str) -> String {
    word(&escaped(text).replace('$', "$$"))
}

fn launchd(service: &Service) -> File {
    let label = format!("brokered.{}", service.name);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <!-- Experimental: nobody has run it. -->\n\
         <plist version=\"1.0\">\n<dict>\n\
         \t<key>Label</key>\n\t<string>{}</string>\n\
         \t<key>ProgramArguments</key>\n\t<array>\n",
        xml(&label)
    );
    let program = service.program.to_string_lossy().into_owned();
    for word in std::iter::once(&program).chain(&service.arguments) {
        let _ = writeln!(text, "\t\t<string>{}</string>", xml(word));
    }
    text.push_str("\t</array>\n\t<key>EnvironmentVariables</key>\n\t<dict>\n");
    let runtime = service.place.directory().parent().unwrap_or(Path::new("/"));
    let mut variables = vec![
        ("BROKERED_ROLE", "daemon".to_owned()),
        (
            "BROKERED_RUNTIME_DIR",
            runtime.to_string_lossy().into_owned(),
        ),
    ];
    if let Some(named) = service.named() {
        variables.push(("BROKERED_INSTANCE", named.to_owned()));
    }
    for (name, value) in variables {
        let _ = write!(
            text,
            "\t\t<key>{name}</key>\n\t\t<string>{}</string>\n",
            xml(&value)
        );
    }
    let _ = write!(
        text,
        "\t</dict>\n\
         \t<key>Sockets</key>\n\t<dict>\n\t\t<key>Listeners</key>\n\t\t<dict>\n\
         \t\t\t<key>SockPathName</key>\n\t\t\t<string>{}</string>\n\
         \t\t\t<key>SockPathMode</key>\n\t\t\t<integer>384</integer>\n\
         \t\t</dict>\n\t</dict>\n\
         \t<key>ExitTimeOut</key>\n\t<integer>15</integer>\n\
         </dict>\n</plist>\n",
        xml(&service.place.endpoint().to_string_lossy())
    );
    File {
        name: format!("{label}.plist"),
        text,
    }
}

fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn kubernetes(service: &Service) -> File {
    let mut text = String::from(
        "# In the container's own part of a pod. Daemon and probe must see the same BROKERED_RUNTIME_DIR.\n",
    );
    for (probe, extra, schedule) in [
        (
            "startupProbe",
            None,
            "periodSeconds: 1\n  failureThreshold: 60",
        ),
        (
            "readinessProbe",
            None,
            "periodSeconds: 5\n  timeoutSeconds: 2",
        ),
        (
            "livenessProbe",
            Some("--live"),
            "periodSeconds: 10\n  timeoutSeconds: 2\n  failureThreshold: 3",
        ),
    ] {
        let mut command = vec!["brokered".to_owned(), "probe".to_owned()];
        command.extend(extra.map(str::to_owned));
        command.extend(service.words());
        // JSON's strings are YAML's, too.
        let command = json!(command);
        let _ = write!(
            text,
            "{probe}:\n  exec:\n    command: {command}\n  {schedule}\n"
        );
    }
    File {
        name: format!("{}-probes.yaml", service.name),
        text,
    }
}

fn write(directory: &Path, files: &[File]) -> Result<(), CliError> {
    let failed =
        |path: &Path, error| CliError::failed(format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    for file in files {
        let path = directory.join(&file.name);
        fs::write(&path, &file.text).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

fn tell(files: &[File], written: Option<&Path>, output: &mut Output) -> Result<(), CliError> {
    if output.is_json() {
        let all = files
            .iter()
            .map(|file| json!({ "name": file.name, "text": file.text }));
        return output.json(&json!({ "files": all.collect::<Vec<Value>>() }));
    }
    for (index, file) in files.iter().enumerate() {
        if let Some(directory) = written {
            output.line(directory.join(&file.name).display())?;
            continue;
        }
        if files.len() > 1 {
            let gap = if index > 0 { "\n" } else { "" };
            let head = styled(style::PAST, format!("# {}", file.name));
            output.line(format!("{gap}{head}"))?;
        }
        output.flush()?;
        output.bytes(file.text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_themselves_in_a_unit() {
        assert_eq!(exec_word("/opt/words"), "/opt/words");
        assert_eq!(exec_word("/opt/my words"), "\"/opt/my words\"");
        assert_eq!(exec_word("100%"), "100%%");
        assert_eq!(exec_word("$HOME\"\\"), "\"$$HOME\\\"\\\\\"");
        assert_eq!(exec_word(""), "\"\"");
        assert_eq!(xml("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
