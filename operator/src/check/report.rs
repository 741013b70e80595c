//! Findings and how they are printed: one line each, what is wrong with what to do, a last line that sums up.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Worth knowing; `run` works.
    Note,
    /// `run` or a policy does not work as wanted.
    Fail,
}

impl Verdict {
    /// As it is printed, all of the same width.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Good => "ok  ",
            Self::Note => "note",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// What was looked at, and where: `permissions`, `policy shop/web`.
    pub what: String,
    /// What was found, and what to do about it.
    pub text: String,
}

impl Finding {
    /// All is well.
    pub fn good(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Verdict::Good, what, text)
    }

    /// Worth knowing.
    pub fn note(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Verdict::Note, what, text)
    }

    /// Wrong; `text` ends with what to do.
    pub fn fail(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, what, text)
    }

    fn new(verdict: Verdict, what: impl Into<String>, text: impl Into<String>) -> Self {
        Self { verdict, what: what.into(), text: text.into() }
    }
}

impl fmt::Display for Finding {
    /// On one line, whatever others put into their messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{} {}: {}", self.verdict.label(), self.what, self.text);
        let shown = line.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>();
        f.write_str(&shown.join(" "))
    }
}

/// Everything that was looked at, in the order of looking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn extend(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
    }

    /// Findings with this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// Whether nothing fails: the exit status of the command.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.count(Verdict::Fail) == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let (good, notes, fails) = (self.count(Verdict::Good), self.count(Verdict::Note), self.count(Verdict::Fail));
        writeln!(f, "{good} ok, {notes} to note, {fails} failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_line_per_finding_and_a_sum() {
        let mut report = Report::default();
        report.add(Finding::good("cluster", "API server v1.34.1 at https://c"));
        report.add(Finding::note("lease", "nobody holds it"));
        assert!(report.is_good());
        report.extend(vec![Finding::fail("policy shop/web", "no bundle\n\tin\u{1b}[31m it: create one")]);
        assert!(!report.is_good());
        let expected = "\
ok   cluster: API server v1.34.1 at https://c
note lease: nobody holds it
FAIL policy shop/web: no bundle in [31m it: create one
1 ok, 1 to note, 1 failed
";
        assert_eq!(report.to_string(), expected);
    }
}
