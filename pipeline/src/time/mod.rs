//! Event time: days of a named zone, windows, watermarks, clocks, live time. Pure, but for [`wall`] and [`retry`], which waits.

mod backoff;
mod clock;
mod live;
pub mod wall;
mod window;
mod zone;

pub use backoff::{Backoff, Pauses, retry};
pub use clock::{InputTime, clock};
pub use live::LiveTime;
pub use window::{Window, WindowKind};
pub use zone::{Day, Zone};

/// Milliseconds of a day without a change of clocks; for limits, never for windows.
pub const DAY_MS: i64 = 86_400_000;
