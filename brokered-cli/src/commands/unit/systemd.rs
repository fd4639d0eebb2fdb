//! A socket unit and a service unit, for the systemd of a user.

use std::env;
use std::path::Path;

use brokered_runtime::operator::EXIT_ALREADY_BOUND;

use super::service::{File, Service};

pub(super) fn files(service: &Service) -> Vec<File> {
    let name = &service.name;
    vec![
        File {
            name: format!("{name}.socket"),
            text: socket_unit(service),
        },
        File {
            name: format!("{name}.service"),
            text: service_unit(service),
        },
    ]
}

fn socket_unit(service: &Service) -> String {
    format!(
        "[Unit]\n\
         Description=Endpoint of {name}\n\
         \n\
         [Socket]\n\
         ListenStream={endpoint}\n\
         # The daemon and its clients refuse a directory that other users can access.\n\
         DirectoryMode=0700\n\
         SocketMode=0600\n\
         # The daemon locks the directory, so a socket file that stays does no harm.\n\
         RemoveOnStop=no\n\
         \n\
         [Install]\n\
         WantedBy=sockets.target\n",
        name = service.name,
        endpoint = with_specifiers(&service.endpoint)
    )
}

fn service_unit(service: &Service) -> String {
    let program = service.program.iter().chain(&service.arguments);
    let command: Vec<String> = program.map(|word| quote_command(word)).collect();
    let runtime = with_specifiers(&format!("BROKERED_RUNTIME_DIR={}", service.runtime));
    let instance = service
        .instance_variable()
        .map(|instance| escape_specifiers(&format!("BROKERED_INSTANCE={instance}")));
    let variables = [runtime].into_iter().chain(instance);
    let environment: Vec<String> = variables
        .map(|variable| format!("Environment={}", quote(&variable)))
        .collect();
    format!(
        "[Unit]\n\
         Description={name}\n\
         Requires={name}.socket\n\
         After={name}.socket\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={command}\n\
         # Waits for the result, which a signal does not. It fails if the daemon does not take reloads, or refuses.\n\
         ExecReload={reload}\n\
         {environment}\n\
         # A program that is both client and daemon is the daemon here.\n\
         Environment=BROKERED_ROLE=daemon\n\
         Restart=on-failure\n\
         RestartSec=1\n\
         # {EXIT_ALREADY_BOUND}: another process already is this daemon. 64: the program refused to be this daemon.\n\
         RestartPreventExitStatus=64 {EXIT_ALREADY_BOUND}\n\
         # SIGTERM requests a graceful shutdown, which takes 10 s at most. A second SIGTERM would cut it short.\n\
         KillMode=mixed\n\
         TimeoutStopSec=15\n\
         \n\
         [Install]\n\
         Also={name}.socket\n",
        name = service.name,
        command = command.join(" "),
        reload = reload_command(service),
        environment = environment.join("\n"),
    )
}

/// This program, with the instance directory: it needs no variable to find the daemon.
fn reload_command(service: &Service) -> String {
    let this = env::current_exe().ok();
    let this = this.as_deref().and_then(Path::to_str);
    let this = this.filter(|path| !path.contains(char::is_control));
    // systemd searches for a program without a path.
    let this = quote_command(this.unwrap_or("brokered"));
    let directory = with_specifiers(&format!("{}/{}", service.runtime, service.name));
    format!("{this} reload {}", quote(&directory.replace('$', "$$")))
}

/// Escapes `%`, which begins a specifier.
fn escape_specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// The same, with `%t` for the runtime directory that systemd gives each user.
fn with_specifiers(text: &str) -> String {
    let text = escape_specifiers(text);
    let own = env::var("XDG_RUNTIME_DIR").unwrap_or_default();
    match text.split_once(&format!("{}/", escape_specifiers(&own))) {
        Some((before, after)) if !own.is_empty() => format!("{before}%t/{after}"),
        _ => text,
    }
}

/// Quotes one word of several, as systemd.syntax(7) defines it. The rules differ from a shell's.
fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "%@+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The same in `ExecStart=`, where `$` begins a variable, too.
fn quote_command(text: &str) -> String {
    quote(&escape_specifiers(text).replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_a_command_is_quoted() {
        assert_eq!(quote_command("/opt/words"), "/opt/words");
        assert_eq!(quote_command("/opt/my words"), "\"/opt/my words\"");
        assert_eq!(quote_command("100%"), "100%%");
        assert_eq!(quote_command("$HOME\"\\"), "\"$$HOME\\\"\\\\\"");
        assert_eq!(quote_command(""), "\"\"");
    }
}
