//! A role with more rights than the exporter needs: `check` names each excess right, and the SQL of `grants` revokes it.

use marie_exporter::demo::shape::Shape;
use serde_json::{Value, json};

use crate::security::role::{check, grant, server_is_at_least};
use crate::support::databases::Database;
use crate::support::process::{output, text};

/// Statements that give an excess right, and the name of the right in `check`.
const RIGHTS: [(&str, &str); 31] = [
    ("grant update (state) on job to reader", "UPDATE on column state of table marie_scheduler.job"),
    ("grant insert (priority) on job to reader", "INSERT on column priority of table marie_scheduler.job"),
    (
        "grant select (id) on job to reader with grant option",
        "SELECT with grant option on column id of table",
    ),
    ("grant trigger, references on job to reader", "REFERENCES, TRIGGER on table marie_scheduler.job"),
    ("grant truncate on archive to reader", "TRUNCATE on table marie_scheduler.archive"),
    ("grant create on schema marie_scheduler to reader", "CREATE on schema marie_scheduler"),
    ("grant create on schema public to reader", "CREATE on schema public"),
    ("grant update on sequence job_history_history_id_seq to reader", "UPDATE on sequence"),
    ("create view v as select * from queue; grant insert, update on v to reader", "INSERT, UPDATE on view"),
    ("grant select, delete on jextract to reader", "DELETE, SELECT on table marie_scheduler.jextract"),
    ("create table other (); grant select on other to reader", "SELECT on table marie_scheduler.other"),
    ("alter role reader createrole", "CREATEROLE"),
    ("alter role reader createdb", "CREATEDB"),
    ("alter role reader replication", "REPLICATION"),
    ("alter role reader bypassrls", "BYPASSRLS"),
    ("grant pg_execute_server_program to reader", "member of pg_execute_server_program"),
    ("grant pg_read_server_files to reader", "member of pg_read_server_files"),
    ("grant pg_monitor to reader", "member of pg_monitor"),
    ("alter role reader noinherit; grant pg_read_all_settings to reader", "member of pg_read_all_settings"),
    ("create role excess_boss superuser; grant excess_boss to reader", "SUPERUSER through excess_boss"),
    (
        "create role excess_writer; grant update on dag to excess_writer; grant excess_writer to reader",
        "UPDATE on table marie_scheduler.dag through excess_writer",
    ),
    ("grant create, temporary on database database_name to reader", "CREATE, TEMPORARY on database"),
    ("grant connect on database postgres to reader", "CONNECT on database postgres"),
    (
        "create function f() returns int language sql as 'select 1'; revoke execute on function f() from public;
         grant execute on function f() to reader",
        "EXECUTE on function marie_scheduler.f()",
    ),
    ("grant execute on function pg_read_file(text) to reader", "EXECUTE on function pg_read_file(text)"),
    ("grant usage on type job_state to reader", "USAGE on type marie_scheduler.job_state"),
    ("grant usage on language plpgsql to reader", "USAGE on language plpgsql"),
    (
        "create foreign data wrapper w; create server s foreign data wrapper w; grant usage on foreign server s to reader",
        "USAGE on server s",
    ),
    (
        "select lo_create(4711); grant select, update on large object 4711 to reader",
        "SELECT, UPDATE on large object 4711",
    ),
    ("grant create on tablespace pg_default to reader", "CREATE on tablespace pg_default"),
    (
        "alter default privileges in schema marie_scheduler grant delete on tables to reader",
        "DELETE on default privileges on new relations",
    ),
];

async fn with_reader(role: &str) -> (Database, String) {
    let mut database = Database::new(Shape::Mid).await;
    database
        .run(
            "do $$ begin execute (
                select format('alter table %s rename to jextract', inhrelid::regclass)
                from pg_inherits where inhparent = 'job'::regclass order by inhrelid limit 1
            ); end $$",
        )
        .await;
    let url = grant(&mut database, role, &[]).await;
    (database, url)
}

fn listed(report: &Value, field: &str) -> Vec<String> {
    let list = report["database"][field].as_array().unwrap().iter();
    list.map(|right| right.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_excess_right_is_named_and_revoked() {
    let (mut database, url) = with_reader("excessive").await;
    let report = check(&url, &[]);
    assert_eq!(listed(&report, "excess"), Vec::<String>::new());
    let name = database.url.rsplit('/').next().unwrap().to_owned();
    for (change, _) in RIGHTS {
        database.run(&change.replace("reader", "excessive").replace("database_name", &name)).await;
    }
    let report = check(&url, &[]);
    let excess = listed(&report, "excess");
    for (change, right) in RIGHTS {
        assert!(excess.iter().any(|listed| listed.contains(right)), "{change}: {excess:#?}");
    }
    let shown = output(&["check", "--database-url", &url]);
    assert_eq!(shown.status.code(), Some(0), "an excess right is no failure");
    let shown = text(&shown.stdout);
    assert!(shown.contains("could write to archive") && shown.contains("CREATEDB"), "{shown}");

    grant(&mut database, "excessive", &[]).await;
    let report = check(&url, &[]);
    assert_eq!(listed(&report, "excess"), Vec::<String>::new());
    assert!(report["collectors"].to_string().contains("\"ran\""), "{report:#}");
    let shown = text(&output(&["check", "--database-url", &url]).stdout);
    assert!(shown.contains("can read what the exporter needs and no more"), "{shown}");
}

/// With any one of these rights, `check` does not print "and no more".
#[tokio::test]
async fn single_excess_right_changes_the_line_of_the_role() {
    let (mut database, url) = with_reader("nearly_right").await;
    for (give, take) in [
        ("grant update (state) on job to nearly_right", "revoke update (state) on job from nearly_right"),
        ("grant pg_read_server_files to nearly_right", "revoke pg_read_server_files from nearly_right"),
        (
            "grant create on schema marie_scheduler to nearly_right",
            "revoke create on schema marie_scheduler from nearly_right",
        ),
        ("alter role nearly_right replication", "alter role nearly_right noreplication"),
    ] {
        database.run(give).await;
        let shown = text(&output(&["check", "--database-url", &url]).stdout);
        assert!(shown.contains("can do more than the exporter needs"), "{give}: {shown}");
        database.run(take).await;
    }
}

#[tokio::test]
async fn parameter_that_a_role_may_set_is_named_and_revoked() {
    let (mut database, url) = with_reader("setter").await;
    if !server_is_at_least(15) {
        return;
    }
    database.run("grant set on parameter log_statement to setter").await;
    assert_eq!(listed(&check(&url, &[]), "excess"), ["SET or ALTER SYSTEM on parameter log_statement"]);
    grant(&mut database, "setter", &[]).await;
    assert_eq!(listed(&check(&url, &[]), "excess"), Vec::<String>::new());
}

#[tokio::test]
async fn right_to_maintain_tables_is_named_and_revoked() {
    let (mut database, url) = with_reader("maintaining").await;
    if !server_is_at_least(17) {
        return;
    }
    database.run("grant maintain on job to maintaining; grant pg_maintain to maintaining").await;
    let excess = listed(&check(&url, &[]), "excess");
    for right in ["MAINTAIN on table marie_scheduler.job", "member of pg_maintain"] {
        assert!(excess.iter().any(|listed| listed.contains(right)), "{right}: {excess:?}");
    }
    grant(&mut database, "maintaining", &[]).await;
    assert_eq!(listed(&check(&url, &[]), "excess"), Vec::<String>::new());
}

#[tokio::test]
async fn membership_that_another_role_granted_is_revoked() {
    let (mut database, url) = with_reader("befriended").await;
    database
        .run(
            "create role excess_friend; grant pg_monitor to excess_friend with admin option;
             set role excess_friend; grant pg_monitor to befriended;
             reset role; grant pg_monitor to befriended",
        )
        .await;
    assert_eq!(listed(&check(&url, &[]), "excess"), ["member of pg_monitor"]);
    grant(&mut database, "befriended", &[]).await;
    assert_eq!(listed(&check(&url, &[]), "excess"), Vec::<String>::new());
}

#[tokio::test]
async fn owned_object_is_named_and_not_revoked() {
    let (mut database, url) = with_reader("owning").await;
    database.run("alter table kv_store_worker owner to owning").await;
    let report = check(&url, &[]);
    assert_eq!(listed(&report, "excess"), ["owns table marie_scheduler.kv_store_worker"]);
    let printed = output(&["grants", "--database-url", &database.url, "--role=owning"]);
    let printed = text(&printed.stdout);
    assert!(
        printed.contains("-- It owns table marie_scheduler.kv_store_worker. Give that to another role."),
        "{printed}"
    );
}

#[tokio::test]
async fn function_with_its_owners_rights_is_named() {
    let (mut database, url) = with_reader("calling").await;
    database
        .run(
            "create function payload() returns jsonb language sql security definer as 'select data from marie_scheduler.job';
             create function harmless() returns int language sql as 'select 1'",
        )
        .await;
    let report = check(&url, &[]);
    assert_eq!(
        report["database"]["owner_functions"],
        json!(["can run function marie_scheduler.payload() with the rights of postgres"])
    );
    let shown = text(&output(&["check", "--database-url", &url]).stdout);
    assert!(
        shown.contains("can run function marie_scheduler.payload()") && !shown.contains("and no more"),
        "{shown}"
    );
}

#[tokio::test]
async fn grants_to_public_are_listed_apart() {
    let (mut database, url) = with_reader("public_reader").await;
    assert_eq!(check(&url, &[])["database"]["through_public"], json!([]));
    database
        .run(
            "create schema open_to_all; grant usage, create on schema open_to_all to public;
             grant select on archive to public; grant execute on function pg_read_file(text) to public",
        )
        .await;
    let report = check(&url, &[]);
    assert_eq!(
        listed(&report, "through_public"),
        ["CREATE on schema open_to_all", "EXECUTE on function pg_read_file(text)",]
    );
    assert_eq!(listed(&report, "excess"), Vec::<String>::new());
    let shown = text(&output(&["check", "--database-url", &url]).stdout);
    assert!(shown.contains("As every role, by a grant to PUBLIC: CREATE on schema open_to_all"), "{shown}");
}
