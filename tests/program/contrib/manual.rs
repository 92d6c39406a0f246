//! Manual pages and completions contain every flag, and groff and the shells accept them.

use std::collections::BTreeSet;
use std::fs;

use crate::contrib::{help, run, text};
use crate::support::process::output;

/// Returns the long flags in a text. `--[no-]collector.stuck` counts as two.
fn flags(text: &str) -> BTreeSet<String> {
    let words =
        text.split(|c: char| c.is_whitespace() || ",|".contains(c)).map(|word| word.trim_matches(['[', ']']));
    // An optional value follows in brackets.
    let words = words.map(|word| word.split("[=").next().unwrap_or_default());
    let flags = words.filter_map(|word| word.strip_prefix("--")).filter(|flag| !flag.is_empty());
    flags
        .flat_map(|flag| match flag.strip_prefix("[no-]") {
            Some(switch) => vec![switch.to_owned(), format!("no-{switch}")],
            None => vec![flag.to_owned()],
        })
        .collect()
}

/// Returns the flags of `serve` that are not in the text.
fn missing_in(text: &str) -> BTreeSet<String> {
    let all = flags(&help());
    assert!(all.len() > 20 && all.contains("no-collector.stuck"), "{all:?}");
    &all - &flags(text)
}

#[test]
fn manual_has_a_page_for_each_command_and_every_flag() {
    let folder = tempfile::tempdir().unwrap();
    let written = output(&["man", "--out", folder.path().to_str().unwrap()]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    let page = |name: &str| {
        let file = folder.path().join(format!("{name}.1"));
        let formatted =
            run("groff", &["-man", "-Tascii", "-P-cbou", "-ww", "-rLL=500n", file.to_str().unwrap()]);
        assert!(formatted.status.success() && formatted.stderr.is_empty(), "{}", text(&formatted.stderr));
        text(&formatted.stdout)
    };
    let mut pages = 0;
    for file in fs::read_dir(folder.path()).unwrap() {
        let name = file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        page(&name);
        // The page of a group of commands names its commands.
        if let Some((group, _)) = name.rsplit_once('-').filter(|_| name != "marie-exporter") {
            assert!(page(group).contains(&format!("{name}(1)")), "{name} is not in {group}");
        }
        pages += 1;
    }
    assert!(pages > 30, "{pages}");
    assert_eq!(missing_in(&page("marie-exporter-serve")), BTreeSet::new());
}

#[test]
fn bash_completes_commands_and_every_flag_of_serve() {
    let script = output(&["completions", "bash"]);
    assert!(script.status.success(), "{}", text(&script.stderr));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completions");
    fs::write(&file, &script.stdout).unwrap();
    let complete = |words: &str, word: &str| {
        let ask = format!(
            "source \"$1\"; [[ $(complete -p marie-exporter) =~ -F\\ ([^ ]+) ]]
             COMP_WORDS=(marie-exporter {words} '{word}'); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
             ${{BASH_REMATCH[1]}} marie-exporter '{word}' '' && printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let answer = run("bash", &["-euc", &ask, "bash", file.to_str().unwrap()]);
        assert!(answer.status.success() && answer.stderr.is_empty(), "{}", text(&answer.stderr));
        text(&answer.stdout)
    };
    assert_eq!(complete("", "ser"), "serve\n");
    assert_eq!(complete("maintain purge", "comp"), "completed\n");
    assert_eq!(missing_in(&complete("serve", "--")), BTreeSet::new());
}

#[test]
fn completions_for_other_shells_are_written() {
    for (shell, start) in [("zsh", "#compdef marie-exporter"), ("fish", "complete -c marie-exporter")] {
        let script = output(&["completions", shell]);
        assert!(text(&script.stdout).contains(start), "{shell}");
    }
}
