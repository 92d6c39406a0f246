//! `marie-exporter dags`: lists of DAGs, and one DAG in detail.

mod blockers;
mod graph;
mod job;
mod list;
mod show;

use self::list::DagsList;
use self::show::DagsShow;
use super::command::command_group;
use super::options::{ListOptions, ShowOptions};

command_group! {
    DagsAction {
        /// DAGs, newest first: by their ids, which contain the time in Marie
        List(DagsList, ListOptions),
        /// One DAG: its progress, its critical path, what blocks it
        Show(DagsShow, ShowOptions),
    }
}
