//! What autoscalers and metrics know of the time before the start.

use super::*;
use crate::load::slot_rates;
use crate::world::past::Past;
use seatrial_core::rand::derive_seed;

/// Two sources at one service have luck of their own before the start as after it: the counts that serving would have drawn.
#[test]
fn sources_have_their_own_luck_before_the_start() {
    let source = json!({ "service": "web", "source": { "constant": { "rate_per_s": 0.0 } } });
    let tables = json!({ "services": { "web": web(1) }, "seed": 5, "traffic": [source, source] });
    let (spec, inputs) = scenario(&tables, &[20.0, 20.0]);
    let past = Past::new(&spec, &inputs).unwrap();
    let traffic = |source: usize| past.sources[source].as_ref().unwrap();
    let slots = |source: usize| (-40..0).map(|slot| traffic(source).realised(slot).unwrap()).collect::<Vec<_>>();
    assert_ne!(slots(0), slots(1));
    // The same bins as a load of their own, that begins where the past did.
    let load = EpisodeLoad::new(Timestamp::from_secs(-3_600), Span::from_secs(60), vec![20.0; 60], vec![]).unwrap();
    for (source, seed) in [(0, 5), (1, derive_seed(5, 1))] {
        let expected = slot_rates(&load, seed, Span::from_secs(15)).unwrap();
        assert_eq!(slots(source), expected[expected.len() - 40..], "source {source}");
    }
}

/// A lost scrape is lost for all that were scraped with it, before the start too.
#[test]
fn a_lost_scrape_takes_the_counts_of_all_sources() {
    let source = json!({ "service": "web", "source": { "constant": { "rate_per_s": 0.0 } } });
    let metrics = json!({ "lost_scrape_probability": 0.2 });
    let tables = json!({ "services": { "web": web(1) }, "seed": 5, "metrics": metrics, "traffic": [source, source] });
    let (spec, inputs) = scenario(&tables, &[20.0, 20.0]);
    let one_source = scenario(&json!({ "services": { "web": web(1) }, "seed": 5, "metrics": metrics }), &[20.0]);
    let missing = |(spec, inputs): &(ScenarioSpec, Inputs)| {
        let past = Past::new(spec, inputs).unwrap();
        let telemetry = Telemetry::new(&spec.metrics, 1, Timestamp::ZERO, spec.seed).unwrap();
        let slots = past.history(ServiceId(0), &spec.workload(&spec.services["web"]), &telemetry);
        slots.iter().map(|slot| slot.arrival_rate.is_none()).collect::<Vec<_>>()
    };
    let (one, two) = (missing(&one_source), missing(&(spec, inputs)));
    assert!(one.iter().filter(|is_missing| **is_missing).count() > 40, "{one:?}");
    assert_eq!(one, two);
}
