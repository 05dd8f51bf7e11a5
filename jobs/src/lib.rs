
pub mod simulate;
