//! A series as a picture: the range of each of at most [`COLUMNS`] stretches of time, so that no peak is lost.

use std::fmt::Write;

use seatrial_core::time::Timestamp;
use seatrial_datasets::{Series, moment};

const COLUMNS: usize = 800;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;

/// A stretch of the series.
struct Stretch {
    at: Timestamp,
    least: f64,
    greatest: f64,
}

/// A series made ready for drawing.
pub(super) struct Drawing<'a> {
    title: &'a str,
    unit: &'a str,
    stretches: Vec<Stretch>,
    end: Timestamp,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(series: &Series, title: &'a str, unit: &'a str) -> Self {
        let bins = series.values.len().div_ceil(COLUMNS).max(1);
        let stretch = |(index, values): (usize, &[f64])| Stretch {
            at: series.at(index * bins),
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: values.iter().copied().fold(0.0, f64::max),
        };
        Self {
            title,
            unit,
            stretches: series.values.chunks(bins).enumerate().map(stretch).collect(),
            end: series.end(),
        }
    }

    pub(super) fn csv(&self) -> String {
        let mut text = "at,least,greatest\n".to_owned();
        for Stretch { at, least, greatest } in &self.stretches {
            let _ = writeln!(text, "{},{least},{greatest}", moment::format(*at));
        }
        text
    }

    pub(super) fn svg(&self) -> String {
        let top = self.stretches.iter().map(|stretch| stretch.greatest).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        #[expect(clippy::cast_precision_loss, reason = "at most 800 columns")]
        let x = |column: usize| LEFT + column as f64;
        let y = |value: f64| TOP + HEIGHT * (1.0 - value / top);
        let width = x(self.stretches.len()) + 20.0;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {}\" font-family=\"sans-serif\" font-size=\"12\">\n",
            TOP + HEIGHT + 40.0
        );
        let _ = writeln!(text, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
        let _ = writeln!(
            text,
            "<text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{} ({})</text>",
            escape(self.title),
            escape(self.unit)
        );
        for share in [0.0, 0.5, 1.0] {
            let at = y(share * top);
            let _ = writeln!(text, "<path d=\"M{LEFT} {at}H{}\" stroke=\"#ddd\"/>", x(self.stretches.len()));
            let _ = writeln!(
                text,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.4}</text>",
                LEFT - 6.0,
                at + 4.0,
                share * top
            );
        }
        text.push_str("<path stroke=\"#0072b2\" fill=\"none\" d=\"");
        for (column, stretch) in self.stretches.iter().enumerate() {
            let _ =
                write!(text, "M{:.1} {:.1}V{:.1}", x(column) + 0.5, y(stretch.least) + 0.5, y(stretch.greatest) - 0.5);
        }
        text.push_str("\"/>\n");
        let below = TOP + HEIGHT + 20.0;
        if let Some(first) = self.stretches.first() {
            let _ = writeln!(text, "<text x=\"{LEFT}\" y=\"{below}\">{}</text>", moment::format(first.at));
        }
        let right = x(self.stretches.len());
        let _ =
            writeln!(text, "<text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">{}</text>", moment::format(self.end));
        text.push_str("</svg>\n");
        text
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::time::Span;

    #[test]
    fn keeps_the_peak_of_a_long_series() {
        let mut values = vec![1.0; 100_000];
        values[77_777] = 9.0;
        let missing = vec![false; values.len()];
        let series =
            Series { name: String::new(), start: Timestamp::ZERO, interval: Span::from_secs(60), values, missing };
        let drawing = Drawing::new(&series, "a<b", "requests");
        assert!(drawing.stretches.len() <= COLUMNS);
        assert!(drawing.csv().contains(",1,9\n"));
        assert!(drawing.svg().contains("a&lt;b") && drawing.svg().ends_with("</svg>\n"));
    }
}
