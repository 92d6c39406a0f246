//! What `archive` and the purges of jobs have in common: plan, say so, back up, do it, say and log what was done.

use anyhow::Context;
use tokio::sync::watch;
use tracing::{debug, info};

use super::backup;
use super::batches::{self, Done};
use super::console::Console;
use super::disposal::Disposal;
use super::plan::{Criteria, Plan};
use super::report;
use super::writer::Writer;
use crate::config::{Batches, Config, Destruction};

pub(super) struct Cleanup<'a> {
    pub(super) name: &'static str,
    /// As in "12 jobs archived".
    pub(super) done: &'static str,
    pub(super) config: &'a Config,
    pub(super) criteria: Criteria,
    pub(super) disposal: Disposal,
    pub(super) batches: Batches,
    pub(super) destruction: &'a Destruction,
}

impl Cleanup<'_> {
    /// `writer` is inside the reading transaction in which it was looked at.
    pub(super) async fn run(
        &self,
        mut writer: Writer,
        console: &Console,
        mut shutdown: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let plan = Plan::of_all(&mut writer, &self.criteria).await?;
        writer.roll_back().await?;
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
        console.say(&report::duration(plan.jobs(), self.batches.batch));
        if !self.destruction.execution.execute {
            console.say("Nothing was changed. Do it with --execute, best with --backup-to FILE.");
            return Ok(());
        }
        if let Some(file) = &self.destruction.backup_to {
            backup::backup(self.config, file, console).await?;
        }
        let mut done = Done::default();
        let work = (&self.disposal, &self.criteria);
        let outcome =
            batches::take(&mut writer, work, &plan, self.batches.batch, console, &mut shutdown, &mut done)
                .await;
        self.tell(&writer, &plan, &done, console);
        outcome.with_context(|| {
            format!("{} stopped; what is said above is done, and it can be run again", self.name)
        })?;
        anyhow::ensure!(!done.interrupted, "{} was interrupted; run it again for the rest", self.name);
        Ok(())
    }

    fn tell(&self, writer: &Writer, plan: &Plan, done: &Done, console: &Console) {
        let taken = &done.taken;
        let sum = report::units(taken.plan.jobs(), taken.plan.dags(), taken.plan.units.len());
        for ((queue, state), part) in &taken.plan.parts {
            debug!(who = writer.who, command = self.name, queue, state, jobs = part.jobs, "{}", self.done);
        }
        info!(
            who = writer.who,
            command = self.name,
            dags = taken.dags,
            cutoff = self.criteria.cutoff,
            "{}: {sum}",
            self.done
        );
        console
            .say(&format!("{sum} {}, and {} rows of dag deleted, by {}.", self.done, taken.dags, writer.who));
        if !taken.busy.is_empty() {
            console.say(&format!(
                "{} stayed: somebody is at work with them, or they have changed. Run it again for those.",
                report::units(
                    taken.busy.iter().map(|unit| unit.jobs).sum(),
                    taken.busy.iter().filter(|unit| unit.is_dag).count(),
                    taken.busy.len(),
                )
            ));
        }
        if taken.plan.jobs() < plan.jobs() {
            console.say(&format!("{} of the plan's {} jobs are done.", taken.plan.jobs(), plan.jobs()));
        }
    }
}
