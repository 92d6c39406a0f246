//! What `jobs show` and `dags show` print: named sections, each a list of fields, a table or a JSON document. A section
//! that could not be read says why.

use comfy_table::{Attribute, Cell, Table, presets};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::listing::Listing;
use super::reader::Fetched;
use crate::terminal::columns::{Column, Rows};
use crate::terminal::escape::{escaped_json, escaped_lines};
use crate::terminal::table::{self, Object, Style};

#[derive(Debug, Default)]
pub(super) struct Sections(Vec<Section>);

#[derive(Debug)]
pub(super) struct Section {
    /// As in JSON. The heading in a terminal has capitals, and spaces for the underscores.
    name: &'static str,
    body: Body,
    /// Lines below the table, for people only.
    notes: Vec<String>,
    /// What may be lacking in this section. JSON has it as `NAME_note`.
    caveat: Option<String>,
}

#[derive(Debug)]
pub(super) enum Body {
    Fields(Vec<(Column, Value)>),
    Rows {
        columns: &'static [Column],
        rows: Rows,
        /// The places of the rows that a table shows; `None` for all. JSON has all rows.
        shown: Option<Vec<usize>>,
    },
    /// A JSON document; `None` for NULL.
    Document(Option<Box<RawValue>>),
    /// Why it could not be read.
    Failed(String),
}

impl Sections {
    pub(super) fn push(&mut self, name: &'static str, body: Body) {
        self.0.push(Section::new(name, body));
    }

    pub(super) fn extend(&mut self, sections: impl IntoIterator<Item = Section>) {
        self.0.extend(sections);
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        Ok(escaped_json(&serde_json::to_string_pretty(self)?))
    }

    pub(super) fn table(&self, style: Style) -> String {
        let sections: Vec<String> = self.0.iter().map(|section| section.table(style)).collect();
        sections.join("\n\n")
    }
}

impl Section {
    pub(super) fn new(name: &'static str, body: Body) -> Self {
        Section { name, body, notes: Vec::new(), caveat: None }
    }

    /// Returns the rows of a listing as a table, or `None` if this database lacks what the listing reads.
    pub(super) fn rows(name: &'static str, listing: &Listing, fetched: Fetched) -> Option<Self> {
        let body = match fetched {
            Fetched::Missing => return None,
            Fetched::Failed(why) => Body::Failed(why),
            Fetched::Rows(rows) => Body::Rows { columns: listing.columns, rows, shown: None },
        };
        Some(Section::new(name, body))
    }

    /// Returns the only row of a listing as fields, or `None` if there is no row.
    pub(super) fn fields(name: &'static str, listing: &Listing, fetched: Fetched) -> Option<Self> {
        let body = match fetched {
            Fetched::Missing => return None,
            Fetched::Failed(why) => Body::Failed(why),
            Fetched::Rows(rows) => {
                let row = rows.rows.into_iter().next()?;
                Body::Fields(listing.columns.iter().copied().zip(row).collect())
            }
        };
        Some(Section::new(name, body))
    }

    /// Returns a section for each column of a listing's only row, whose values are JSON as text.
    pub(super) fn documents(listing: &Listing, fetched: Fetched) -> Vec<Self> {
        let bodies: Vec<Body> = match fetched {
            Fetched::Missing => Vec::new(),
            Fetched::Failed(why) => listing.columns.iter().map(|_| Body::Failed(why.clone())).collect(),
            Fetched::Rows(rows) => {
                let row = rows.rows.into_iter().next().unwrap_or_default();
                row.into_iter().map(|value| Body::document(value.as_str())).collect()
            }
        };
        listing.columns.iter().zip(bodies).map(|(column, body)| Section::new(column.name, body)).collect()
    }

    pub(super) fn with_caveat(self, caveat: String) -> Self {
        Section { caveat: Some(caveat), ..self }
    }

    pub(super) fn with_note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    fn table(&self, style: Style) -> String {
        let heading = self.name.replace('_', " ").to_uppercase();
        let body = match &self.body {
            Body::Fields(fields) => table_of_fields(fields, style),
            Body::Rows { columns, rows, shown } => table_of_rows(columns, rows, shown.as_deref(), style),
            Body::Document(None) => "none".to_owned(),
            Body::Document(Some(document)) => {
                document.get().lines().map(table::harmless_text).collect::<Vec<_>>().join("\n")
            }
            Body::Failed(why) => format!("could not be read: {}", table::harmless_text(why)),
        };
        let mut lines = vec![table::heading(&heading, style), body];
        lines.extend(self.notes.iter().chain(&self.caveat).map(|note| escaped_lines(note)));
        lines.join("\n")
    }
}

impl Body {
    fn document(text: Option<&str>) -> Self {
        match text.map(|text| RawValue::from_string(text.to_owned())).transpose() {
            Ok(document) => Body::Document(document),
            Err(error) => Body::Failed(error.to_string()),
        }
    }
}

fn table_of_fields(fields: &[(Column, Value)], style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table::set_style(&mut table, style);
    for (column, value) in fields {
        let name = Cell::new(column.name.replace('_', " ")).add_attribute(Attribute::Dim);
        table.add_row([name, table::cell(value, *column, 0.0)]);
    }
    table::lines(&mut table)
}

/// Prints the columns that have a value in any row. This shape or this job does not use the others.
fn table_of_rows(columns: &[Column], rows: &Rows, shown: Option<&[usize]>, style: Style) -> String {
    if rows.rows.is_empty() {
        return "none".to_owned();
    }
    let used: Vec<usize> =
        (0..columns.len()).filter(|&place| rows.rows.iter().any(|row| !row[place].is_null())).collect();
    let columns: Vec<Column> = used.iter().map(|&place| columns[place]).collect();
    let every_row: Vec<usize> = (0..rows.rows.len()).collect();
    let rows: Vec<Vec<Value>> = shown
        .unwrap_or(&every_row)
        .iter()
        .map(|&row| used.iter().map(|&place| rows.rows[row][place].clone()).collect())
        .collect();
    table::table(&columns, &Rows { rows, more: false }, style)
}

impl Serialize for Sections {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for section in &self.0 {
            match &section.body {
                Body::Fields(fields) => {
                    let (columns, values): (Vec<Column>, Vec<Value>) = fields.iter().cloned().unzip();
                    map.serialize_entry(section.name, &Object(&columns, &values))?;
                }
                Body::Rows { columns, rows, .. } => {
                    let objects: Vec<Object<'_>> = rows.rows.iter().map(|row| Object(columns, row)).collect();
                    map.serialize_entry(section.name, &objects)?;
                }
                Body::Document(document) => map.serialize_entry(section.name, document)?,
                Body::Failed(why) => {
                    map.serialize_entry(section.name, &serde_json::json!({ "error": why }))?;
                }
            }
            if let Some(caveat) = &section.caveat {
                map.serialize_entry(&format!("{}_note", section.name), caveat)?;
            }
        }
        map.end()
    }
}
