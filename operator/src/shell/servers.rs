//! The Prometheus servers that policies name: connections shared by all, a circuit for each namespace.
//!
//! A server that hangs holds a cycle for as long as a request may take, and cycles are limited; so after failures in a row it is
//! left alone for a while, and its policies hear at once what was wrong last. The circuit is a namespace's own: nobody can keep
//! a server from others by queries that it cannot answer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seatrial_core::control::circuit::{Admission, Circuit, CircuitConfig};
use seatrial_core::control::error_class::ErrorClass;
use seatrial_core::time::Span;

use super::hands::PrometheusLimits;
use crate::clock::Clock;
use crate::prometheus::{Client, ClientConfig};
use crate::reconcile::conditions::Reason;
use crate::reconcile::conversation::Problem;
use crate::scaling_policy::Metrics;

/// Most servers whose connections are kept, and most circuits.
const MOST_SERVERS: usize = 256;
const MOST_CIRCUITS: usize = 4_096;
/// A server that is back is noticed within a decision's time.
const CIRCUIT: CircuitConfig =
    CircuitConfig { failures: 5, rest: Span::from_secs(5), longest_rest: Span::from_secs(15) };

/// Address, token file, CA file.
type Place = (String, Option<String>, Option<String>);

/// See the module.
pub struct Servers {
    limits: PrometheusLimits,
    clients: Mutex<BTreeMap<Place, Client>>,
    circuits: Mutex<BTreeMap<(String, Place), Gate>>,
}

/// A circuit, and what was wrong last.
#[derive(Clone)]
pub struct Gate(Arc<Mutex<(Circuit, Option<Problem>)>>);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, (Circuit, Option<Problem>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to ask.
    ///
    /// # Errors
    /// With what was wrong last.
    pub fn admit(&self) -> Result<Admission, Problem> {
        let (circuit, last) = &mut *self.lock();
        circuit.admit(Clock::wall()).map_err(|_| {
            last.clone().unwrap_or_else(|| Problem::new(Reason::PrometheusUnavailable, "Prometheus did not answer"))
        })
    }

    /// What became of it. Only a server that does not answer is to blame.
    pub fn report(&self, admission: Admission, problem: Option<&Problem>) {
        let failed = problem.filter(|problem| problem.reason == Reason::PrometheusUnavailable);
        let (circuit, last) = &mut *self.lock();
        circuit.report(admission, failed.map(|_| ErrorClass::Timeout), Clock::wall());
        if failed.is_some() {
            *last = failed.cloned();
        }
    }
}

impl Servers {
    /// None yet.
    #[must_use]
    pub const fn new(limits: PrometheusLimits) -> Self {
        Self { limits, clients: Mutex::new(BTreeMap::new()), circuits: Mutex::new(BTreeMap::new()) }
    }

    /// A client of the server that `metrics` names.
    ///
    /// # Errors
    /// If its address cannot be used.
    pub fn client(&self, metrics: &Metrics) -> Result<Client, Problem> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let place = place(metrics);
        if let Some(client) = clients.get(&place) {
            return Ok(client.clone());
        }
        let config = ClientConfig {
            token_file: metrics.token_file.clone().map(PathBuf::from),
            ca_file: metrics.ca_file.clone().map(PathBuf::from),
            credentials_folder: self.limits.credentials_folder.clone(),
            timeout: self.limits.timeout,
            answer_limit_bytes: self.limits.answer_limit_bytes,
            concurrency: self.limits.concurrency,
            ..ClientConfig::new(metrics.url.clone())
        };
        let client = Client::new(config).map_err(|error| Problem::new(Reason::SpecRefused, error.to_string()))?;
        // Addresses come and go with policies; the connections of those in use are made again.
        if clients.len() >= MOST_SERVERS {
            clients.clear();
        }
        clients.insert(place, client.clone());
        Ok(client)
    }

    /// The circuit of `namespace` to the server that `metrics` names.
    #[must_use]
    pub fn gate(&self, namespace: &str, metrics: &Metrics) -> Option<Gate> {
        let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (namespace.to_owned(), place(metrics));
        if let Some(gate) = circuits.get(&place) {
            return Some(gate.clone());
        }
        if circuits.len() >= MOST_CIRCUITS {
            circuits.clear();
        }
        let gate = Gate(Arc::new(Mutex::new((Circuit::new(CIRCUIT).ok()?, None))));
        circuits.insert(place, gate.clone());
        Some(gate)
    }
}

fn place(metrics: &Metrics) -> Place {
    (metrics.url.clone(), metrics.token_file.clone(), metrics.ca_file.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> (Servers, Metrics) {
        let timeout = std::time::Duration::from_secs(1);
        let limits = PrometheusLimits { timeout, answer_limit_bytes: 1, concurrency: 1, credentials_folder: None };
        let metrics = serde_json::from_value(serde_json::json!({ "url": "http://p:9090" })).unwrap();
        (Servers::new(limits), metrics)
    }

    #[test]
    fn a_server_that_does_not_answer_is_left_alone_by_its_namespace() {
        let (servers, metrics) = servers();
        let gate = |namespace| servers.gate(namespace, &metrics).unwrap();
        let away = Problem::new(Reason::PrometheusUnavailable, "no answer within 5000 ms");
        for _ in 0..CIRCUIT.failures {
            let admission = gate("shop").admit().unwrap();
            gate("shop").report(admission, Some(&away));
        }
        assert_eq!(gate("shop").admit(), Err(away));
        assert!(gate("bank").admit().is_ok(), "another namespace asks for itself");
    }

    #[test]
    fn an_answer_that_is_no_number_is_an_answer() {
        let (servers, metrics) = servers();
        let gate = servers.gate("shop", &metrics).unwrap();
        let odd = Problem::new(Reason::NotOneNumber, "NaN");
        for _ in 0..20 {
            let admission = gate.admit().unwrap();
            gate.report(admission, Some(&odd));
        }
    }
}
