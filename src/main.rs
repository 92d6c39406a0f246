//! The program: parses the command line, sets up logging, and runs the command.

use std::fmt::Debug;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use marie_exporter::cli::{self, Command, dashboards, healthy, man, metric_table, signals};
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::config::{Format, LogConfig};
use marie_exporter::http::reload::Access;
use marie_exporter::inspect::{check, grants};
use marie_exporter::terminal::console::Console;
use marie_exporter::terminal::escape::{escaped, escaped_json, escaped_lines};
use marie_exporter::terminal::table::Style;
use marie_exporter::{inspect, maintain, serve};
use tracing::error;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let collectors: Vec<_> = COLLECTORS.iter().map(|collector| (collector.name, collector.about)).collect();
    match cli::parse(std::env::args_os(), |name| std::env::var_os(name), &collectors) {
        Ok(command) => run(command, &collectors).unwrap_or_else(|error| {
            print_message(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }),
        Err(error) => error.report(),
    }
}

/// Runs a command, and returns the exit code.
fn run(command: Command, collectors: &[(&'static str, &'static str)]) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(config) => {
            set_up_log(&config.log);
            block_on(async {
                serve::serve(config, Some(signals::hangups()?), signals::shutdown_token()?).await
            })??;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(config, format) => {
            Access::load(config.web.config_file.as_deref())?;
            let report = block_on(check::check(&config))?;
            print(&match format {
                Format::Text => report.to_string(),
                Format::Json => escaped_json(&serde_json::to_string_pretty(&report)?),
            })?;
            Ok(ExitCode::from(report.exit_code()))
        }
        Command::Healthy(web) => {
            block_on(healthy::check(&web))??;
            print("Healthy.")?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Grants(config, role) => {
            let sql = block_on(grants::grants(&config, &role))??;
            print(&if std::io::stdout().is_terminal() { escaped_lines(&sql) } else { sql })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Inspect(config, command) => {
            let output = block_on(command.run(&config, style()))??;
            print(&output.text)?;
            if let Some(note) = output.note {
                print_message(&note);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Top(config, times) => {
            block_on(async { inspect::top::top(config, &times, signals::shutdown_token()?).await })??;
            Ok(ExitCode::SUCCESS)
        }
        Command::Maintain(config, maintenance) => {
            set_up_log(&config.log);
            block_on(async {
                let console = Console::default();
                maintain::run(&config, &maintenance, &console, signals::shutdown_token()?).await
            })??;
            Ok(ExitCode::SUCCESS)
        }
        Command::Backup(config, to) => {
            set_up_log(&config.log);
            block_on(async {
                let console = Console::default();
                maintain::backup::backup(&config, &to, &console, signals::shutdown_token()?).await
            })??;
            Ok(ExitCode::SUCCESS)
        }
        Command::Metrics(format) => {
            print(&metric_table::table(format)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Rules => {
            print(metric_table::RULES)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Dashboards(folder) => {
            dashboards::write(&folder)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions(shell) => {
            print(&man::completions(cli::command_line(collectors), shell))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man(folder) => {
            man::write(cli::command_line(collectors), &folder)?;
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(feature = "demo")]
        Command::Demo(config, demo) => {
            set_up_log(&config.log);
            block_on(async { marie_exporter::demo::run(config, demo, signals::shutdown_token()?).await })??;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Runs `work` on a new runtime. `serve` starts further threads for its runner and its server.
fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(work);
    // Dropping it would wait for blocking work, such as a name server that does not respond.
    runtime.shutdown_background();
    Ok(outcome)
}

/// Logs to standard error: this crate's events of the configured level, and warnings of libraries.
fn set_up_log(log: &LogConfig) {
    let levels = Targets::new()
        .with_default(LevelFilter::WARN)
        // The server sends these notices, without a limit on their number or length.
        .with_target("sqlx::postgres::notice", LevelFilter::OFF)
        .with_target("marie_exporter", LevelFilter::from_level(log.level));
    let registry = tracing_subscriber::registry().with(levels);
    // If standard error is closed, reporting that on standard error would panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    match log.format {
        Format::Text => {
            let lines = lines.fmt_fields(debug_fn(field).delimited(" "));
            registry.with(lines.with_ansi(std::io::stderr().is_terminal())).init();
        }
        Format::Json => registry.with(lines.json()).init(),
    }
    // A panic of the driver or of a collector is caught. It is logged in the format of the log.
    std::panic::set_hook(Box::new(|panic| error!("internal fault: {panic}")));
}

/// Writes a field of a log line, escaped and shortened. A line break in a text of a client or of the server would look
/// like another log line.
fn field(to: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    const LIMIT: usize = 2000;
    let value = escaped(&format!("{value:?}"), LIMIT);
    match (field.name(), to.has_ansi_escapes()) {
        ("message", _) => write!(to, "{value}"),
        (name, false) => write!(to, "{name}={value}"),
        (name, true) => write!(to, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}"),
    }
}

/// Returns the style of standard output: colours for a terminal, unless `NO_COLOR` is set.
fn style() -> Style {
    let is_disabled = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match (std::io::stdout().is_terminal(), is_disabled) {
        (false, _) => Style::Redirected,
        (true, true) => Style::Plain,
        (true, false) => Style::Coloured,
    }
}

/// Prints the output of a command.
///
/// A closed pipe is not an error. A full disk is one, because an incomplete list would look complete.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let line = if text.is_empty() { String::new() } else { format!("{}\n", text.trim_end()) };
    match out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Prints a message to standard error, which may be closed.
fn print_message(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", escaped_lines(text));
}
