//! The command line of marie-exporter: reads what is asked for, sets up logging, and hands over to the
//! library.

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
            tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }),
        Err(error) => error.report(),
    }
}

fn run(command: Command, collectors: &[(&'static str, &'static str)]) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(config) => {
            log(&config.log);
            block_on(async {
                serve::serve(config, Some(signals::hangups()?), signals::signalled()?).await
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
            block_on(healthy::ask(&web))??;
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
                tell(&note);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Top(config, times) => {
            block_on(async { inspect::top::top(config, &times, signals::signalled()?).await })??;
            Ok(ExitCode::SUCCESS)
        }
        Command::Maintain(config, maintenance) => {
            log(&config.log);
            block_on(async {
                let console = Console::default();
                maintain::run(&config, &maintenance, &console, signals::signalled()?).await
            })??;
            Ok(ExitCode::SUCCESS)
        }
        Command::Backup(config, to) => {
            log(&config.log);
            block_on(async {
                let console = Console::default();
                maintain::backup::backup(&config, &to, &console, signals::signalled()?).await
            })??;
            Ok(ExitCode::SUCCESS)
        }
        Command::Metrics(format) => {
            print(&metric_table::listing(format)?)?;
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
            log(&config.log);
            block_on(async { marie_exporter::demo::run(config, demo, signals::signalled()?).await })??;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    // The lanes and the server of `serve` have threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(work);
    // Dropping it would wait for a name server or a pipe that does not answer.
    runtime.shutdown_background();
    Ok(outcome)
}

/// Logs to standard error: the libraries' warnings, and of ours what was asked for.
fn log(log: &LogConfig) {
    let levels = Targets::new()
        .with_default(LevelFilter::WARN)
        // Notices come from the server, as many and as long as it likes.
        .with_target("sqlx::postgres::notice", LevelFilter::OFF)
        .with_target("marie_exporter", LevelFilter::from_level(log.level));
    let registry = tracing_subscriber::registry().with(levels);
    // Whoever reads the log may go away. To complain of that on standard error would panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    match log.format {
        Format::Text => {
            let lines = lines.fmt_fields(debug_fn(field).delimited(" "));
            registry.with(lines.with_ansi(std::io::stderr().is_terminal())).init();
        }
        Format::Json => registry.with(lines.json()).init(),
    }
    // A panic of the driver or of one collector is caught; it must not break the format of the log.
    std::panic::set_hook(Box::new(|panic| error!("internal fault: {panic}")));
}

/// Writes a field of a log line. Because a field may hold text of a client or the server, it is escaped and shortened:
/// a line break in it would look like another log line.
fn field(to: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    const LIMIT: usize = 2000;
    let value = escaped(&format!("{value:?}"), LIMIT);
    match (field.name(), to.has_ansi_escapes()) {
        ("message", _) => write!(to, "{value}"),
        (name, false) => write!(to, "{name}={value}"),
        (name, true) => write!(to, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}"),
    }
}

/// Colours for a terminal, unless it is asked to have none.
fn style() -> Style {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match (std::io::stdout().is_terminal(), unwanted) {
        (false, _) => Style::Redirected,
        (true, true) => Style::Plain,
        (true, false) => Style::Coloured,
    }
}

/// What a command was asked to print. A closed pipe is no reason to fail; a full disk is, or half of a list would pass
/// for all of it.
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

/// What a person is told besides, who may have stopped to listen.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", escaped_lines(text));
}
