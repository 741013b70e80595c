//! Places of boxes in layers: longest path from the clients, few crossings by barycentres, straight lines where there is room.
//!
//! Sugiyama, Tagawa & Toda, "Methods for visual understanding of hierarchical system structures" (1981): a line over several
//! layers gets a stand-in in each layer between, so that it runs between the boxes. Within a layer, distances are kept while all
//! move as little as possible from the mean of their neighbours. A cycle, which a scenario cannot have, costs beauty only.

use super::super::scene::Point;
use super::super::spread::spread;

/// Calls between two boxes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) calls: u64,
    pub(super) failed: u64,
}

/// Sizes of boxes and gaps: along the layers' order, and across it.
pub(super) struct Sizes {
    pub(super) along: f64,
    pub(super) across: f64,
    pub(super) between: f64,
    pub(super) apart: f64,
}

/// Room of a line that passes a layer.
const LANE: f64 = 14.0;
const SWEEPS: usize = 12;

/// The layer of every box: the longest path to it. Box 0 is the clients; what nobody calls stands beside what they call.
pub(super) fn layers(boxes: usize, links: &[Link]) -> Vec<usize> {
    let mut layers = vec![1; boxes];
    layers[0] = 0;
    // More rounds than boxes could only follow a cycle.
    for _ in 0..boxes {
        let before = layers.clone();
        for link in links.iter().filter(|link| link.from != link.to && link.to != 0) {
            layers[link.to] = layers[link.to].max(layers[link.from] + 1).min(boxes);
        }
        if layers == before {
            break;
        }
    }
    layers
}

/// The places.
pub(super) struct Layout {
    /// Layer, centre across, and half the width across; boxes first, then stand-ins.
    layer: Vec<usize>,
    centre: Vec<f64>,
    half: Vec<f64>,
    /// Per link: its box, stand-ins, box.
    routes: Vec<Vec<usize>>,
    /// Per link: where across its boxes it leaves and arrives.
    ports: Vec<(f64, f64)>,
    sizes: (f64, f64),
    depth: usize,
    boxes: usize,
}

impl Layout {
    pub(super) fn of(boxes: usize, links: &[Link], sizes: &Sizes) -> Self {
        let mut layer = layers(boxes, links);
        let mut half = vec![sizes.across / 2.0; boxes];
        let mut routes = Vec::with_capacity(links.len());
        for link in links {
            let mut route = vec![link.from];
            for between in layer[link.from] + 1..layer[link.to] {
                route.push(layer.len());
                layer.push(between);
                half.push(LANE / 2.0);
            }
            route.push(link.to);
            routes.push(route);
        }
        let depth = layer.iter().max().map_or(0, |last| last + 1);
        let neighbours = neighbours(&layer, &routes);
        let order = ordered(&layer, &neighbours, depth);
        let centre = centres(&order, &neighbours, (&half, sizes.apart));
        let mut layout = Self {
            layer,
            centre,
            half,
            routes,
            ports: vec![(0.0, 0.0); links.len()],
            sizes: (sizes.along, sizes.between),
            depth,
            boxes,
        };
        layout.ports();
        layout
    }

    /// Length along the layers, and across them.
    pub(super) fn extent(&self) -> (f64, f64) {
        let layers = crate::stats::count(self.depth);
        let across = self.centre.iter().zip(&self.half).map(|(centre, half)| centre + half).fold(0.0, f64::max);
        (layers * self.sizes.0 + (layers - 1.0).max(0.0) * self.sizes.1, across)
    }

    fn start(&self, id: usize) -> f64 {
        crate::stats::count(self.layer[id]) * (self.sizes.0 + self.sizes.1)
    }

    /// Upper left corner of a box, along and across.
    pub(super) fn corner(&self, id: usize) -> Point {
        (self.start(id), self.centre[id] - self.half[id])
    }

    /// Lines leave and arrive beside each other, in the order of their other ends.
    fn ports(&mut self) {
        for id in 0..self.boxes {
            for leaves in [true, false] {
                let at = |route: &[usize]| {
                    if leaves { (route[0], route[1]) } else { (route[route.len() - 1], route[route.len() - 2]) }
                };
                let mut ends: Vec<(f64, usize)> = self
                    .routes
                    .iter()
                    .enumerate()
                    .filter(|(_, route)| at(route).0 == id)
                    .map(|(link, route)| (self.centre[at(route).1], link))
                    .collect();
                ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let gap = (1.5 * self.half[id] / crate::stats::count(ends.len())).min(16.0);
                let middle = crate::stats::count(ends.len().saturating_sub(1)) / 2.0;
                for (i, (_, link)) in ends.into_iter().enumerate() {
                    let port = self.centre[id] + (crate::stats::count(i) - middle) * gap;
                    if leaves { self.ports[link].0 = port } else { self.ports[link].1 = port }
                }
            }
        }
    }

    /// The line of a link: curved between layers, straight past the boxes of a layer.
    pub(super) fn path(&self, link: usize) -> Vec<Point> {
        let route = &self.routes[link];
        let (leaves, arrives) = self.ports[link];
        let mut path = Vec::new();
        let mut at = (self.start(route[0]) + self.sizes.0, leaves);
        for (i, stop) in route.iter().enumerate().skip(1) {
            let last = i + 1 == route.len();
            let to = (self.start(*stop), if last { arrives } else { self.centre[*stop] });
            curve(&mut path, at, to);
            at = (to.0 + self.sizes.0, to.1);
        }
        path
    }
}

/// A smooth step: level at both ends.
fn curve(path: &mut Vec<Point>, from: Point, to: Point) {
    const PIECES: u32 = 16;
    for k in 0..=PIECES {
        let s = f64::from(k) / f64::from(PIECES);
        let bend = s * s * (3.0 - 2.0 * s);
        path.push((from.0 + (to.0 - from.0) * s, from.1 + (to.1 - from.1) * bend));
    }
}

/// Per box or stand-in: its neighbours in the layer before, and in that after.
type Neighbours = Vec<[Vec<usize>; 2]>;

fn neighbours(layer: &[usize], routes: &[Vec<usize>]) -> Neighbours {
    let mut neighbours: Neighbours = vec![[Vec::new(), Vec::new()]; layer.len()];
    for pair in routes.iter().flat_map(|route| route.windows(2)) {
        if layer[pair[0]] + 1 == layer[pair[1]] {
            neighbours[pair[0]][1].push(pair[1]);
            neighbours[pair[1]][0].push(pair[0]);
        }
    }
    neighbours
}

/// The order within each layer with the fewest crossings met in some sweeps to and fro.
fn ordered(layer: &[usize], neighbours: &Neighbours, depth: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); depth];
    for (id, layer) in layer.iter().enumerate() {
        order[*layer].push(id);
    }
    let mut best = (crossings(&order, neighbours), order.clone());
    for sweep in 0..SWEEPS {
        let forth = sweep % 2 == 0;
        let steps: Vec<usize> = if forth { (1..depth).collect() } else { (0..depth.saturating_sub(1)).rev().collect() };
        for at in steps {
            let fixed = places(&order[if forth { at - 1 } else { at + 1 }], layer.len());
            let own = places(&order[at], layer.len());
            let wish = |id: &usize| mean(&neighbours[*id][usize::from(!forth)], &fixed).unwrap_or(own[*id]);
            order[at].sort_by(|a, b| wish(a).total_cmp(&wish(b)).then(own[*a].total_cmp(&own[*b])));
        }
        let now = crossings(&order, neighbours);
        if now < best.0 {
            best = (now, order.clone());
        }
    }
    best.1
}

/// Position of each member of a layer, by id.
fn places(order: &[usize], ids: usize) -> Vec<f64> {
    let mut places = vec![0.0; ids];
    for (place, id) in order.iter().enumerate() {
        places[*id] = crate::stats::count(place);
    }
    places
}

fn mean(ids: &[usize], places: &[f64]) -> Option<f64> {
    let sum: f64 = ids.iter().map(|id| places[*id]).sum();
    (!ids.is_empty()).then(|| sum / crate::stats::count(ids.len()))
}

fn crossings(order: &[Vec<usize>], neighbours: &Neighbours) -> usize {
    let mut found = 0;
    for pair in order.windows(2) {
        let next = places(&pair[1], neighbours.len());
        let ends: Vec<Vec<f64>> =
            pair[0].iter().map(|id| neighbours[*id][1].iter().map(|to| next[*to]).collect()).collect();
        for (i, a) in ends.iter().enumerate() {
            for b in &ends[i + 1..] {
                found += a.iter().flat_map(|x| b.iter().map(move |y| usize::from(x > y))).sum::<usize>();
            }
        }
    }
    found
}

/// Centres across: first packed, then drawn towards their neighbours, to and fro.
fn centres(order: &[Vec<usize>], neighbours: &Neighbours, (half, apart): (&[f64], f64)) -> Vec<f64> {
    let gaps =
        |layer: &[usize]| -> Vec<f64> { layer.windows(2).map(|pair| half[pair[0]] + half[pair[1]] + apart).collect() };
    let mut centre = vec![0.0; half.len()];
    for layer in order {
        let packed = spread(&vec![0.0; layer.len()], &gaps(layer));
        layer.iter().zip(packed).for_each(|(id, place)| centre[*id] = place);
    }
    for sweep in 0..SWEEPS {
        let side = sweep % 2;
        let indices: Vec<usize> = if side == 0 { (0..order.len()).collect() } else { (0..order.len()).rev().collect() };
        for at in indices {
            let wish = |id: &usize| {
                let [before, after] = &neighbours[*id];
                let ids = if side == 0 { before } else { after };
                mean(ids, &centre)
                    .or_else(|| mean(if side == 0 { after } else { before }, &centre))
                    .unwrap_or(centre[*id])
            };
            let wished: Vec<f64> = order[at].iter().map(wish).collect();
            let placed = spread(&wished, &gaps(&order[at]));
            order[at].iter().zip(placed).for_each(|(id, place)| centre[*id] = place);
        }
    }
    let low = centre.iter().zip(half).map(|(centre, half)| centre - half).fold(f64::INFINITY, f64::min);
    centre.into_iter().map(|centre| centre - low).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { along: 100.0, across: 60.0, between: 40.0, apart: 10.0 };

    fn links(pairs: &[(usize, usize)]) -> Vec<Link> {
        pairs.iter().map(|(from, to)| Link { from: *from, to: *to, calls: 1, failed: 0 }).collect()
    }

    #[test]
    fn layers_are_longest_paths_and_cycles_end() {
        let shop = links(&[(0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (1, 4)]);
        assert_eq!(layers(5, &shop), [0, 1, 2, 3, 4]);
        assert_eq!(layers(4, &links(&[(0, 1), (2, 3)])), [0, 1, 1, 2], "what nobody calls stands in the first layer");
        let round = layers(3, &links(&[(0, 1), (1, 2), (2, 1), (2, 2), (1, 0)]));
        assert!(round.iter().all(|layer| *layer <= 3), "{round:?}");
    }

    /// Two callers and two callees, given crosswise: one swap removes the crossing.
    #[test]
    fn crossings_are_swapped_away() {
        let links = links(&[(0, 1), (0, 2), (1, 4), (2, 3)]);
        let layout = Layout::of(5, &links, &SIZES);
        let upper = layout.centre[1] < layout.centre[2];
        assert_eq!(upper, layout.centre[4] < layout.centre[3]);
        assert_eq!(layout.centre[1], layout.centre[4], "straight lines");
    }

    /// Boxes of a layer keep apart, and lines over several layers pass between boxes.
    #[test]
    fn boxes_and_passing_lines_keep_apart() {
        let mut pairs = vec![(0, 1)];
        for s in 2..31_usize {
            pairs.push((1 + (s * 7) % (s - 1), s));
            pairs.push((1 + (s * 3) % (s - 1), s));
        }
        let links = links(&pairs);
        let layout = Layout::of(31, &links, &SIZES);
        for a in 0..31 {
            for b in a + 1..31 {
                let apart = (layout.centre[a] - layout.centre[b]).abs();
                assert!(layout.layer[a] != layout.layer[b] || apart >= 70.0 - 1e-9, "{a} {b}: {apart}");
            }
        }
        for (i, link) in links.iter().enumerate() {
            for (along, across) in layout.path(i) {
                for id in (0..31).filter(|id| *id != link.from && *id != link.to) {
                    let (left, top) = layout.corner(id);
                    let within = left < along && along < left + 100.0 && top < across && across < top + 60.0;
                    assert!(!within, "the line {} to {} runs under {id}", link.from, link.to);
                }
            }
        }
    }

    #[test]
    fn one_service_stands_beside_the_clients() {
        let layout = Layout::of(2, &links(&[(0, 1)]), &SIZES);
        assert_eq!(layout.extent(), (240.0, 60.0));
        assert_eq!((layout.corner(0), layout.corner(1)), ((0.0, 0.0), (140.0, 0.0)));
    }
}
