//! Files that are made to cost memory or time.

/// What the largest file that is read can hold of it.
fn as_much_as_fits(part: &str) -> String {
    part.repeat((1 << 20) / part.len())
}

/// The files, by their contents.
pub(super) fn bombs() -> Vec<(&'static str, String)> {
    let tenfold = |first: &str, more: &str, end: &str| {
        (1..30).fold(format!("a0: &a0 {first}\n"), |text, n| {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            text + &format!("a{n}: &a{n} {more}[{aliases}]{end}\n")
        })
    };
    let numbered = |count: u32, line: &str| -> String {
        let lines: Vec<String> = (0..count).map(|number| line.replace('N', &number.to_string())).collect();
        lines.concat()
    };
    let stairs: Vec<String> = (0..1400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    vec![
        ("brackets", as_much_as_fits("[")),
        ("braces", as_much_as_fits("{a: ")),
        ("dashes", as_much_as_fits("- ")),
        ("questions", as_much_as_fits("? ")),
        ("tags", as_much_as_fits("!!x ")),
        ("stairs", stairs.concat()),
        ("just deep enough", format!("queues: {}x{}\n", "[".repeat(14), "]".repeat(14))),
        ("laughs", tenfold("[ha, ha]", "", "")),
        ("merges", tenfold("{k: v}", "{<<: ", "}")),
        ("itself", "a: &a [*a, *a]\n".to_owned()),
        ("anchors", numbered(50_000, "kN: &aN v\n")),
        ("keys", numbered(90_000, "kN: v\n")),
        ("a word", format!("log.level: {}\n", "x".repeat(1_000_000))),
        ("a key", format!("{}: x\n", "x".repeat(1_000_000))),
        ("a key twice", format!("{0}: x\n{0}: x\n", "x".repeat(500_000))),
        ("a quotation", format!("log.level: \"{}", "x\n".repeat(500_000))),
        ("documents", as_much_as_fits("---\n")),
        ("zeros", as_much_as_fits("\0")),
        ("a log", "time=now level=info message\n".repeat(2_000_000)),
    ]
}
