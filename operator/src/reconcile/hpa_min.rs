//! Actuator `hpa-min`: the team's own HorizontalPodAutoscaler stays in charge, Seatrial only raises its `minReplicas`.
//!
//! The user's own minimum is remembered in an annotation of the autoscaler itself, beside the value that was written last. So a
//! restarted operator knows both, and a minimum that is not the one written was set by the user, who is right.
//!
//! Invariants: the minimum is never below the user's, never above the autoscaler's maximum; restoring gives back exactly what
//! the user had, an absent field included.

use serde::{Deserialize, Serialize};

use super::conversation::HpaMinWrite;

/// Annotation of the autoscaler that holds the user's minimum and the one written last.
pub const MARKER_ANNOTATION: &str = "seatrial.dev/hpa-min";
/// Finalizer of a policy that has raised a minimum.
pub const FINALIZER: &str = "seatrial.dev/restore-hpa-min";

/// What is known of an autoscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HpaFact {
    /// Its name.
    pub name: String,
    /// Its version.
    pub resource_version: Option<String>,
    /// `spec.minReplicas`; absent is 1.
    pub min_replicas: Option<i32>,
    /// `spec.maxReplicas`.
    pub max_replicas: i32,
    /// The annotation [`MARKER_ANNOTATION`], if it is there.
    pub marker: Option<String>,
}

/// The user's minimum, and ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    /// The minimum that the user had set; absent if there was none.
    user: Option<i32>,
    /// The minimum that was written last.
    written: i32,
}

impl HpaFact {
    fn marker(&self) -> Option<Marker> {
        serde_json::from_str(self.marker.as_deref()?).ok()
    }

    /// The minimum that the user set.
    fn users(&self) -> Option<i32> {
        match self.marker() {
            Some(marker) if self.min_replicas == Some(marker.written) => marker.user,
            _ => self.min_replicas,
        }
    }

    /// The write that makes `replicas` the minimum, as far as user and maximum allow; `None` if it is so already.
    #[must_use]
    pub fn raise(&self, replicas: u32) -> Option<HpaMinWrite> {
        let user = self.users();
        let wanted = i32::try_from(replicas).unwrap_or(i32::MAX).min(self.max_replicas).max(user.unwrap_or(1));
        let marker = Marker { user, written: wanted };
        if self.min_replicas.unwrap_or(1) == wanted && (self.marker() == Some(marker) || self.marker.is_none()) {
            return None;
        }
        Some(self.write(Some(wanted), serde_json::to_string(&marker).ok()))
    }

    /// The write that gives back what the user had; `None` if nothing was taken.
    #[must_use]
    pub fn restore(&self) -> Option<HpaMinWrite> {
        self.marker.as_ref()?;
        Some(self.write(self.users(), None))
    }

    fn write(&self, min_replicas: Option<i32>, marker: Option<String>) -> HpaMinWrite {
        HpaMinWrite { name: self.name.clone(), resource_version: self.resource_version.clone(), min_replicas, marker }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn autoscaler(min_replicas: Option<i32>) -> HpaFact {
        HpaFact { name: "web".into(), resource_version: Some("7".into()), min_replicas, max_replicas: 20, marker: None }
    }

    fn after(fact: &HpaFact, write: &HpaMinWrite) -> HpaFact {
        HpaFact { min_replicas: write.min_replicas, marker: write.marker.clone(), ..fact.clone() }
    }

    #[test]
    fn the_minimum_is_raised_within_the_users_limits_and_given_back() {
        for (users, wish, expected) in
            [(Some(3), 8, 8), (Some(3), 1, 3), (Some(3), 99, 20), (None, 8, 8), (None, 0, 1), (Some(3), 3, 3)]
        {
            let fact = autoscaler(users);
            let raised = fact.raise(wish).map_or_else(|| fact.clone(), |write| after(&fact, &write));
            assert_eq!(raised.min_replicas.unwrap_or(1), expected, "user {users:?}, wish {wish}");
            assert_eq!(raised.raise(wish), None, "a settled minimum is not written again");
            let restored = raised.restore().map_or_else(|| raised.clone(), |write| after(&raised, &write));
            assert_eq!((restored.min_replicas, restored.marker), (users, None));
        }
    }

    #[test]
    fn a_minimum_that_was_not_written_here_is_the_users_wish() {
        let fact = autoscaler(Some(3));
        let raised = after(&fact, &fact.raise(8).unwrap());
        let changed = HpaFact { min_replicas: Some(5), ..raised };
        let again = after(&changed, &changed.raise(4).unwrap());
        assert_eq!(again.min_replicas, Some(5), "never below the user's own minimum");
        assert_eq!(again.restore().unwrap().min_replicas, Some(5));
    }

    #[test]
    fn a_damaged_marker_counts_as_the_users_minimum() {
        let fact = HpaFact { marker: Some("{".into()), ..autoscaler(Some(4)) };
        assert_eq!(fact.restore().unwrap().min_replicas, Some(4));
        assert_eq!(fact.raise(2).unwrap().min_replicas, Some(4));
    }
}
