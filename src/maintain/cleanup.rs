//! What `archive` and the purges of jobs have in common: plan, say so, back up, do it, say and log what was done.

use anyhow::{Context, ensure};
use tracing::{debug, info};

use super::backup;
use super::batches::{self, Done};
use super::disposal::Disposal;
use super::estimate;
use super::plan::{self, Criteria, Plan};
use super::references::References;
use super::report;
use super::writer::Writer;
use crate::config::Config;
use crate::maintain::args::{Batches, Destruction};
use crate::terminal::console::Console;

pub(super) struct Cleanup<'a> {
    pub(super) name: &'static str,
    /// As in "12 jobs archived".
    pub(super) done: &'static str,
    pub(super) config: &'a Config,
    pub(super) criteria: Criteria,
    pub(super) disposal: Disposal,
    pub(super) batches: Batches,
    pub(super) destruction: &'a Destruction,
    pub(super) references: &'a References,
    /// What is to be known besides the plan.
    pub(super) notes: Vec<String>,
}

impl Cleanup<'_> {
    /// `writer` is inside the reading transaction in which it was looked at.
    pub(super) async fn run(&self, writer: &mut Writer, console: &Console) -> anyhow::Result<()> {
        let Destruction { backup_to, execution } = self.destruction;
        let lacking = writer.lacking(&self.disposal.rights()).await?;
        if execution.execute && !lacking.is_empty() {
            return Err(writer.denied(&lacking).into());
        }
        let plan = Plan::of_all(writer, &self.criteria).await;
        ensure!(!writer.was_cancelled(), "{} was interrupted; nothing was changed", self.name);
        let plan = plan.context("cannot look for the jobs that are due")?;
        let keys = self.disposal.foreign_keys(writer, self.references).await?;
        // Nothing is written while a transaction is open: a terminal that is paused would keep it open.
        writer.roll_back().await?;
        for note in &self.notes {
            console.say(note);
        }
        console
            .say(&format!("{}, as {}: what ended before {}\n", self.name, writer.who, self.criteria.cutoff));
        if self.criteria.per_job {
            console.say(
                "Single jobs go, also out of unfinished DAGs: what waited for them will look unblocked.\n",
            );
        }
        console.say(&report::plan(&plan));
        if plan.units.is_empty() {
            console.say("There is nothing to do.");
            return Ok(());
        }
        console.say(&estimate::duration(plan.jobs(), plan.dags(), self.batches.batch, keys));
        if !execution.execute {
            if !lacking.is_empty() {
                console
                    .say(&format!("This role could not do it: it has no right of {}.", lacking.join(", ")));
            }
            console.say("Nothing was changed. Do it with --execute, best with --backup-to FILE.");
            return Ok(());
        }
        if let Some(file) = backup_to {
            backup::backup(self.config, file, console, writer.shutdown()).await?;
        }
        let mut done = Done::default();
        let work = (&self.disposal, &self.criteria);
        let rows = self.batches.batch;
        let outcome = batches::take(writer, work, &plan, rows, console, &mut done).await;
        self.tell(writer, &plan, &done, console);
        outcome.with_context(|| format!("{} stopped; what is said above is done", self.name))?;
        ensure!(!done.interrupted, "{} was interrupted; run it again for the rest", self.name);
        ensure!(done.failed.is_empty(), "{} could not take some of them, see above", self.name);
        Ok(())
    }

    fn tell(&self, writer: &Writer, plan: &Plan, done: &Done, console: &Console) {
        let taken = &done.taken;
        let sum = taken.plan.sum();
        for ((queue, state), part) in &taken.plan.parts {
            debug!(who = writer.who, command = self.name, queue, state, jobs = part.jobs, "{}", self.done);
        }
        let (who, cutoff) = (&writer.who, &self.criteria.cutoff);
        info!(who, command = self.name, dags = taken.dags, cutoff, "{}: {sum}", self.done);
        console.say(&format!("{sum} {}, and {} rows of dag deleted, by {who}.", self.done, taken.dags));
        if !taken.busy.is_empty() {
            console.say(&format!(
                "{} skipped: locked by another session or changed since the plan. Run it again for those.",
                plan::units(&taken.busy)
            ));
        }
        for (unit, why) in &done.failed {
            let what = if unit.is_dag { "DAG" } else { "job" };
            console.say(&format!("The {what} {} was skipped: {why}", unit.id));
        }
        if taken.plan.jobs() < plan.jobs() {
            console.say(&format!("{} of the plan's {} jobs are done.", taken.plan.jobs(), plan.jobs()));
        }
    }
}
