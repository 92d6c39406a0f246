//! Paces: what the cost of a query follows, and so how often it runs. Two of them read their jobs in a pass.

/// What the cost of a query follows. Declared in order of priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// Active jobs and signs of life: small whatever waits and whatever has finished.
    Pulse,
    /// New rows of the histories.
    Events,
    /// Unfinished jobs and DAGs.
    Backlog,
    /// Finished jobs, and sizes of tables.
    History,
}

impl Pace {
    pub const ALL: [Pace; 4] = [Pace::Pulse, Pace::Events, Pace::Backlog, Pace::History];

    /// Value of the label `pace`.
    pub fn label(self) -> &'static str {
        match self {
            Pace::Pulse => "pulse",
            Pace::Events => "events",
            Pace::Backlog => "backlog",
            Pace::History => "history",
        }
    }

    /// Smallest share of the load budget that the pace has.
    pub(crate) fn share(self) -> f64 {
        match self {
            Pace::Pulse | Pace::Events => 0.30,
            Pace::Backlog => 0.25,
            Pace::History => 0.15,
        }
    }
}

/// Which jobs a pass looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassKind {
    /// Unfinished jobs.
    Backlog,
    /// Finished jobs.
    History,
}

impl PassKind {
    pub const ALL: [PassKind; 2] = [PassKind::Backlog, PassKind::History];

    /// Returns the pace of the pass.
    pub fn pace(self) -> Pace {
        match self {
            PassKind::Backlog => Pace::Backlog,
            PassKind::History => Pace::History,
        }
    }
}
