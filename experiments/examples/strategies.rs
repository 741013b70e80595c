//! Prints `docs/strategies.md`; `cargo xtask generate` writes it there.

fn main() {
    print!("{}", seatrial_experiments::strategies::page());
}
