//! What `show` prints: one thing in sections, each a list of fields, a table or a document. A section that could not be
//! read says why, and takes nothing from the others.

use comfy_table::{Attribute, Cell, Table, presets};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::terminal::escape::{escaped_json, escaped_lines};

use super::listing::Listing;
use super::reader::Part;
use crate::terminal::columns::{Column, Rows};
use crate::terminal::table::{self, Object, Style};

#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) sections: Vec<Section>,
}

#[derive(Debug)]
pub(super) struct Section {
    /// As in JSON; a sheet's heading is in capitals, its underscores spaces.
    name: &'static str,
    body: Body,
    notes: Vec<String>,
    /// What may be lacking here; JSON says it too, as `NAME_note`.
    caveat: Option<String>,
}

#[derive(Debug)]
pub(super) enum Body {
    Fields(Vec<(Column, Value)>),
    Rows {
        columns: &'static [Column],
        rows: Rows,
        /// The places of those that a table for people shows, where they are not all.
        shown: Option<Vec<usize>>,
    },
    /// JSON as it is, none where there is none.
    Document(Option<Box<RawValue>>),
    /// Why it could not be read.
    Failed(String),
}

impl Sheet {
    pub(super) fn push(&mut self, name: &'static str, body: Body) {
        self.sections.push(Section::new(name, body));
    }

    /// What a listing gave, as a table; nothing where this database has no such thing.
    pub(super) fn push_part(&mut self, name: &'static str, listing: &Listing, part: Part) {
        self.sections.extend(Section::of_rows(name, listing, part));
    }

    /// # Errors
    /// Never, but for memory.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        Ok(escaped_json(&serde_json::to_string_pretty(self)?))
    }

    pub(super) fn table(&self, style: Style) -> String {
        let sections: Vec<String> = self.sections.iter().map(|section| section.table(style)).collect();
        sections.join("\n\n")
    }
}

impl Section {
    pub(super) fn new(name: &'static str, body: Body) -> Self {
        Section { name, body, notes: Vec::new(), caveat: None }
    }

    /// What a listing gave, as a table; none where this database has no such thing.
    pub(super) fn of_rows(name: &'static str, listing: &Listing, part: Part) -> Option<Self> {
        let columns = listing.columns;
        let body = match part {
            Part::NotHere => return None,
            Part::Failed(why) => Body::Failed(why),
            Part::Rows(rows) => Body::Rows { columns, rows, shown: None },
        };
        Some(Section::new(name, body))
    }

    pub(super) fn with_caveat(self, caveat: String) -> Self {
        Section { caveat: Some(caveat), ..self }
    }

    /// The same with something that a table for people says below it.
    pub(super) fn noted(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    /// A listing's only row as fields.
    pub(super) fn of_one(name: &'static str, listing: &Listing, part: Part) -> Option<Self> {
        let body = match part {
            Part::NotHere => return None,
            Part::Failed(why) => Body::Failed(why),
            Part::Rows(rows) => {
                let row = rows.rows.into_iter().next()?;
                Body::Fields(listing.columns.iter().copied().zip(row).collect())
            }
        };
        Some(Section::new(name, body))
    }

    /// A listing's only row as a document for each column, which holds JSON as text.
    pub(super) fn of_documents(listing: &Listing, part: Part) -> Vec<Self> {
        let bodies: Vec<Body> = match part {
            Part::NotHere => Vec::new(),
            Part::Failed(why) => listing.columns.iter().map(|_| Body::Failed(why.clone())).collect(),
            Part::Rows(rows) => {
                let row = rows.rows.into_iter().next().unwrap_or_default();
                row.into_iter().map(|value| document(value.as_str())).collect()
            }
        };
        listing.columns.iter().zip(bodies).map(|(column, body)| Section::new(column.name, body)).collect()
    }

    fn table(&self, style: Style) -> String {
        let heading = self.name.replace('_', " ").to_uppercase();
        let body = match &self.body {
            Body::Fields(fields) => of_fields(fields, style),
            Body::Rows { columns, rows, shown } => of_rows(columns, rows, shown.as_deref(), style),
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

fn document(text: Option<&str>) -> Body {
    match text.map(|text| RawValue::from_string(text.to_owned())).transpose() {
        Ok(document) => Body::Document(document),
        Err(error) => Body::Failed(error.to_string()),
    }
}

fn of_fields(fields: &[(Column, Value)], style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table::in_style(&mut table, style);
    for (column, value) in fields {
        let name = Cell::new(column.name.replace('_', " ")).add_attribute(Attribute::Dim);
        table.add_row([name, table::cell(value, *column, 0.0)]);
    }
    table::lines(&mut table)
}

/// Columns in which nothing stands are left out: they are those that this shape or this job has no use for.
fn of_rows(columns: &[Column], rows: &Rows, shown: Option<&[usize]>, style: Style) -> String {
    if rows.rows.is_empty() {
        return "none".to_owned();
    }
    let kept: Vec<usize> =
        (0..columns.len()).filter(|&place| rows.rows.iter().any(|row| !row[place].is_null())).collect();
    let columns: Vec<Column> = kept.iter().map(|&place| columns[place]).collect();
    let all: Vec<usize> = (0..rows.rows.len()).collect();
    let rows: Vec<Vec<Value>> = shown
        .unwrap_or(&all)
        .iter()
        .map(|&row| kept.iter().map(|&place| rows.rows[row][place].clone()).collect())
        .collect();
    table::table(&columns, &Rows { rows, more: false }, style)
}

impl Serialize for Sheet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for section in &self.sections {
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
