//! Prints `docs/scenarios.md`: its text as it is, and the tables of the schema anew. `cargo xtask generate` writes it.

fn main() {
    print!("{}", seatrial_experiments::scenario_command::page(include_str!("../../docs/scenarios.md")));
}
