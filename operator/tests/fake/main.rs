//! The operator as it runs, against an API server and a Prometheus that fail on demand, in this process.
//!
//! The second rung of the ladder: below it the reconciler alone, above it a real control plane. Nothing here asserts how long
//! something took but for the pauses and deadlines that are promised; everything else is waited for.

#![expect(
    clippy::unwrap_used,
    reason = "an integration test: what the functions beside the tests unwrap is a failure too"
)]

mod acting;
mod api;
mod bundles;
mod failing;
mod hostile;
mod lasting;
mod leading;
mod metrics;
mod prometheus;
mod schedule;
mod stage;
mod stopping;
mod store;
mod watching;

mod play {
    crate::schedule::scenarios! {
        acting: enforce_scales, shadow_watches, a_minimum_is_raised_and_given_back_through_conflicts,
            a_target_that_goes_and_comes_back, a_policy_that_goes_in_the_middle_of_a_cycle;
        bundles: broken_ones_leave_the_fallback_in_charge, the_last_good_one_goes_on_deciding;
        failing: scale_that_cannot_be_read, scale_that_cannot_be_written, status_that_cannot_be_written,
            a_server_that_asks_for_time_gets_it, a_write_whose_answer_is_lost_is_not_repeated,
            events_that_are_refused;
        hostile: specs_that_pass_the_schema, a_workload_of_two_billion_replicas, addresses_with_passwords;
        lasting: a_settled_object_is_not_written_to;
        leading: one_of_two_acts_and_the_other_takes_over, a_stolen_lease_ends_writing, a_lease_that_cannot_be_renewed_runs_out;
        metrics: every_way_of_having_none_is_told_apart, replicas_are_held_while_prometheus_is_away,
            a_prometheus_that_hangs_slows_nobody_else;
        stopping: the_log_is_whole_and_the_lease_is_free, a_stuck_request_does_not_keep_it;
        watching: a_refused_watch_is_tried_slowly, a_broken_pod_watch_loses_nothing, a_spec_changed_behind_a_broken_watch,
            a_list_that_hangs_is_given_up, a_watch_that_hangs_keeps_nobody_waiting, lists_that_come_in_pages, events_that_come_late;
    }
}
