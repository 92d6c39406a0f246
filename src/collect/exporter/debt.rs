//! A pause that the load budget demands and that was put off: a moment's trouble must not silence a collector for a
//! thousand seconds, the price of ten at one percent. It is paid by pauses twice as long, and until then no other is
//! put off; so whatever fails and succeeds in turn keeps to its budget in the long run.

use std::time::Duration;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Debt(Duration);

impl Debt {
    /// Puts a pause off, unless one is owed already.
    pub(crate) fn puts_off(&mut self, pause: Duration) -> bool {
        let may = self.0.is_zero();
        if may {
            self.0 = pause;
        }
        may
    }

    /// What is paid now of it, at most as much again as the pause that comes anyway.
    pub(crate) fn pay(&mut self, pause: Duration) -> Duration {
        let paid = self.0.min(pause);
        self.0 -= paid;
        paid
    }
}
