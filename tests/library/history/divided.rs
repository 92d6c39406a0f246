//! More partitions than one transaction may lock.

use marie_exporter::demo::shape::Shape;

use super::reader::{Reader, assert_equal, truth};
use crate::support::random_tables::filled;

#[tokio::test]
async fn divided_pass_equals_the_undivided_one() {
    for shape in [Shape::Old, Shape::Mid] {
        let mut database = filled(shape, 0.7).await;
        database.run("select create_queue('further', '{}'), create_queue('more', '{}')").await;
        let mut reader = Reader::new(&database.url).await;
        let pass = reader.begin(1);
        let (whole, _) = reader.rest(pass).await;
        assert_equal(&whole, &truth(&mut database.admin).await, shape.name());
        reader.schema.locks_allowed = 60;
        let pass = reader.begin(1);
        let (divided, slices) = reader.rest(pass).await;
        assert_equal(&divided, &whole, shape.name());
        assert!(slices > 8, "{slices} slices");
    }
}
