//! The arguments of the resource plugins, checked as `KubeSchedulerConfiguration` checks them: weights of resources, and the shape of
//! the ratio strategy.
//!
//! The shape is a broken line over whole percents, so it is kept as its 101 values.
//!
//! Source: `apis/config/validation/validation_pluginargs.go` and `plugins/helper/shape_score.go` of Kubernetes 1.34.

use super::SchedulerError;
use super::resources::{ResourceId, ResourceNames};

/// The greatest weight of a resource.
const MAX_WEIGHT: u64 = 100;
/// The greatest score of a shape's point.
const MAX_SHAPE_SCORE: u64 = 10;
/// What a score of the shape is worth on the scheduler's scale of 0 to 100.
const SCORES_PER_SHAPE_SCORE: i64 = 10;

/// The resources that a score looks at, in order, with their weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights(Vec<(ResourceId, u64)>);

impl Weights {
    /// Weights by name, 1 to 100 each; none stands for the default.
    ///
    /// # Errors
    ///
    /// A weight is out of range, a resource has two, or its name is refused.
    pub fn new(weights: &[(&str, u64)], names: &mut ResourceNames) -> Result<Self, SchedulerError> {
        if weights.is_empty() {
            return Ok(Self::default());
        }
        let mut checked: Vec<(ResourceId, u64)> = Vec::with_capacity(weights.len());
        for &(name, weight) in weights {
            let id = names.intern(name)?;
            if !(1..=MAX_WEIGHT).contains(&weight) {
                return Err(SchedulerError::Weight { resource: name.to_owned(), got: weight, max: MAX_WEIGHT });
            }
            if checked.iter().any(|&(known, _)| known == id) {
                return Err(SchedulerError::WeighedTwice { resource: name.to_owned() });
            }
            checked.push((id, weight));
        }
        Ok(Self(checked))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ResourceId, u64)> {
        self.0.iter().copied()
    }
}

impl Default for Weights {
    /// CPU and memory, alike.
    fn default() -> Self {
        Self(vec![(ResourceId::CPU, 1), (ResourceId::MEMORY, 1)])
    }
}

/// A point of the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapePoint {
    /// Percent of the node's capacity that is asked for, with the pod, 0 to 100.
    pub utilization: u64,
    /// What that is worth, 0 to 10.
    pub score: u64,
}

/// What each whole percent of utilisation is worth, 0 to 100.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape([u8; 101]);

impl Shape {
    /// The broken line through `points`, level before the first and after the last.
    ///
    /// # Errors
    ///
    /// There is no point, a value is out of range, or utilizations do not ascend.
    pub fn new(points: &[ShapePoint]) -> Result<Self, SchedulerError> {
        if points.is_empty() {
            return Err(SchedulerError::NoShape);
        }
        let mut least = 0;
        for (index, point) in points.iter().enumerate() {
            check(index, "utilization", point.utilization, (least, 100))?;
            check(index, "score", point.score, (0, MAX_SHAPE_SCORE))?;
            least = point.utilization + 1;
        }
        Ok(Self(std::array::from_fn(|percent| on_line(points, percent as i64) as u8)))
    }

    /// What `percent` is worth; more than 100 counts as 100.
    pub(super) fn at(&self, percent: u64) -> u64 {
        u64::from(self.0[percent.min(100) as usize])
    }
}

fn check(index: usize, key: &'static str, got: u64, (min, max): (u64, u64)) -> Result<(), SchedulerError> {
    if (min..=max).contains(&got) {
        return Ok(());
    }
    Err(SchedulerError::ShapePoint { index, key, got, min, max })
}

/// Divides toward zero, as the original does, also where the line falls.
fn on_line(points: &[ShapePoint], percent: i64) -> i64 {
    let place = |point: &ShapePoint| (point.utilization as i64, point.score as i64 * SCORES_PER_SHAPE_SCORE);
    let mut left: Option<(i64, i64)> = None;
    for (right_percent, right_score) in points.iter().map(place) {
        if percent <= right_percent {
            return left.map_or(right_score, |(left_percent, left_score)| {
                left_score + (right_score - left_score) * (percent - left_percent) / (right_percent - left_percent)
            });
        }
        left = Some((right_percent, right_score));
    }
    left.map_or(0, |(_, score)| score)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(points: &[(u64, u64)]) -> Result<Shape, SchedulerError> {
        let points: Vec<_> = points.iter().map(|&(utilization, score)| ShapePoint { utilization, score }).collect();
        Shape::new(&points)
    }

    #[test]
    fn the_line_is_level_outside_and_cut_toward_zero_inside() {
        let rising = shape(&[(20, 1), (80, 9)]).unwrap();
        assert_eq!(
            [0, 20, 21, 50, 79, 80, 100, 500].map(|percent| rising.at(percent)),
            [10, 10, 11, 50, 88, 90, 90, 90]
        );
        let falling = shape(&[(0, 10), (30, 0)]).unwrap();
        assert_eq!([0, 1, 29, 30].map(|percent| falling.at(percent)), [100, 97, 4, 0]);
        assert_eq!(shape(&[(50, 3)]).unwrap().at(70), 30);
    }

    #[test]
    fn shapes_out_of_range_or_order_are_refused() {
        assert_eq!(shape(&[]).unwrap_err(), SchedulerError::NoShape);
        let refused = |points: &[(u64, u64)]| shape(points).unwrap_err().to_string();
        assert_eq!(refused(&[(0, 0), (101, 1)]), "utilization of shape point 1 is 101; allowed is 1 to 100");
        assert_eq!(refused(&[(40, 0), (40, 1)]), "utilization of shape point 1 is 40; allowed is 41 to 100");
        assert_eq!(refused(&[(0, 11)]), "score of shape point 0 is 11; allowed is 0 to 10");
    }

    #[test]
    fn weights_out_of_range_or_given_twice_are_refused() {
        let weights = |weights: &[(&str, u64)]| Weights::new(weights, &mut ResourceNames::default());
        assert_eq!(weights(&[]), weights(&[("cpu", 1), ("memory", 1)]), "the default");
        for got in [0, 101] {
            let refused = weights(&[("cpu", got)]).unwrap_err().to_string();
            assert_eq!(refused, format!("weight of resource \"cpu\" is {got}; allowed is 1 to 100"));
        }
        let twice = weights(&[("cpu", 1), ("cpu", 2)]).unwrap_err();
        assert_eq!(twice, SchedulerError::WeighedTwice { resource: "cpu".to_owned() });
        assert!(matches!(weights(&[("pods", 1)]), Err(SchedulerError::NotAnAmount { .. })));
    }
}
