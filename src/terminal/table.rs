//! Prints rows as a table for people, and as JSON and CSV for programs.
//!
//! A table escapes text that could control a terminal, because clients choose the names of queues. Only terminals get
//! colours.

use comfy_table::{Attribute, Cell, CellAlignment, Color, Table, presets};
use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::Value;

use super::columns::{Column, Kind, Rows};
use super::duration::seconds_in_units;
use super::escape::{escaped, escaped_json};

/// Where rows are printed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A terminal that shows colours.
    Coloured,
    /// A terminal without colours.
    Plain,
    /// A file or another program.
    Redirected,
}

/// Most characters of a text in a table. A longer name would widen each row.
const LONGEST: usize = 200;

/// The longest bar, in characters.
const BAR: f64 = 40.0;

/// Returns a table without lines, which can be pasted into a chat.
pub fn table(columns: &[Column], rows: &Rows, style: Style) -> String {
    if rows.rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    set_style(&mut table, style);
    table.set_header(columns.iter().map(|column| {
        aligned(Cell::new(column.name.replace('_', " ").to_uppercase()), *column)
            .add_attribute(Attribute::Bold)
    }));
    let longest: Vec<f64> = (0..columns.len())
        .map(|place| rows.rows.iter().filter_map(|row| row[place].as_f64()).fold(0.0, f64::max))
        .collect();
    for row in &rows.rows {
        let cells = columns.iter().zip(row).zip(&longest);
        table.add_row(
            cells.map(|((column, value), longest)| aligned(cell(value, *column, *longest), *column)),
        );
    }
    lines(&mut table)
}

/// Switches colours on or off, in place of the library's own detection.
pub(crate) fn set_style(table: &mut Table, style: Style) {
    if style == Style::Coloured {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
}

/// Returns a cell with a value in its column's form and colour.
pub(crate) fn cell(value: &Value, column: Column, longest: f64) -> Cell {
    let cell = Cell::new(shown(value, column.kind, longest));
    match value.as_str().and_then(colour).filter(|_| column.kind == Kind::State) {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}

/// Returns the lines of a table, without spaces at their ends.
pub(crate) fn lines(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Returns a heading of a section.
pub(crate) fn heading(text: &str, style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    set_style(&mut table, style);
    table.add_row([Cell::new(text).add_attribute(Attribute::Bold)]);
    lines(&mut table)
}

/// Returns a JSON array with an object for each row.
pub fn json(columns: &[Column], rows: &Rows) -> serde_json::Result<String> {
    let objects: Vec<Object<'_>> = rows.rows.iter().map(|row| Object(columns, row)).collect();
    Ok(escaped_json(&serde_json::to_string_pretty(&objects)?))
}

/// Returns CSV: a line of names, then a line for each row. NULL is empty.
///
/// Harmful characters are escaped for a terminal, but not for a file. `for_spreadsheet` prevents a spreadsheet from taking
/// a text for a formula.
pub fn csv(columns: &[Column], rows: &Rows, style: Style, for_spreadsheet: bool) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let is_data = |column: &&Column| column.kind != Kind::Bar;
    writer.write_record(columns.iter().filter(is_data).map(|column| column.name))?;
    for row in &rows.rows {
        let values = columns.iter().zip(row).filter(|(column, _)| is_data(column));
        writer.write_record(values.map(|(_, value)| {
            let text = plain(value);
            let text = if for_spreadsheet && value.is_string() { without_formula(text) } else { text };
            if style == Style::Redirected { text } else { escaped(&text, usize::MAX) }
        }))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// Puts an apostrophe before a text that a spreadsheet would take for a formula.
fn without_formula(text: String) -> String {
    let starts_formula = |c: char| "=+-@＝＋－＠\t\r".contains(c);
    if text.starts_with(starts_formula) || text.trim_start().starts_with(starts_formula) {
        format!("'{text}")
    } else {
        text
    }
}

/// A row as an object, with its keys in the order of the columns.
pub struct Object<'a>(pub &'a [Column], pub &'a [Value]);

impl serde::Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (column, value) in self.0.iter().zip(self.1).filter(|(column, _)| column.kind != Kind::Bar) {
            map.serialize_entry(column.name, value)?;
        }
        map.end()
    }
}

/// Aligns a cell as its column.
fn aligned(cell: Cell, column: Column) -> Cell {
    match column.kind {
        Kind::Number | Kind::Duration => cell.set_alignment(CellAlignment::Right),
        Kind::Text | Kind::Id | Kind::State | Kind::Time | Kind::Bar => cell,
    }
}

/// Returns a value as a table shows it. `longest` is the largest number of its column.
pub fn shown(value: &Value, kind: Kind, longest: f64) -> String {
    match (kind, value) {
        (_, Value::Null) => "-".to_owned(),
        (Kind::Time, Value::String(time)) => to_the_second(time),
        (Kind::Duration, Value::Number(seconds)) => seconds_in_units(seconds.as_f64().unwrap_or_default()),
        (Kind::Bar, Value::Number(number)) => bar(number.as_f64().unwrap_or_default(), longest),
        _ => harmless_text(&plain(value)),
    }
}

/// Returns a value as CSV shows it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns a client's text as a table shows it.
pub(crate) fn harmless_text(text: &str) -> String {
    escaped(text, LONGEST)
}

/// Returns `2026-11-24T22:15:03.123456+00:00` as `2026-11-24 22:15:03Z`. Other texts, such as infinity, stay the same.
pub(crate) fn to_the_second(time: &str) -> String {
    let Some((date, rest)) = time.split_once('T') else { return time.to_owned() };
    let (clock, offset) = rest.split_at(rest.find(['+', '-']).unwrap_or(rest.len()));
    let clock = clock.split('.').next().unwrap_or_default();
    let offset = if offset == "+00:00" { "Z" } else { offset };
    format!("{date} {clock}{offset}")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 40")]
/// Returns a bar for a number from 0 to `longest`.
fn bar(number: f64, longest: f64) -> String {
    "█".repeat((number / longest.max(1.0) * BAR).ceil() as usize)
}

/// Returns the colour of a state.
fn colour(state: &str) -> Option<Color> {
    Some(match state {
        "active" => Color::Cyan,
        "completed" => Color::Green,
        "failed" | "expired" => Color::Red,
        "retry" => Color::Yellow,
        "cancelled" | "skipped" => Color::DarkGrey,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_by_kind_of_column() {
        for (value, kind, text) in [
            (Value::Null, Kind::Time, "-"),
            ("2026-11-24T22:15:03.123456+00:00".into(), Kind::Time, "2026-11-24 22:15:03Z"),
            ("2026-11-24T22:15:03-03:30".into(), Kind::Time, "2026-11-24 22:15:03-03:30"),
            ("infinity".into(), Kind::Time, "infinity"),
            (0.4.into(), Kind::Duration, "0s"),
            (7_384.9.into(), Kind::Duration, "2h 3m"),
            (86_430.into(), Kind::Duration, "1d"),
            ((-90).into(), Kind::Duration, "-1m 30s"),
            (5.into(), Kind::Bar, "████████████████████"),
            (0.into(), Kind::Bar, ""),
        ] {
            assert_eq!(shown(&value, kind, 10.0), text, "{value}");
        }
    }
}
