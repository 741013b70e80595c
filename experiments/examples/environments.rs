//! Prints `docs/environments.md`; `cargo xtask generate` writes it there.

fn main() {
    print!("{}", seatrial_experiments::environments::page());
}
