//! `marie-exporter man` and `marie-exporter completions`: made from the command line as clap knows it, so that
//! they know every flag of this version.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;

/// Writes `marie-exporter.1` and a page for each command.
///
/// # Errors
/// When a file cannot be written.
pub fn write(command_line: Command, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(command_line, folder)
        .with_context(|| format!("cannot write the manual pages into {}", folder.display()))
}

/// The script for this shell.
pub fn completions(mut command_line: Command, shell: Shell) -> String {
    let name = command_line.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
