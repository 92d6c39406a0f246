//! The steps that `archive`, `purge completed` and `purge failed` share: print the plan, back up, remove, report and log.
//!
//! The callers decide what is due ([`Criteria`]) and how it is removed ([`Removal`]). [`BatchLoop`] does the work.

use anyhow::{Context, ensure};
use tracing::{debug, info};

use super::args::{BatchArgs, RemovalArgs};
use super::backup;
use super::batch_loop::{BatchLoop, Totals};
use super::criteria::Criteria;
use super::estimate;
use super::foreign_keys::ForeignKeys;
use super::plan::{Plan, describe};
use super::plan_text::plan_text;
use super::removal::Removal;
use super::session::WriteSession;
use crate::config::Config;
use crate::terminal::console::Console;

pub(super) struct Cleanup<'a> {
    /// The command, such as `purge completed`.
    pub(super) name: &'static str,
    /// The participle for messages, as in "12 jobs archived".
    pub(super) removed: &'static str,
    pub(super) config: &'a Config,
    pub(super) criteria: Criteria,
    pub(super) removal: Removal,
    pub(super) batch_args: BatchArgs,
    pub(super) removal_args: &'a RemovalArgs,
    pub(super) foreign_keys: &'a ForeignKeys,
    /// Lines that are printed before the plan.
    pub(super) notes: Vec<String>,
}

impl Cleanup<'_> {
    /// Runs the clean-up. The session is in the read-only transaction in which the caller has read the criteria.
    pub(super) async fn run(&self, session: &mut WriteSession, console: &Console) -> anyhow::Result<()> {
        let RemovalArgs { backup_to, execution } = self.removal_args;
        let missing = session.missing_rights(&self.removal.rights()).await?;
        if execution.execute && !missing.is_empty() {
            return Err(session.permission_failure(&missing).into());
        }
        let plan = Plan::read(session, &self.criteria).await;
        ensure!(!session.was_cancelled(), "{} was interrupted; nothing was changed", self.name);
        let plan = plan.context("cannot look for the jobs that are due")?;
        let key_cost = self.removal.measure_foreign_keys(session, self.foreign_keys).await?;
        // The transaction ends before anything is printed, because a paused terminal would keep it open.
        session.roll_back().await?;
        self.print_plan(session, &plan, console);
        if plan.units.is_empty() {
            console.say("There is nothing to do.");
            return Ok(());
        }
        let rows = self.batch_args.batch;
        console.say(&estimate::describe(plan.tally.jobs(), plan.dags(), rows, key_cost));
        if !execution.execute {
            if !missing.is_empty() {
                console.say(&format!("This role cannot carry it out: it lacks {}.", missing.join(", ")));
            }
            console.say("Nothing was changed. Do it with --execute, best with --backup-to FILE.");
            return Ok(());
        }
        if let Some(file) = backup_to {
            backup::backup(self.config, file, console, session.shutdown()).await?;
        }
        let bar = console.progress(plan.tally.jobs());
        let batches = BatchLoop::new(session, &self.removal, &self.criteria, rows, bar);
        let (totals, outcome) = batches.run(&plan.units).await;
        self.report(session, &plan, &totals, console);
        outcome.with_context(|| format!("{} stopped; everything listed above is done", self.name))?;
        ensure!(!totals.is_interrupted, "{} was interrupted; run it again for the rest", self.name);
        ensure!(totals.failed.is_empty(), "{} could not take some of them, see above", self.name);
        Ok(())
    }

    fn print_plan(&self, session: &WriteSession, plan: &Plan, console: &Console) {
        for note in &self.notes {
            console.say(note);
        }
        let (identity, cutoff) = (&session.identity, &self.criteria.cutoff);
        console.say(&format!("{}, as {identity}: what ended before {cutoff}\n", self.name));
        if self.criteria.per_job {
            console.say(
                "Single jobs are removed, also from unfinished DAGs. Jobs that waited for them will look unblocked.\n",
            );
        }
        console.say(&plan_text(plan));
    }

    /// Logs and prints what was removed and what was not.
    fn report(&self, session: &WriteSession, plan: &Plan, totals: &Totals, console: &Console) {
        let who = &session.identity;
        for (queue, state, count) in totals.tally.iter() {
            debug!(who, command = self.name, queue, state, jobs = count.jobs, "{}", self.removed);
        }
        let (sum, dags) = (describe(&totals.units), totals.dag_rows);
        info!(who, command = self.name, dags, cutoff = self.criteria.cutoff, "{}: {sum}", self.removed);
        console.say(&format!("{sum} {}, and {dags} rows of dag deleted, by {who}.", self.removed));
        if !totals.skipped.is_empty() {
            console.say(&format!(
                "{} skipped: locked by another session or changed since the plan. Run it again for those.",
                describe(&totals.skipped)
            ));
        }
        for (unit, reason) in &totals.failed {
            let kind = if unit.is_dag { "DAG" } else { "job" };
            console.say(&format!("The {kind} {} was skipped: {reason}", unit.id));
        }
        let (removed, planned) = (totals.tally.jobs(), plan.tally.jobs());
        if removed < planned {
            console.say(&format!("{removed} of the plan's {planned} jobs are done."));
        }
    }
}
