//! The queries of one policy: the newest sample's time, the ten features at one moment, and the past arrival rate.

use std::sync::Arc;

use futures_util::future::join_all;
use seatrial_core::observe::{FEATURE_COUNT, Feature};
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::prometheus::{Grid, MOST_POINTS};

use super::client::Client;
use super::error::PrometheusError;
use super::judge::{self, Asked, MetricsRead};
use super::template::Template;
use crate::queries::{FEATURES, query_of, sample_time_query};
use crate::scaling_policy::ScalingPolicySpec;

/// What a policy says about its metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct ReaderSettings {
    /// What the queries are filled with.
    pub template: Template,
    /// Time between scrapes.
    pub scrape_interval: Span,
    /// Age from which a sample is not used.
    pub stale_after: Span,
    /// Own queries.
    pub queries: Option<crate::scaling_policy::Queries>,
}

impl ReaderSettings {
    /// Those of a policy in `namespace`, in wall time.
    #[must_use]
    pub fn of(spec: &ScalingPolicySpec, namespace: &str) -> Self {
        let scrape_interval = Span::from_secs(i64::from(spec.metrics.scrape_interval_seconds));
        let wait = Span::from_millis(i64::from(spec.slo.wait_milliseconds));
        let workload = (&*spec.target_ref.kind, &*spec.target_ref.name);
        Self {
            template: Template::new(namespace, workload, scrape_interval, wait),
            scrape_interval,
            stale_after: Span::from_secs(i64::from(spec.metrics.stale_after_seconds)),
            queries: spec.metrics.queries.clone(),
        }
    }
}

/// Reads the metrics of one policy. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    client: Client,
    queries: Arc<Filled>,
}

/// The queries as they are sent.
#[derive(Debug)]
struct Filled {
    sample_time: String,
    features: [String; FEATURE_COUNT],
    scrape_interval: Span,
    stale_after: Span,
}

impl Reader {
    /// A reader; nothing is asked yet.
    ///
    /// # Errors
    /// If a query becomes too long, with what it was for.
    pub fn new(client: Client, settings: &ReaderSettings) -> Result<Self, (Asked, PrometheusError)> {
        let own = settings.queries.as_ref();
        let fill = |asked, query| settings.template.fill(query).map_err(|error| (asked, error));
        let mut features = [const { String::new() }; FEATURE_COUNT];
        for (slot, (feature, _)) in features.iter_mut().zip(FEATURES) {
            *slot = fill(Asked::Feature(feature), query_of(own, feature))?;
        }
        let queries = Filled {
            sample_time: fill(Asked::SampleTime, sample_time_query(own))?,
            features,
            scrape_interval: settings.scrape_interval,
            stale_after: settings.stale_after,
        };
        Ok(Self { client, queries: Arc::new(queries) })
    }

    /// The newest sample's time, however old; `None` if there is none. One request.
    ///
    /// # Errors
    /// If there is no usable answer, or it lies in the future.
    pub async fn read_sample_time(&self, now: Timestamp) -> Result<Option<Timestamp>, PrometheusError> {
        let answer = self.client.query(&self.queries.sample_time, now).await?;
        judge::sample_time(&answer, now)
    }

    /// The sample time and, if it is fresh, the features at `now`. One request, then ten at the same time.
    pub async fn read_metrics(&self, now: Timestamp) -> MetricsRead {
        match self.read_sample_time(now).await {
            Ok(Some(sample_at)) => self.read_features(now, sample_at).await,
            Ok(None) => MetricsRead::missing(None, None),
            Err(problem) => MetricsRead::missing(None, Some((Asked::SampleTime, problem))),
        }
    }

    /// The features at `now`, stamped with the known sample time, if it is fresh. Ten requests at the same time, or none.
    pub async fn read_features(&self, now: Timestamp, sample_at: Timestamp) -> MetricsRead {
        if let Err(problem) = judge::fresh(sample_at, now, self.queries.stale_after) {
            return MetricsRead::missing(Some(sample_at), Some((Asked::SampleTime, problem)));
        }
        let at = judge::evaluation_time(now, sample_at, self.queries.scrape_interval);
        let mut values = join_all(self.queries.features.iter().map(|query| self.feature(query, at))).await.into_iter();
        judge::assemble(sample_at, core::array::from_fn(|_| values.next().unwrap_or(Ok(None))))
    }

    async fn feature(&self, query: &str, at: Timestamp) -> Result<Option<f64>, PrometheusError> {
        judge::feature_value(&self.client.query(query, at).await?)
    }

    /// The arrival rate of the slots that end at `from`, `from + slot`, … up to `to`; gaps are missing.
    ///
    /// Each is evaluated a little after its end, as the live features are: a range must not begin at a scrape. One request
    /// for every [`MOST_POINTS`] slots, one after the other. `slot` is the scrape interval unless a coarser view is enough.
    ///
    /// # Errors
    /// If any of the requests fails: half a history would look like a quiet night.
    pub async fn read_history(
        &self,
        from: Timestamp,
        to: Timestamp,
        slot: Span,
    ) -> Result<Vec<PastSlot>, PrometheusError> {
        let offset = evaluation_offset(self.queries.scrape_interval);
        let grid = Grid::between(from + offset, to + offset, slot);
        let query = &self.queries.features[Feature::HttpRequestsTotalRate as usize];
        let mut slots = Vec::with_capacity(grid.count);
        for chunk in grid.chunks(MOST_POINTS) {
            let answer = self.client.query_range(query, &chunk).await?;
            slots.extend(judge::past_slots(&chunk, offset, &answer)?);
        }
        Ok(slots)
    }
}

/// How long after the end of a slot it is evaluated: as long as the operator takes to notice a sample, at most.
fn evaluation_offset(scrape_interval: Span) -> Span {
    let quarter = scrape_interval / 4;
    quarter.min(Span::from_millis(500)).max(Span::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_evaluated_within_its_interval() {
        for (interval_ms, offset_ms) in [(15_000, 500), (2_000, 500), (1_000, 250), (3, 1)] {
            assert_eq!(evaluation_offset(Span::from_millis(interval_ms)), Span::from_millis(offset_ms));
        }
    }

    #[test]
    fn settings_come_from_the_spec() {
        let spec = serde_json::json!({
            "targetRef": { "name": "web" }, "maxReplicas": 9, "slo": { "waitMilliseconds": 1_000 },
            "metrics": { "url": "http://p:9090", "scrapeIntervalSeconds": 5, "staleAfterSeconds": 20 },
        });
        let settings = ReaderSettings::of(&serde_json::from_value(spec).unwrap(), "shop");
        assert_eq!((settings.scrape_interval, settings.stale_after), (Span::from_secs(5), Span::from_secs(20)));
        let filled = settings.template.fill("$namespace $pods $range $wait").unwrap();
        assert_eq!(filled, "shop web-[0-9a-z]{1,10}-[0-9a-z]{5} 10s 1");
    }
}
