//! Whole cycles against a world of a few fields: what is asked, what is written, what the status says.

mod acting;
mod trouble;
mod world;
