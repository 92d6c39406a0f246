//! Where the scheduler's tables are: the connection's options, their URL read from its file at each
//! connect so that a rotated password needs no restart, and the schema's name.

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
    /// Where the URL comes from; `None` only for the demo, which makes its own database.
    #[arg(skip)]
    pub url: Option<DatabaseUrl>,

    /// Schema of the scheduler's tables
    #[arg(long = "database.schema", value_name = "NAME", default_value = "marie_scheduler")]
    pub schema: SchemaName,
}

impl DatabaseConfig {
    /// How to connect now, the URL's file read anew.
    pub fn connect_options(&self) -> Result<Target, DatabaseUrlError> {
        let mut target = self.connect()?.with_files()?;
        if let Some(DatabaseUrl::File(path)) = &self.url {
            target.warnings.extend(tls_files::open_to_all(path));
        }
        for server in &mut target.servers {
            if server.options.get_application_name().is_none() {
                server.options = server.options.clone().application_name("marie-exporter");
            }
            // PgBouncer refuses extra_float_digits as a start-up option. How long our own statements
            // take is a metric, not a log line.
            server.options = server.options.clone().extra_float_digits(None).disable_statement_logging();
        }
        Ok(target)
    }

    /// The same for a program of PostgreSQL's own, as libpq's variables; what is not among them it has from our own
    /// environment. One of them is the password.
    pub fn libpq_environment(&self) -> Result<Vec<(&'static str, String)>, DatabaseUrlError> {
        Ok(self.connect()?.environment())
    }

    fn connect(&self) -> Result<Connect, DatabaseUrlError> {
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

/// The name of a schema, of 1 to 63 bytes and without NUL, as PostgreSQL can have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaName(String);

impl SchemaName {
    /// The name as it is, for parameters and messages.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as an identifier in SQL: in double quotes, those inside doubled.
    pub fn quoted(&self) -> String {
        quote_identifier(&self.0)
    }

    /// Returns `sql` with its table names qualified by this schema.
    ///
    /// Files of SQL name the tables in the default schema (`marie_scheduler.job`), so that they can be pasted into psql.
    /// The search path never holds the schema: a role that may create objects in it could otherwise replace the
    /// functions and operators of a statement.
    pub fn qualify(&self, sql: &str) -> String {
        self.qualify_except(sql, &[])
    }

    /// Returns `sql` qualified, except for tables that a common table expression of the statement replaces: pairs of a
    /// table and the expression's name.
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

    /// Returns a file of SQL as a statement over this schema.
    pub fn statement(&self, sql: &'static str) -> SqlStr {
        // Safe: the text is our own file's, and the name is quoted.
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

/// The role that the exporter connects as, unless it is to have another name.
pub const ROLE: &str = "marie_exporter";

/// Whatever PostgreSQL can have as a name. It would cut a longer one off without an error, and take another
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

/// A name as an SQL identifier: whatever is in it, it names one object. The one function that quotes names.
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
