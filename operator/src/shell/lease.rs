//! Leader election by a Lease of `coordination.k8s.io`: 10 s long, renewed every 2 s.
//!
//! Times are those of this machine's monotonic clock, counted from before a renewal was sent: a holder that cannot renew stops
//! before anybody else may start. The other's lease is over when it has not changed for its duration as *seen here*, so that
//! clocks of machines need not agree (client-go's rule).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, Request};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use seatrial_core::control::error_class::{ErrorClass, Failure};

use super::api::Api;

/// How long a renewal holds.
pub const DURATION: Duration = Duration::from_secs(10);
/// Time between renewals, and between looks at another's lease.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);

/// Whether this operator leads, and until when. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<Mutex<Held>>);

#[derive(Clone, Copy, Debug)]
enum Held {
    /// Nobody else is there: an operator that was told not to elect.
    Always,
    Until(Option<Instant>),
}

impl Leadership {
    /// Leads without asking anybody: for one operator outside a cluster, and tests.
    #[must_use]
    pub fn always() -> Self {
        Self(Arc::new(Mutex::new(Held::Always)))
    }

    fn awaited() -> Self {
        Self(Arc::new(Mutex::new(Held::Until(None))))
    }

    /// Whether it surely leads for `span` from now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a lease is about the machine's own clock")]
    pub fn covers(&self, span: Duration) -> bool {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Held::Always => true,
            Held::Until(until) => until.is_some_and(|until| Instant::now() + span <= until),
        }
    }

    /// Whether it leads now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.covers(Duration::ZERO)
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Held::Until(until);
    }
}

/// Takes part in the election.
pub struct Candidate {
    api: Api,
    path: String,
    name: String,
    namespace: String,
    identity: String,
    leadership: Leadership,
    /// What was seen of another's lease, and when it was seen first.
    seen: Option<(LeaseSpec, Instant)>,
}

impl Candidate {
    /// A candidate for the lease `name` in `namespace`; `identity` differs between operators.
    #[must_use]
    pub fn new(api: Api, namespace: &str, name: &str, identity: String) -> Self {
        Self {
            api,
            path: format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            identity,
            leadership: Leadership::awaited(),
            seen: None,
        }
    }

    /// What the rest of the operator asks.
    #[must_use]
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Tries to lead, for ever.
    pub async fn run(mut self) {
        loop {
            self.round().await;
            tokio::time::sleep(RENEW_EVERY).await;
        }
    }

    /// Gives the lease back, so that another need not wait. A renewal that was under way may come between, so a conflict is met
    /// with a second look.
    pub async fn release(api: &Api, namespace: &str, name: &str, identity: &str) {
        let mut candidate = Self::new(api.clone(), namespace, name, identity.to_owned());
        for _ in 0..3 {
            let Ok(mut lease) = candidate.get().await else { return };
            let ours = |spec: &&mut LeaseSpec| spec.holder_identity.as_deref() == Some(identity);
            let Some(spec) = lease.spec.as_mut().filter(ours) else { return };
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            match candidate.put(&lease).await {
                Err(failure) if failure.class() == ErrorClass::Conflict => {}
                _ => return,
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a lease is about the machine's own clock")]
    async fn round(&mut self) {
        let begun = Instant::now();
        let held = self.leadership.is_held();
        match self.try_hold(begun).await {
            Ok(true) => {
                self.leadership.set(Some(begun + DURATION));
                if !held {
                    tracing::info!(identity = %self.identity, "leads");
                }
            }
            Ok(false) => {
                if held {
                    tracing::warn!(identity = %self.identity, "another operator leads now");
                }
                self.leadership.set(None);
            }
            // The lease that is held stays held until it runs out.
            Err(failure) => tracing::warn!(
                class = failure.class().label(),
                status = failure.status,
                "the lease could not be renewed"
            ),
        }
    }

    async fn try_hold(&mut self, now: Instant) -> Result<bool, Failure> {
        let mut lease = match self.get().await {
            Ok(lease) => lease,
            Err(failure) if failure.class() == ErrorClass::NotFound => return self.create().await,
            Err(failure) => return Err(failure),
        };
        let spec = lease.spec.clone().unwrap_or_default();
        if !self.may_take(&spec, now) {
            return Ok(false);
        }
        lease.spec = Some(self.spec(Some(&spec)));
        match self.put(&lease).await {
            Ok(()) => Ok(true),
            Err(failure) if failure.class() == ErrorClass::Conflict => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the lease is ours, nobody's, or has not changed for as long as it lasts.
    fn may_take(&mut self, spec: &LeaseSpec, now: Instant) -> bool {
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let since = match &self.seen {
            Some((seen, since)) if seen == spec => *since,
            _ => {
                self.seen = Some((spec.clone(), now));
                now
            }
        };
        let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
        now.duration_since(since) >= Duration::from_secs(seconds)
    }

    fn spec(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(
            k8s_openapi::jiff::Timestamp::from_microsecond(crate::clock::Clock::wall().micros()).unwrap_or_default(),
        );
        let ours = before.filter(|spec| spec.holder_identity.as_deref() == Some(&self.identity));
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: ours.and_then(|spec| spec.acquire_time.clone()).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(transitions + i32::from(ours.is_none() && before.is_some())),
            ..LeaseSpec::default()
        }
    }

    async fn get(&mut self) -> Result<Lease, Failure> {
        self.api.send(self.request(Method::GET, &format!("/{}", self.name), None)?).await
    }

    async fn put(&self, lease: &Lease) -> Result<(), Failure> {
        let request = self.request(Method::PUT, &format!("/{}", self.name), Some(lease))?;
        self.api.send::<Lease>(request).await.map(|_| ())
    }

    async fn create(&self) -> Result<bool, Failure> {
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            namespace: Some(self.namespace.clone()),
            ..ObjectMeta::default()
        };
        let lease = Lease { metadata, spec: Some(self.spec(None)) };
        match self.api.send::<Lease>(self.request(Method::POST, "", Some(&lease))?).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.class() == ErrorClass::Conflict => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn request(&self, method: Method, tail: &str, body: Option<&Lease>) -> Result<Request<Vec<u8>>, Failure> {
        let bytes = body.map(|lease| serde_json::to_vec(lease).unwrap_or_default()).unwrap_or_default();
        Request::builder()
            .method(method)
            .uri(format!("{}{tail}", self.path))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(bytes)
            .map_err(|_| Failure::answered(404, "NotFound"))
    }
}
