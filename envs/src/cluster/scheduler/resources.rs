//! Resources by dense id, and amounts of all of them at once: what filter and scores compute on instead of names.
//!
//! Invariants: an id is below [`RESOURCE_LIMIT`], because only [`ResourceNames`] makes ids. Amounts are whole: milli-CPU, bytes, and
//! pieces of extended resources.

use super::SchedulerError;

/// How many resources a cluster can have.
pub const RESOURCE_LIMIT: usize = 8;

/// The names of the resources that every node knows, in order of their ids.
const NATIVE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// A resource of a cluster; the same name has the same id as long as its [`ResourceNames`] live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceId(u8);

impl ResourceId {
    /// Milli-CPU.
    pub const CPU: Self = Self(0);
    /// Bytes of memory.
    pub const MEMORY: Self = Self(1);
    /// Bytes of local disk.
    pub const EPHEMERAL_STORAGE: Self = Self(2);

    /// All ids, in use or not, in ascending order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..RESOURCE_LIMIT as u8).map(Self)
    }

    /// Whether only pods that ask for it are concerned by it (GPUs and their kin).
    pub fn is_extended(self) -> bool {
        self.index() >= NATIVE.len()
    }

    pub(in crate::cluster) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The bit of this resource in a set of resources.
    pub(super) fn bit(self) -> u8 {
        1 << self.0
    }
}

/// The names of a cluster's resources, for input and output.
#[derive(Clone, Debug, Default)]
pub struct ResourceNames {
    extended: Vec<String>,
}

impl ResourceNames {
    /// The id of `name`, which is new or known.
    ///
    /// # Errors
    ///
    /// There is no room for another resource, or the name is none of an amount.
    pub fn intern(&mut self, name: &str) -> Result<ResourceId, SchedulerError> {
        if name.is_empty() || name == "pods" {
            return Err(SchedulerError::NotAnAmount { name: name.to_owned() });
        }
        let known = NATIVE.into_iter().chain(self.extended.iter().map(String::as_str)).position(|known| known == name);
        let index = known.unwrap_or(NATIVE.len() + self.extended.len());
        if index == RESOURCE_LIMIT {
            return Err(SchedulerError::TooManyResources { name: name.to_owned(), limit: RESOURCE_LIMIT });
        }
        if known.is_none() {
            self.extended.push(name.to_owned());
        }
        Ok(ResourceId(index as u8))
    }

    /// The name of `id`; `None` where it was interned elsewhere.
    pub fn name(&self, id: ResourceId) -> Option<&str> {
        let extended = || self.extended.get(id.index().checked_sub(NATIVE.len())?).map(String::as_str);
        NATIVE.get(id.index()).copied().or_else(extended)
    }
}

/// An amount of each resource, 0 where none was set. Sums stop at the greatest number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts([u64; RESOURCE_LIMIT]);

impl Amounts {
    /// The amount of `id`.
    pub fn get(&self, id: ResourceId) -> u64 {
        self.0[id.index()]
    }

    /// Sets the amount of `id`.
    pub fn set(&mut self, id: ResourceId, amount: u64) {
        self.0[id.index()] = amount;
    }

    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// What is left without `other`, at least 0.
    pub fn minus(&self, other: &Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    /// The greater of both, resource by resource.
    pub fn max(&self, other: &Self) -> Self {
        self.zip(other, u64::max)
    }

    fn zip(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|index| combine(self.0[index], other.0[index])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_ids_up_to_the_limit() {
        let mut names = ResourceNames::default();
        assert_eq!(names.intern("memory"), Ok(ResourceId::MEMORY));
        let ids: Vec<_> = ["a/a", "a/b", "a/c", "a/d", "a/e", "a/b"].map(|name| names.intern(name).unwrap()).to_vec();
        assert_eq!(ids.iter().map(|id| id.index()).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 4]);
        assert!(ids.iter().all(|id| id.is_extended()) && !ResourceId::EPHEMERAL_STORAGE.is_extended());
        assert_eq!(names.name(ids[1]), Some("a/b"));
        assert_eq!(names.name(ResourceId::CPU), Some("cpu"));
        assert_eq!(ResourceNames::default().name(ids[1]), None);
        let refused = names.intern("a/f").unwrap_err();
        assert_eq!(refused, SchedulerError::TooManyResources { name: "a/f".to_owned(), limit: 8 });
        assert_eq!(names.intern("a/b"), Ok(ids[1]), "a known name needs no room");
    }

    #[test]
    fn a_count_of_pods_and_nothing_are_no_resources() {
        for name in ["", "pods"] {
            let refused = ResourceNames::default().intern(name).unwrap_err();
            assert_eq!(refused, SchedulerError::NotAnAmount { name: name.to_owned() });
        }
    }
}
