//! The cases of the fault matrix: each fault with the alerts that it must cause. docs/alerts.md has a row for each.

/// A fault of a scenario, and how to repair it.
pub(crate) enum Fault {
    Nothing,
    Run {
        cause: String,
        repair: String,
    },
    /// Runs this statement in a transaction that stays open.
    LeaveOpen(&'static str),
    StopExporter(usize),
    StopServer,
    PauseScheduler,
}

/// Name of an alert, and its queue; empty if the alert has none.
pub(crate) type Alert = (&'static str, &'static str);

pub(crate) struct Case {
    /// Text in docs/alerts.md.
    pub(crate) what: &'static str,
    /// The scenario with the fault.
    pub(crate) scenario: &'static str,
    /// Start of the fault, in minutes of production time after the first faults.
    pub(crate) after: u64,
    pub(crate) fault: Fault,
    pub(crate) pages: &'static [Alert],
    pub(crate) tickets: &'static [Alert],
    /// Alerts that fire as well and that Alertmanager suppresses.
    pub(crate) inhibited: &'static [Alert],
    /// Whether the fault happens only once, so that its alerts resolve by themselves.
    pub(crate) is_transient: bool,
}

/// Returns all cases in the order of docs/alerts.md.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = job_cases();
    cases.extend(service_cases());
    cases
}

const NOTHING: Case = Case {
    what: "nothing: a scheduler at work",
    scenario: "calm",
    after: 0,
    fault: Fault::Nothing,
    pages: &[],
    tickets: &[],
    inhibited: &[],
    is_transient: false,
};

fn job_cases() -> Vec<Case> {
    let case =
        |what, fault, pages, tickets| Case { what, scenario: "marie", fault, pages, tickets, ..NOTHING };
    vec![
        NOTHING,
        case("a job hangs", jobs("hung", 1, HUNG), &[("MarieJobsStuck", "hung")], &[]),
        Case {
            is_transient: true,
            ..case("a job fails, its retries used up", failed("broken"), &[("MarieJobFailed", "broken")], &[])
        },
        case(
            "every second job fails",
            policy("flaky"),
            &[("MarieJobFailed", "flaky")],
            &[("MarieJobFailureRatioHigh", "flaky")],
        ),
        case(
            "a job misses its hard SLA",
            jobs("overdue", 1, PAST_HARD_SLA),
            &[("MarieHardSlaBreached", "overdue")],
            &[],
        ),
        case(
            "a job misses its soft SLA",
            jobs("slow", 1, PAST_SOFT_SLA),
            &[],
            &[("MarieSoftSlaBreached", "slow")],
        ),
        case("all jobs finish after their hard SLA", policy("late"), &[("MarieSlaBudgetBurn", "late")], &[]),
        case(
            "25 jobs wait for another attempt",
            jobs("retrying", 25, "state = 'retry', retry_count = 1, start_after = now() + interval '1 day'"),
            &[],
            &[("MarieRetryStorm", "retrying")],
        ),
        case(
            "6 jobs are at their last attempt",
            jobs("worn", 6, "retry_count = 2, start_after = now() + interval '1 day'"),
            &[],
            &[("MarieRetriesExhausted", "worn")],
        ),
        case("no worker takes a queue's jobs", policy("idle"), &[], &[("MarieQueueStalled", "idle")]),
        case(
            "more jobs come than are taken",
            growing("growing"),
            &[],
            &[("MarieQueueBacklogGrowing", "growing")],
        ),
        case(
            "a job has been ready for an hour",
            jobs(
                "waiting",
                1,
                "created_on = now() - interval '1 hour', start_after = now() - interval '1 hour'",
            ),
            &[],
            &[("MarieOldestReadyJobTooOld", "waiting")],
        ),
        case(
            "a run lease expires and is not reaped",
            jobs(
                "leased",
                1,
                "state = 'active', started_on = now(), run_lease_expires_at = now() - interval '1 hour'",
            ),
            &[],
            &[("MarieRunLeasesExpired", "leased")],
        ),
        case(
            "a DAG has lost its jobs",
            Fault::Run {
                cause: "insert into dag (id, name, state) values (md5('lost')::uuid, 'lost', 'active')"
                    .to_owned(),
                repair: "update dag set state = 'completed', completed_on = now() where name = 'lost'"
                    .to_owned(),
            },
            &[],
            &[("MarieDagStalled", "")],
        ),
    ]
}

fn service_cases() -> Vec<Case> {
    let case = |what, scenario, fault, pages, tickets, inhibited| Case {
        what,
        scenario,
        fault,
        pages,
        tickets,
        inhibited,
        ..NOTHING
    };
    vec![
        case(
            "a job hangs, and two exporters see it",
            "pair",
            jobs("hung", 1, HUNG),
            &[("MarieJobsStuck", "hung")],
            &[],
            &[],
        ),
        case("one exporter of two is gone", "halved", Fault::StopExporter(1), &[], &[], &[]),
        case(
            "a job hangs, one fails, one misses its hard SLA …",
            "away",
            Fault::Run {
                cause: [jobs("hung", 1, HUNG), failed("broken"), jobs("overdue", 1, PAST_HARD_SLA)]
                    .map(|fault| fault.cause().to_owned())
                    .join(";"),
                repair: ["hung", "broken", "overdue"].map(repair).join(";"),
            },
            &[("MarieJobsStuck", "hung"), ("MarieJobFailed", "broken"), ("MarieHardSlaBreached", "overdue")],
            &[],
            &[],
        ),
        Case {
            after: 10,
            ..case(
                "… and then no exporter answers",
                "away",
                Fault::StopExporter(0),
                &[("MarieExporterDown", "")],
                &[],
                &[],
            )
        },
        case(
            "the database is gone",
            "severed",
            Fault::StopServer,
            &[("MarieDatabaseUnreachable", "")],
            &[],
            &[("MarieCollectorFailing", ""), ("MarieCollectorStale", "")],
        ),
        case(
            "the scheduler falls silent",
            "silent",
            Fault::PauseScheduler,
            &[("MarieSchedulerSilent", "")],
            &[],
            &[],
        ),
        case(
            "the exporter may no longer read `job`",
            "blind",
            Fault::Run {
                cause: "revoke select on job from reader".to_owned(),
                repair: "grant select on job to reader".to_owned(),
            },
            &[("MarieCollectorOff", "")],
            &[],
            &[],
        ),
        case(
            "a transaction that writes stays open",
            "open",
            Fault::LeaveOpen("update version set cron_on = now()"),
            &[],
            &[("MarieEventLag", "")],
            &[],
        ),
        case(
            "a transaction that locks `archive` stays open",
            "locked",
            Fault::LeaveOpen("lock table archive in access exclusive mode"),
            &[],
            // The previous case is on the same server.
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

/// Inserts jobs of a queue with these columns into one active DAG.
fn jobs(queue: &str, count: u32, columns: &str) -> Fault {
    let (names, values): (Vec<&str>, Vec<&str>) =
        columns.split(',').map(|column| column.trim().split_once(" = ").unwrap()).unzip();
    let cause = format!(
        "insert into dag (id, name, state) values (md5('{queue}')::uuid, '{queue}', 'active');
         insert into job (id, name, dag_id, {})
         select gen_random_uuid(), '{queue}', md5('{queue}')::uuid, {} from generate_series(1, {count})",
        names.join(", "),
        values.join(", ")
    );
    Fault::Run { cause, repair: repair(queue) }
}

/// Inserts a failed job into a DAG that has failed as well, as the scheduler does.
fn failed(queue: &str) -> Fault {
    let job = jobs(queue, 1, "state = 'failed', completed_on = now()");
    let cause = format!("{}; update dag set state = 'failed' where name = '{queue}'", job.cause());
    Fault::Run { cause, repair: repair(queue) }
}

/// Gives the queue the policy of its name in beat.sql.
fn policy(queue: &str) -> Fault {
    let cause = format!("update queue set policy = '{queue}' where name = '{queue}'");
    Fault::Run { cause, repair: repair(queue) }
}

/// Inserts a DAG with one waiting job, to which beat.sql adds jobs.
fn growing(queue: &str) -> Fault {
    let cause =
        [jobs(queue, 1, "retry_count = 0"), policy(queue)].map(|fault| fault.cause().to_owned()).join(";");
    Fault::Run { cause, repair: repair(queue) }
}

fn repair(queue: &str) -> String {
    format!(
        "update queue set policy = null where name = '{queue}';
         update job set state = 'completed', completed_on = now()
         where name = '{queue}' and policy is null and state in ('created', 'retry', 'active');
         update dag set state = 'completed', completed_on = now() where name = '{queue}'"
    )
}

impl Fault {
    fn cause(&self) -> &str {
        match self {
            Fault::Run { cause, .. } => cause,
            _ => unreachable!("only faults by statements are combined"),
        }
    }
}
