//! The shortest cycle of each knot.

use std::collections::VecDeque;

use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// Steps spent on making a cycle shorter. A search from each node of a knot
/// costs its square; behind this bound the shortest found so far is good enough.
const MAX_STEPS: usize = 1_000_000;

/// For each strongly connected component with a cycle, a shortest one, as node
/// indexes: each depends on the next, the last on the first. A cycle begins with
/// its smallest node; cycles are in the order of their first nodes.
pub(super) fn shortest_cycles(edges: &DiGraph<(), ()>) -> Vec<Vec<usize>> {
    let mut steps = 0;
    // Not Tarjan's: petgraph's recurses and overflows the stack on a long ring.
    let mut found: Vec<_> = kosaraju_scc(edges)
        .into_iter()
        .filter(|component| component.len() > 1)
        .filter_map(|mut component| {
            component.sort_unstable();
            shortest_in(edges, &component, &mut steps)
        })
        .collect();
    found.sort();
    found
}

fn shortest_in(
    edges: &DiGraph<(), ()>,
    component: &[NodeIndex],
    steps: &mut usize,
) -> Option<Vec<usize>> {
    let mut best: Option<Vec<usize>> = None;
    for start in component {
        let limit = best.as_ref().map_or(usize::MAX, Vec::len);
        if limit == 2 || (*steps > MAX_STEPS && best.is_some()) {
            break;
        }
        if let Some(cycle) = shortest_through(edges, component, *start, limit, steps) {
            best = Some(cycle);
        }
    }
    best.map(|cycle| rotated(&cycle))
}

/// A breadth-first search along the dependencies until `start` comes again, for
/// cycles shorter than `limit`.
fn shortest_through(
    edges: &DiGraph<(), ()>,
    component: &[NodeIndex],
    start: NodeIndex,
    limit: usize,
    steps: &mut usize,
) -> Option<Vec<usize>> {
    let inside = |node: NodeIndex| component.binary_search(&node).is_ok();
    let mut before = std::collections::BTreeMap::new();
    let mut queue = VecDeque::from([(start, 1)]);
    while let Some((node, length)) = queue.pop_front() {
        let mut next: Vec<_> =
            edges.neighbors_directed(node, Direction::Incoming).filter(|n| inside(*n)).collect();
        next.sort_unstable();
        for dependency in next {
            *steps += 1;
            if dependency == start {
                return Some(path_to(&before, start, node));
            }
            if length + 1 < limit && !before.contains_key(&dependency) {
                before.insert(dependency, node);
                queue.push_back((dependency, length + 1));
            }
        }
    }
    None
}

fn path_to(
    before: &std::collections::BTreeMap<NodeIndex, NodeIndex>,
    start: NodeIndex,
    end: NodeIndex,
) -> Vec<usize> {
    let mut path = vec![end.index()];
    let mut at = end;
    while at != start {
        let Some(previous) = before.get(&at) else { break };
        at = *previous;
        path.push(at.index());
    }
    path.reverse();
    path
}

fn rotated(cycle: &[usize]) -> Vec<usize> {
    let smallest = cycle.iter().enumerate().min_by_key(|(_, node)| **node);
    let at = smallest.map_or(0, |(at, _)| at);
    cycle[at..].iter().chain(&cycle[..at]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(a, b)`: a depends on b.
    fn cycles(nodes: usize, dependencies: &[(u32, u32)]) -> Vec<Vec<usize>> {
        let mut edges = DiGraph::new();
        for _ in 0..nodes {
            edges.add_node(());
        }
        for (dependent, dependency) in dependencies {
            edges.add_edge(NodeIndex::from(*dependency), NodeIndex::from(*dependent), ());
        }
        shortest_cycles(&edges)
    }

    #[test]
    fn each_knot_gives_its_shortest_cycle() {
        assert!(cycles(3, &[(1, 0), (2, 1)]).is_empty());
        assert_eq!(cycles(2, &[(0, 1), (1, 0)]), [[0, 1]]);
        assert_eq!(cycles(3, &[(0, 1), (1, 2), (2, 0)]), [[0, 1, 2]]);
        // A long way round and a short cut.
        assert_eq!(cycles(4, &[(0, 1), (1, 2), (2, 3), (3, 0), (3, 2)]), [[2, 3]]);
        // Two knots.
        assert_eq!(cycles(5, &[(0, 1), (1, 0), (2, 0), (3, 4), (4, 3)]), [[0, 1], [3, 4]]);
    }

    #[test]
    fn a_large_ring_is_found_in_bounded_time() {
        let ring: Vec<_> = (0..20_000).map(|at| (at, (at + 1) % 20_000)).collect();
        let found = cycles(20_000, &ring);
        assert_eq!((found.len(), found[0].len(), found[0][0]), (1, 20_000, 0));
    }
}
