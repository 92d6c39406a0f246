//! Locks that a query keeps until its transaction ends.

use marie_exporter::collect::collector::Context;
use marie_exporter::collect::pace::PassKind;
use marie_exporter::collect::pass;
use marie_exporter::demo::shape::Shape;
use sqlx::{Connection, PgConnection};

use crate::queries::scheduler::Scheduler;
use crate::support::databases::SERVER;

/// Partitions that this session has locked without a lock on their table.
const WITHOUT_ITS_TABLE: &str = "
    select c.relname::text
    from pg_locks as l
    join pg_class as c on c.oid = l.relation and c.relkind = 'r'
    join pg_inherits as i on i.inhrelid = l.relation
    where l.pid = pg_backend_pid()
        and not exists (select from pg_locks as t where t.pid = l.pid and t.relation = i.inhparent)";

/// DDL locks a table and then its partitions.
///
/// A reader that locks a partition before the table would deadlock with it, and PostgreSQL may cancel the DDL.
#[tokio::test]
async fn no_query_keeps_a_partition_locked_without_its_table() {
    for shape in [Shape::Mid, Shape::New] {
        let url = SERVER.create_database(&format!("locks {}", shape.name())).await.unwrap();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        shape.install(&mut connection, "marie_scheduler").await.unwrap();
        let queue = "select create_queue('extract', '{}')";
        sqlx::raw_sql(queue).execute(&mut connection).await.unwrap();
        // In a separate transaction, because this reads and locks `job`.
        let seen = Scheduler::connect(&url, shape, "marie_scheduler").await.look().await;
        let mut scheduler = Scheduler::connect(&url, shape, "marie_scheduler").await;
        scheduler.savepoint().await;
        for kind in PassKind::ALL {
            scheduler.try_pass(kind, kind.first_slice(), &seen).await.unwrap();
            let locked = scheduler.texts(WITHOUT_ITS_TABLE).await;
            assert_eq!(locked, [""; 0], "{kind:?} on {}", shape.name());
            scheduler.roll_back().await;
        }
        for query in pass::statements().filter(|query| query.lack(&seen.schema).is_none()) {
            let context = Context { config: &scheduler.config, schema: &seen.schema, queues: &seen.queues };
            let arguments = (query.arguments)(&context).unwrap();
            let statement = sqlx::query_with(query.statement(&seen.schema), arguments);
            scheduler.run.fetch_all(statement).await.unwrap();
            let locked = scheduler.texts(WITHOUT_ITS_TABLE).await;
            assert_eq!(locked, [""; 0], "{} on {}", query.sql.name, shape.name());
            scheduler.roll_back().await;
        }
    }
}
