//! Load history in a bounded state.
use serde::{Deserialize, Serialize};
/// Load history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadHistory {}
