//! The pass over jobs.

use crate::collect::collector::Context;
use crate::collect::pass::Slice;
use crate::collect::slice_size::SliceSize;
use crate::postgres::{Failure, Plans, Run};
use crate::schema::Schema;

pub(crate) struct Backlog {
    size: SliceSize,
}

impl Backlog {
    pub(crate) const FIRST_SLICE: SliceSize = SliceSize::new(1_000, 1, 50_000);

    pub(crate) fn begin(size: SliceSize) -> Self {
        Backlog { size }
    }

    pub(crate) fn plans(&self, _: &Schema) -> Plans {
        Plans::Generic
    }

    pub(crate) fn slice_size(&self) -> SliceSize {
        self.size
    }

    /// Reads the next slice.
    pub(crate) async fn step(&mut self, _: &mut Run, _: &Context<'_>) -> Result<Slice, Failure> {
        Ok(Slice { rows: Vec::new(), is_last: true })
    }
}
