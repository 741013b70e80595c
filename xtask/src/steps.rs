//! Named steps with their times: each is announced, the first failure stops the task, a summary closes it.

use crate::failure::Failure;
use std::time::Instant;

/// The steps taken so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, f64)>,
}

impl Steps {
    /// Runs one step; its failure names it.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        println!("\n==> {name}");
        let started = now();
        let outcome = work();
        let seconds = started.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                println!("    {name}: ok in {seconds:.1} s");
                self.done.push((name.to_owned(), seconds));
                Ok(())
            }
            Err(source) => Err(Failure::Step { step: name.to_owned(), seconds, source: Box::new(source) }),
        }
    }

    /// One line per step and the total.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::from("\nsummary\n");
        for (name, seconds) in &self.done {
            text.push_str(&format!("  ok {seconds:>8.1} s  {name}\n"));
        }
        let total: f64 = self.done.iter().map(|(_, seconds)| seconds).sum();
        text.push_str(&format!("     {total:>8.1} s  in all"));
        text
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a composition root: the time of a step is shown to the user, nothing depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_step_and_is_not_summed_up() {
        let mut steps = Steps::default();
        steps.step("first", || Ok(())).unwrap();
        let failed = steps.step("second", || Err(Failure::Usage("broken".to_owned()))).unwrap_err().to_string();
        assert!(failed.contains("step `second`") && failed.ends_with("broken"), "{failed}");
        assert!(steps.summary().contains("first") && !steps.summary().contains("second"));
    }
}
