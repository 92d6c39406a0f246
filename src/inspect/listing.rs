//! What a listing is: a query and the columns of it that are shown. PostgreSQL makes a JSON object of each row, so
//! there is one decoding for all of them: a column is found by its name, never by its place.

use crate::collect::collector::Query;
use crate::terminal::columns::Column;

/// A query whose rows are printed.
pub struct Listing {
    pub columns: &'static [Column],
    pub query: Query,
}
