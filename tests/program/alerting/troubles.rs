//! What goes wrong, and who is to be told what of it. The fault matrix of docs/alerts.md has a line for each.

/// How something goes wrong in a house, and how it is mended.
pub(crate) enum Deed {
    Nothing,
    Run {
        cause: String,
        mend: String,
    },
    /// A transaction that has done this and does not end.
    LeaveOpen(&'static str),
    StopExporter(usize),
    StopServer,
    PauseScheduler,
}

/// An alert and the queue that it names; empty where it is not of a queue.
pub(crate) type Alert = (&'static str, &'static str);

pub(crate) struct Trouble {
    /// The words of docs/alerts.md.
    pub(crate) what: &'static str,
    /// The house in which it happens.
    pub(crate) house: &'static str,
    /// Minutes of the field's time after the first ones.
    pub(crate) after: u64,
    pub(crate) deed: Deed,
    pub(crate) pages: &'static [Alert],
    pub(crate) tickets: &'static [Alert],
    /// What fires as well and Alertmanager keeps quiet, for another one says it all.
    pub(crate) quiet: &'static [Alert],
    /// It happens once, and what is told of it is over by itself.
    pub(crate) passes: bool,
}

/// All of them, in the order of docs/alerts.md.
pub(crate) fn troubles() -> Vec<Trouble> {
    let mut troubles = of_jobs();
    troubles.extend(of_the_whole());
    troubles
}

const NOTHING: Trouble = Trouble {
    what: "nothing: a scheduler at work",
    house: "calm",
    after: 0,
    deed: Deed::Nothing,
    pages: &[],
    tickets: &[],
    quiet: &[],
    passes: false,
};

fn of_jobs() -> Vec<Trouble> {
    let trouble =
        |what, deed, pages, tickets| Trouble { what, house: "marie", deed, pages, tickets, ..NOTHING };
    vec![
        NOTHING,
        trouble("a job hangs", jobs("hung", 1, HUNG), &[("MarieJobsStuck", "hung")], &[]),
        Trouble {
            passes: true,
            ..trouble(
                "a job fails, its retries used up",
                failed("broken"),
                &[("MarieJobFailed", "broken")],
                &[],
            )
        },
        trouble(
            "every second job fails",
            policy("flaky"),
            &[("MarieJobFailed", "flaky")],
            &[("MarieJobFailureRatioHigh", "flaky")],
        ),
        trouble(
            "a job misses its hard SLA",
            jobs("overdue", 1, PAST_HARD_SLA),
            &[("MarieHardSlaBreached", "overdue")],
            &[],
        ),
        trouble(
            "a job misses its soft SLA",
            jobs("slow", 1, PAST_SOFT_SLA),
            &[],
            &[("MarieSoftSlaBreached", "slow")],
        ),
        trouble(
            "all jobs finish after their hard SLA",
            policy("late"),
            &[("MarieSlaBudgetBurn", "late")],
            &[],
        ),
        trouble(
            "25 jobs wait for another attempt",
            jobs("retrying", 25, "state = 'retry', retry_count = 1, start_after = now() + interval '1 day'"),
            &[],
            &[("MarieRetryStorm", "retrying")],
        ),
        trouble(
            "6 jobs are at their last attempt",
            jobs("worn", 6, "retry_count = 2, start_after = now() + interval '1 day'"),
            &[],
            &[("MarieRetriesExhausted", "worn")],
        ),
        trouble("no worker takes a queue's jobs", policy("idle"), &[], &[("MarieQueueStalled", "idle")]),
        trouble(
            "more jobs come than are taken",
            growing("growing"),
            &[],
            &[("MarieQueueBacklogGrowing", "growing")],
        ),
        trouble(
            "a job has been ready for an hour",
            jobs(
                "waiting",
                1,
                "created_on = now() - interval '1 hour', start_after = now() - interval '1 hour'",
            ),
            &[],
            &[("MarieOldestReadyJobTooOld", "waiting")],
        ),
        trouble(
            "a run lease expires and is not reaped",
            jobs(
                "leased",
                1,
                "state = 'active', started_on = now(), run_lease_expires_at = now() - interval '1 hour'",
            ),
            &[],
            &[("MarieRunLeasesExpired", "leased")],
        ),
        trouble(
            "a DAG has lost its jobs",
            Deed::Run {
                cause: "insert into dag (id, name, state) values (md5('lost')::uuid, 'lost', 'active')"
                    .to_owned(),
                mend: "update dag set state = 'completed', completed_on = now() where name = 'lost'"
                    .to_owned(),
            },
            &[],
            &[("MarieDagStalled", "")],
        ),
    ]
}

fn of_the_whole() -> Vec<Trouble> {
    let trouble = |what, house, deed, pages, tickets, quiet| Trouble {
        what,
        house,
        deed,
        pages,
        tickets,
        quiet,
        ..NOTHING
    };
    vec![
        trouble(
            "a job hangs, and two exporters see it",
            "pair",
            jobs("hung", 1, HUNG),
            &[("MarieJobsStuck", "hung")],
            &[],
            &[],
        ),
        trouble("one exporter of two is gone", "halved", Deed::StopExporter(1), &[], &[], &[]),
        trouble(
            "a job hangs, one fails, one misses its hard SLA …",
            "away",
            Deed::Run {
                cause: [jobs("hung", 1, HUNG), failed("broken"), jobs("overdue", 1, PAST_HARD_SLA)]
                    .map(|deed| deed.cause().to_owned())
                    .join(";"),
                mend: ["hung", "broken", "overdue"].map(mend).join(";"),
            },
            &[("MarieJobsStuck", "hung"), ("MarieJobFailed", "broken"), ("MarieHardSlaBreached", "overdue")],
            &[],
            &[],
        ),
        Trouble {
            after: 10,
            ..trouble(
                "… and then no exporter answers",
                "away",
                Deed::StopExporter(0),
                &[("MarieExporterDown", "")],
                &[],
                &[],
            )
        },
        trouble(
            "the database is gone",
            "severed",
            Deed::StopServer,
            &[("MarieDatabaseUnreachable", "")],
            &[],
            &[("MarieCollectorFailing", ""), ("MarieCollectorStale", "")],
        ),
        trouble(
            "the scheduler falls silent",
            "silent",
            Deed::PauseScheduler,
            &[("MarieSchedulerSilent", "")],
            &[],
            &[],
        ),
        trouble(
            "the exporter may no longer read `job`",
            "blind",
            Deed::Run {
                cause: "revoke select on job from reader".to_owned(),
                mend: "grant select on job to reader".to_owned(),
            },
            &[("MarieCollectorOff", "")],
            &[],
            &[],
        ),
        trouble(
            "a transaction that writes stays open",
            "open",
            Deed::LeaveOpen("update version set cron_on = now()"),
            &[],
            &[("MarieEventLag", "")],
            &[],
        ),
        trouble(
            "a transaction that locks `archive` stays open",
            "locked",
            Deed::LeaveOpen("lock table archive in access exclusive mode"),
            &[],
            // On the server of the trouble before.
            &[("MarieCollectorFailing", ""), ("MarieCollectorStale", ""), ("MarieEventLag", "")],
            &[],
        ),
    ]
}

const HUNG: &str = "state = 'active', started_on = now() - interval '61 minutes'";
const PAST_HARD_SLA: &str = "start_after = now() + interval '1 day', created_on = now() - interval '2 hours',
    hard_sla = now() - interval '1 second'";
const PAST_SOFT_SLA: &str = "start_after = now() + interval '1 day', created_on = now() - interval '2 hours',
    soft_sla = now() - interval '1 second'";

/// So many jobs of a queue with these columns, all in one DAG, which is active.
fn jobs(queue: &str, count: u32, columns: &str) -> Deed {
    let (names, values): (Vec<&str>, Vec<&str>) =
        columns.split(',').map(|column| column.trim().split_once(" = ").unwrap()).unzip();
    let cause = format!(
        "insert into dag (id, name, state) values (md5('{queue}')::uuid, '{queue}', 'active');
         insert into job (id, name, dag_id, {})
         select gen_random_uuid(), '{queue}', md5('{queue}')::uuid, {} from generate_series(1, {count})",
        names.join(", "),
        values.join(", ")
    );
    Deed::Run { cause, mend: mend(queue) }
}

/// A DAG that holds a failed job has failed too, as the scheduler has it.
fn failed(queue: &str) -> Deed {
    let job = jobs(queue, 1, "state = 'failed', completed_on = now()");
    let cause = format!("{}; update dag set state = 'failed' where name = '{queue}'", job.cause());
    Deed::Run { cause, mend: mend(queue) }
}

/// The scheduler treats the queue's jobs as beat.sql says under this name.
fn policy(queue: &str) -> Deed {
    let cause = format!("update queue set policy = '{queue}' where name = '{queue}'");
    Deed::Run { cause, mend: mend(queue) }
}

/// First one job that nobody takes, for the DAG of those to come.
fn growing(queue: &str) -> Deed {
    let cause =
        [jobs(queue, 1, "retry_count = 0"), policy(queue)].map(|deed| deed.cause().to_owned()).join(";");
    Deed::Run { cause, mend: mend(queue) }
}

fn mend(queue: &str) -> String {
    format!(
        "update queue set policy = null where name = '{queue}';
         update job set state = 'completed', completed_on = now()
         where name = '{queue}' and policy is null and state in ('created', 'retry', 'active');
         update dag set state = 'completed', completed_on = now() where name = '{queue}'"
    )
}

impl Deed {
    fn cause(&self) -> &str {
        match self {
            Deed::Run { cause, .. } => cause,
            _ => unreachable!("only statements are put together"),
        }
    }
}
