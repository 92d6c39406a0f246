//! Settings of the scheduler's database: the URL, the name of the schema, and the names of its tables in SQL.
//!
//! The URL's file is read for each connection, so a rotated password needs no restart.

use std::str::FromStr;

use clap::Args;
use once_cell::sync::Lazy;
use regex::{Captures, Regex};
use sqlx::{AssertSqlSafe, ConnectOptions, SqlSafeStr, SqlStr};

use super::connection::{Connect, Target};
use super::database_url::{DatabaseUrl, DatabaseUrlError};
use super::tls_files;

/// The scheduler's database.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// The source of the URL. `None` only for the demo, which starts its own database.
    #[arg(skip)]
    pub url: Option<DatabaseUrl>,

    /// Schema of the scheduler's tables
    #[arg(long = "database.schema", value_name = "NAME", default_value = "marie_scheduler")]
    pub schema: SchemaName,
}

impl DatabaseConfig {
    /// Reads the URL and its files, and returns the servers with the driver's options.
    pub fn connect_options(&self) -> Result<Target, DatabaseUrlError> {
        let mut target = self.parse_url()?.with_files()?;
        if let Some(DatabaseUrl::File(path)) = &self.url {
            target.warnings.extend(tls_files::readable_by_all(path));
        }
        for server in &mut target.servers {
            if server.options.get_application_name().is_none() {
                server.options = server.options.clone().application_name("marie-exporter");
            }
            // PgBouncer rejects extra_float_digits as a start-up option. Durations of statements are in metrics, so
            // the driver need not log them.
            server.options = server.options.clone().extra_float_digits(None).disable_statement_logging();
        }
        Ok(target)
    }

    /// Returns the URL's values as libpq's variables, for programs such as pg_dump. They include the password. Such a
    /// program inherits other variables from this process.
    pub fn libpq_environment(&self) -> Result<Vec<(&'static str, String)>, DatabaseUrlError> {
        Ok(self.parse_url()?.environment())
    }

    /// Reads and parses the URL.
    fn parse_url(&self) -> Result<Connect, DatabaseUrlError> {
        match &self.url {
            None => Err(DatabaseUrlError::Missing),
            Some(DatabaseUrl::Given(url)) => Connect::parse(url.expose()).map_err(DatabaseUrlError::Invalid),
            Some(DatabaseUrl::Environment) => {
                Connect::parse("postgres://").map_err(DatabaseUrlError::Invalid)
            }
            Some(DatabaseUrl::File(path)) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| DatabaseUrlError::Unreadable { path: path.clone(), source })?;
                Connect::parse(text.trim())
                    .map_err(|reason| DatabaseUrlError::InvalidInFile { path: path.clone(), reason })
            }
        }
    }
}

/// A valid name of a schema: 1 to 63 bytes without NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaName(String);

impl SchemaName {
    /// Returns the name, for parameters and messages.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as an SQL identifier: in double quotes, and quotes inside it doubled.
    pub fn quoted(&self) -> String {
        quote_identifier(&self.0)
    }

    /// Returns `sql` with its table names qualified by this schema.
    ///
    /// The SQL files name the tables in the default schema (`marie_scheduler.job`), so they can be pasted into psql. The
    /// search path never contains the schema, because a role that may create objects in it could replace the functions and
    /// operators of a statement.
    pub fn qualify(&self, sql: &str) -> String {
        self.qualify_except(sql, &[])
    }

    /// Returns `sql` qualified, except for tables that a common table expression replaces. `replaced` has pairs of a table
    /// and the expression's name.
    pub fn qualify_except(&self, sql: &str, replaced: &[(&str, &str)]) -> String {
        static TABLE: Lazy<Regex> = Lazy::new(|| {
            Regex::new(r"(?P<literal>')?\bmarie_scheduler\.(?P<table>\w+)")
                .expect("a constant pattern, which the tests compile")
        });
        let qualified = |found: &Captures<'_>| {
            let table = &found["table"];
            if let Some((_, expression)) = replaced.iter().find(|(name, _)| *name == table) {
                return (*expression).to_owned();
            }
            match found.name("literal") {
                Some(quote) => format!("{}{}.{table}", quote.as_str(), self.quoted().replace('\'', "''")),
                None => format!("{}.{table}", self.quoted()),
            }
        };
        TABLE.replace_all(sql, qualified).into_owned()
    }

    /// Returns an SQL file as a statement for this schema.
    pub fn statement(&self, sql: &'static str) -> SqlStr {
        // Safe, because the text is a constant of this crate and the name is quoted.
        AssertSqlSafe(self.qualify(sql)).into_sql_str()
    }
}

impl Default for SchemaName {
    fn default() -> Self {
        SchemaName("marie_scheduler".to_owned())
    }
}

impl FromStr for SchemaName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        self::name(name).map(Self)
    }
}

/// Default name of the role for which `grants` prints SQL.
pub const ROLE: &str = "marie_exporter";

/// Parses a name of an object of PostgreSQL. PostgreSQL would truncate a longer one without an error, and use another
/// object.
pub(crate) fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 63 {
        return Err(format!("must be 1 to 63 bytes long, not {}", text.len()));
    }
    if text.contains('\0') {
        return Err("must not contain NUL".to_owned());
    }
    Ok(text.to_owned())
}

/// Returns a name as an SQL identifier, safe for any name. This is the only function that quotes names.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn at(url: DatabaseUrl) -> DatabaseConfig {
        DatabaseConfig { url: Some(url), schema: SchemaName("marie_scheduler".to_owned()) }
    }

    #[test]
    fn a_schema_name_is_quoted_as_an_identifier() {
        for (name, quoted) in
            [("marie", r#""marie""#), (r#"a"; drop"#, r#""a""; drop""#), ("ä b", r#""ä b""#)]
        {
            assert_eq!(name.parse::<SchemaName>().unwrap().quoted(), quoted);
        }
        for name in [String::new(), "x".repeat(64), "ä".repeat(32), "a\0b".to_owned()] {
            assert!(name.parse::<SchemaName>().is_err(), "{name}");
        }
        assert!("x".repeat(63).parse::<SchemaName>().is_ok());
    }

    #[test]
    fn tables_in_sql_get_the_configured_schema() {
        let name: SchemaName = r#"it's "x""#.parse().unwrap();
        let sql = "select from marie_scheduler.job as j join marie_scheduler.job_history using (id) \
                   where to_regclass('marie_scheduler.job') is null";
        assert_eq!(
            name.qualify(sql),
            "select from \"it's \"\"x\"\"\".job as j join \"it's \"\"x\"\"\".job_history using (id) \
             where to_regclass('\"it''s \"\"x\"\"\".job') is null"
        );
        let replaced = SchemaName::default()
            .qualify_except("from marie_scheduler.job, marie_scheduler.job_x", &[("job", "j")]);
        assert_eq!(replaced, "from j, \"marie_scheduler\".job_x");
    }

    #[test]
    fn application_name_is_the_exporters_unless_in_url() {
        for (url, name) in [
            ("postgresql://u:p%40ss@h/d", "marie-exporter"),
            ("postgres:///d?host=/run/postgresql&application_name=me", "me"),
        ] {
            let target = at(DatabaseUrl::Given(Secret::from(url.to_owned()))).connect_options().unwrap();
            assert_eq!(target.servers[0].options.get_application_name(), Some(name));
        }
    }

    #[test]
    fn the_urls_file_is_read_at_each_connect() {
        let folder = std::env::temp_dir().join(format!("marie-exporter-{}", std::process::id()));
        let config = at(DatabaseUrl::File(folder.join("url")));
        let missing = config.connect_options().err().unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("url"), "postgres://u:hunter2@first/d\n").unwrap();
        let first = config.connect_options().unwrap();
        std::fs::write(folder.join("url"), "nothing: hunter2\n").unwrap();
        let wrong = config.connect_options().err().unwrap().to_string();
        std::fs::remove_dir_all(&folder).unwrap();

        assert!(missing.to_string().starts_with("cannot read the database URL from "));
        assert_eq!(first.servers[0].options.get_host(), "first");
        assert!(wrong.ends_with("url must begin with postgres:// or postgresql://"), "{wrong}");
    }
}
