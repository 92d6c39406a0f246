//! `marie-exporter jobs`: lists of jobs, and one job in detail. One file for each command.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

mod failed;
mod job_sections;
mod list;
mod next;
mod overdue;
mod retrying;
mod show;
pub(super) mod stuck;

use self::failed::JobsFailed;
use self::list::JobsList;
use self::next::JobsNext;
use self::overdue::JobsOverdue;
use self::retrying::JobsRetrying;
use self::show::JobsShow;
use self::stuck::JobsStuck;
use super::command::command_group;
use super::options::{ListOptions, ShowOptions};

command_group! {
    JobsAction {
        /// Jobs, newest first: by their ids, which contain the time in Marie
        List(JobsList, ListOptions),
        /// One job: its fields, its parents and children, its attempts, and how it reached its state
        Show(JobsShow, ShowOptions),
        /// Active jobs past their queue's threshold, those that marie_jobs_stuck counts; longest first
        Stuck(JobsStuck, ListOptions),
        /// Jobs that failed or expired for good, latest first
        Failed(JobsFailed, ListOptions),
        /// Jobs that wait for their next attempt, soonest first
        Retrying(JobsRetrying, ListOptions),
        /// Unfinished jobs past an SLA, those that marie_jobs_sla_overdue counts; longest first
        Overdue(JobsOverdue, ListOptions),
        /// Jobs that a worker could take now, those that marie_jobs_ready counts; the next one first
        Next(JobsNext, ListOptions),
    }
}
