//! The page of `seatrial tune`: what to change in an autoscaler's manifest, and the evidence for it.
//!
//! Plain data in, one self-contained page out; every word of judgement comes with the data. No scripts, nothing loaded.

use askama::Template;

use crate::error::ReportError;
use crate::figures::Figure;
use crate::html::coded;
use crate::model::Fact;

/// The page of one manifest.
#[derive(Debug, Template)]
#[template(path = "tuning.html")]
pub struct TuningPage {
    /// The manifest's file.
    pub manifest: String,
    /// The trace's file.
    pub trace: String,
    /// The manifest to apply, relative to the page; empty if nothing is to be applied.
    pub result: String,
    /// What could not be written into the manifest, a sentence each.
    pub by_hand: Vec<String>,
    /// One per autoscaler.
    pub sections: Vec<TuningSection>,
    /// What was inferred or left out.
    pub notes: Vec<String>,
    /// How to make it again.
    pub provenance: Vec<Fact>,
}

/// One autoscaler.
#[derive(Debug)]
pub struct TuningSection {
    /// Its kind and name.
    pub name: String,
    /// The outcome in one sentence.
    pub verdict: String,
    /// `good`, `bad` or empty.
    pub class: &'static str,
    /// Before and after.
    pub numbers: Vec<TuningNumber>,
    /// Fields that change.
    pub changes: Vec<TuningChange>,
    /// What each objective would choose.
    pub objectives: Vec<TuningChoice>,
    /// Further findings.
    pub remarks: Vec<String>,
    /// The curve.
    pub figure: Figure,
    /// What the numbers rest on.
    pub facts: Vec<Fact>,
}

/// A line of before and after; every value as it shall stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuningNumber {
    /// What is counted.
    pub name: String,
    /// Today.
    pub before: String,
    /// Suggested.
    pub after: String,
    /// The change.
    pub change: String,
    /// Its 95 % interval; empty if there is none.
    pub interval: String,
    /// What the oracle paid; empty where it says nothing.
    pub oracle: String,
}

/// A field that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuningChange {
    /// Its path.
    pub field: String,
    /// Today.
    pub before: String,
    /// Suggested.
    pub after: String,
    /// Where it stands.
    pub place: String,
}

/// What an objective would choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuningChoice {
    /// Its name and price.
    pub objective: String,
    /// The settings in words.
    pub settings: String,
    /// Replica-hours a day.
    pub replica_hours: String,
    /// Share of bad requests.
    pub bad: String,
    /// Changes of replicas a day.
    pub changes: String,
    /// Whether it is the one that was asked for.
    pub asked: bool,
}

impl TuningPage {
    /// A note as HTML: what stands in backticks is code, everything else is text.
    fn marked(note: &str) -> String {
        coded(note)
    }

    /// The page.
    ///
    /// # Errors
    /// [`ReportError::Render`] if the template fails.
    pub fn html(&self) -> Result<String, ReportError> {
        self.render().map_err(|error| ReportError::Render { what: "index.html", reason: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_escapes_what_comes_from_outside_and_loads_nothing() {
        let page = TuningPage {
            manifest: "<b>.yaml".to_owned(),
            trace: "load.csv".to_owned(),
            result: String::new(),
            by_hand: Vec::new(),
            sections: Vec::new(),
            notes: vec!["`spec.<x>` & more".to_owned()],
            provenance: Vec::new(),
        };
        let html = page.html().unwrap();
        assert!(html.contains("<code>spec.&lt;x&gt;</code> &amp; more"), "{html}");
        assert!(!html.contains("<b>") && !html.contains("<script"), "{html}");
        assert!(html.contains("No manifest was written: nothing is suggested."), "{html}");
        let page = TuningPage { by_hand: vec!["no manifest was written: `a<b`".to_owned()], ..page };
        let html = page.html().unwrap();
        assert!(html.contains("no manifest was written: <code>a&lt;b</code>"), "{html}");
        assert!(!html.contains("nothing is suggested"), "{html}");
    }
}
