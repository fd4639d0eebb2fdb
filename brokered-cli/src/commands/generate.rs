//! `brokered completions` and `brokered man`.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use crate::arguments::Arguments;
use crate::error::{CliError, SUCCESS};
use crate::output::Output;

pub(crate) fn completions(shell: Shell, output: &mut Output) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "brokered", &mut script);
    print(&script, output)
}

pub(crate) fn man(output: &mut Output) -> Result<u8, CliError> {
    let page = page().map_err(CliError::from)?;
    print(&page, output)
}

/// One page with all commands.
fn page() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let mut command = Arguments::command();
    command.build();
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for sub in command.get_subcommands() {
        let man = clap_mangen::Man::new(sub.clone());
        page.extend_from_slice(format!(".SH \"{}\"\n", sub.get_name().to_uppercase()).as_bytes());
        let mut part = Vec::new();
        man.render_synopsis_section(&mut part)?;
        man.render_description_section(&mut part)?;
        man.render_options_section(&mut part)?;
        // The sections of a command become subsections of its section.
        page.extend_from_slice(
            String::from_utf8_lossy(&part)
                .replace(".SH ", ".SS ")
                .as_bytes(),
        );
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn print(text: &[u8], output: &mut Output) -> Result<u8, CliError> {
    if output.is_json() {
        output.json(&json!({ "text": String::from_utf8_lossy(text) }))?;
    } else {
        output.bytes(text)?;
    }
    Ok(SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_valid() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_manual_page_describes_each_command() -> io::Result<()> {
        let page = String::from_utf8_lossy(&page()?).into_owned();
        for sub in Arguments::command().get_subcommands() {
            let heading = format!(".SH \"{}\"", sub.get_name().to_uppercase());
            assert!(page.contains(&heading), "{heading}");
        }
        Ok(())
    }
}
