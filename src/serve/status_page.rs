//! The status page at `/`: the database, and for each collector its state, last success, interval, duration and last
//! error.
//!
//! Input: the exporter's run status. The template escapes all texts, and none of them contains a secret.

use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, html};
use once_cell::sync::Lazy;

use crate::collect::availability::Availability;
use crate::collect::collectors::COLLECTORS;
use crate::collect::exporter::Exporter;
use crate::collect::pace::Pace;
use crate::collect::run_status::LatestRun;
use crate::schema::Lack;
use crate::terminal::duration::{in_units, measured};

/// Allows the page's style, and neither scripts nor anything from elsewhere.
static CONTENT_SECURITY_POLICY: Lazy<HeaderValue> = Lazy::new(|| {
    let style = BASE64_STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// The style sheet of the page.
const STYLE: &str = include_str!("status_page.css");

/// Returns the page, with the policy that allows its style.
pub(super) fn page(exporter: &Exporter) -> impl IntoResponse + use<> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "marie-exporter" }
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "marie-exporter" }
                    p { "Prometheus exporter for the Marie-AI job scheduler's database." }
                }
                main {
                    nav {
                        // Relative, because a proxy may serve this page below a path of its own.
                        a href={ "." (exporter.config.web.telemetry_path) } { "Metrics" }
                        a href="./-/healthy" { "Health" }
                        a href="./-/ready" { "Readiness" }
                    }
                    h2 { "Database" }
                    p { (database(exporter)) }
                    h2 { "Collectors" }
                    table {
                        thead {
                            tr {
                                th { "Collector" } th { "Pace" } th { "State" } th { "Last success" }
                                th.number { "Interval" } th.number { "Duration" } th { "Last error" }
                            }
                        }
                        @for collector in COLLECTORS { (rows(exporter, collector.name, collector.about)) }
                    }
                }
                footer {
                    "Version " (env!("CARGO_PKG_VERSION")) ", revision " (env!("GIT_REVISION"))
                    ", rustc " (env!("RUSTC_VERSION")) "."
                }
            }
        }
    };
    ([(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.clone())], Html(page.into_string()))
}

/// Returns whether the database was reached, its schema and its version.
fn database(exporter: &Exporter) -> Markup {
    html! {
        @if exporter.self_metrics.is_up() { span.good { "Reached" } } @else { span.bad { "Not reached" } }
        ", schema " code { (exporter.config.database.schema.as_str()) }
        @match exporter.schema() {
            None => ", not read yet.",
            Some(schema) => {
                " (shape: " (schema.shape()) ") on PostgreSQL " (schema.server_version)
                @if schema.in_recovery { ", a standby" } "."
            }
        }
    }
}

/// Returns a row for each pace at which the collector has run, or one that explains why it has not run. A row for each
/// skipped query follows.
fn rows(exporter: &Exporter, name: &'static str, about: &str) -> Markup {
    let mut rows: Vec<Markup> =
        exporter.run_status.latest(name).iter().map(|(pace, latest)| cells(*pace, latest)).collect();
    let availability = exporter.run_status.availability(name);
    match &availability {
        Some(Availability::Disabled) => rows.push(note("off", "off", "switched off by configuration")),
        Some(Availability::Lacking(lack)) => rows.push(note(class(lack), "off", &lack.to_string())),
        Some(Availability::Available { .. }) | None if rows.is_empty() => {
            rows.push(note("off", "pending", "has not run yet"));
        }
        Some(Availability::Available { .. }) | None => {}
    }
    if let Some(Availability::Available { skipped }) = &availability {
        let skipped = skipped.iter();
        rows.extend(skipped.map(|query| note(class(&query.lack), "left out", &query.to_string())));
    }
    html! {
        tbody {
            @for (place, row) in rows.iter().enumerate() {
                tr {
                    @if place == 0 {
                        th scope="rowgroup" rowspan=(rows.len()) { (name) small { (about) } }
                    }
                    (row)
                }
            }
        }
    }
}

/// Returns the style of a lack. A missing right is an error that the operator can fix; a missing table depends on the
/// shape of the schema.
fn class(lack: &Lack) -> &'static str {
    if lack.is_permission() { "bad" } else { "off" }
}

/// Returns the cells of a collector or query that does not run.
fn note(class: &str, state: &str, why: &str) -> Markup {
    html! { td {} td class=(class) { (state) } td.off colspan="4" { (why) } }
}

/// Returns the cells of a collector's latest run at a pace.
fn cells(pace: Pace, latest: &LatestRun) -> Markup {
    html! {
        td { (pace.label()) }
        @if latest.error.is_none() { td.good { "ok" } } @else { td.bad { "failed" } }
        td { @match latest.last_success {
            Some(success) => { (in_units(success.ended.elapsed())) " ago" }
            None => "never",
        } }
        td.number { (interval(latest.interval)) }
        td.number { (measured(latest.took.as_secs_f64())) }
        td.error { (latest.error.as_deref().unwrap_or_default()) }
    }
}

/// Returns an interval in units, or in milliseconds if it is shorter than a second.
fn interval(interval: Duration) -> String {
    if interval < Duration::from_secs(1) { measured(interval.as_secs_f64()) } else { in_units(interval) }
}
