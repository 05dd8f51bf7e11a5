//! Event time: windows, zones, watermarks, clocks. Pure, but for [`wall`].

pub mod wall;
