//! Macros for the declaration of queries.

/// Includes a SQL file. The path is relative to the folder of the calling file.
macro_rules! sql {
    ($file:literal) => {
        $crate::collect::collector::SqlFile { name: $file, text: include_str!($file) }
    };
}
pub(crate) use sql;

/// Declares a column that some generations of the schema lack: its table, name and type.
macro_rules! optional {
    ($table:literal . $column:literal : $data_type:literal) => {
        $crate::collect::collector::Optional {
            table: $table,
            need: $crate::schema::Need::Columns($table, &[$column]),
            data_type: $data_type,
        }
    };
}
pub(crate) use optional;
