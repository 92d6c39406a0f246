//! `marie-exporter man` and `marie-exporter completions`, generated from the declaration of the command line.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;

/// Writes `marie-exporter.1` and a page for each command into a folder, which is created if missing.
pub fn write(command_line: Command, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    clap_mangen::generate_to(command_line, folder)
        .with_context(|| format!("cannot write the manual pages into {}", folder.display()))
}

/// Returns the completion script of a shell.
pub fn completions(mut command_line: Command, shell: Shell) -> String {
    let name = command_line.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
