//! Forward-only networks: linear layers, layer norm, a streaming LSTM, and the two nets built of them.
//!
//! Weights are safetensors in single precision, in PyTorch's layouts and under the names that the learners use, so that a
//! training run exports by writing its parameters and a bundle loads without libtorch. After loading nothing allocates.
//! Sums run in one fixed order (over the inputs, bias first, one running sum per output) without fused multiply-add, and
//! transcendental functions come from [`crate::math`], so results are equal on every machine. Agreement with libtorch is
//! within 1e-5 (tested by the learners' crate).
//!
//! | tensor | shape |
//! |---|---|
//! | `forecaster.lstm.weight_ih_l0`, `weight_hh_l0` | `[4H, inputs]`, `[4H, H]`, gates in the order i, f, g, o |
//! | `forecaster.lstm.bias_ih_l0`, `bias_hh_l0` | `[4H]` |
//! | `forecaster.head.weight`, `bias` | `[8, H]`, `[8]` |
//! | `forecaster.linear.weight`, `bias` | `[8, inputs]`, `[8]` (forecaster `linear-quantile`) |
//! | `agent.trunk.{0,1}.weight`, `bias` | `[H1, observation]`, `[H2, H1]` |
//! | `agent.norm.{0,1}.weight`, `bias` | layer norm after each, then ReLU |
//! | `agent.value.weight`, `bias` | `[1, H2]`, `[1]` |
//! | `agent.advantage.weight`, `bias` | `[actions, H2]`, `[actions]` |

mod dueling;
mod layers;
mod lstm;
mod weights;

pub use dueling::DuelingNet;
pub use layers::{LayerNorm, Linear, MAX_WIDTH};
pub use lstm::{Lstm, LstmState};
pub use weights::{Tensor, Weights, WeightsError};
