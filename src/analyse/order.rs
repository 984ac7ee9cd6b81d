//! Which dependencies the others bring along.

/// How many columns of the closure are made at a time, in words: few enough for the
/// rows of a large graph to stay in the processor's cache.
const WORDS: usize = 16;
const COLUMNS: usize = WORDS * u64::BITS as usize;

/// Which nodes of a block of [`COLUMNS`] are ancestors of one node.
type Row = [u64; WORDS];

/// For each node the first of its parents that comes behind this one, so that the
/// order it makes is there without it; `None` where it is needed.
///
/// `parents` holds earlier nodes only. All of the closure would have a bit for each
/// two nodes, and be gone through once for each edge anyway. So a block of columns is
/// made for all nodes, asked, and forgotten for the next: the same number of steps,
/// and memory in proportion to the nodes.
pub(super) fn implied(parents: &[Vec<usize>]) -> Vec<Vec<Option<usize>>> {
    let mut by: Vec<_> = parents.iter().map(|parents| vec![None; parents.len()]).collect();
    let mut rows = vec![[0; WORDS]; parents.len()];
    for first in (0..parents.len()).step_by(COLUMNS) {
        for node in first..parents.len() {
            let row = ancestors(&parents[node], (first, &rows));
            for (parent, by) in parents[node].iter().zip(&mut by[node]) {
                if contains(&row, first, *parent) {
                    // The rows of those before it may be left from another block.
                    let mut later = parents[node].iter().filter(|other| *other > parent);
                    *by = later.find(|other| contains(&rows[**other], first, *parent)).copied();
                }
            }
            rows[node] = parents[node].iter().fold(row, |row, parent| with(row, first, *parent));
        }
    }
    by
}

/// The ancestors of `parents` themselves. Before its block begins a node has none.
fn ancestors(parents: &[usize], (first, rows): (usize, &[Row])) -> Row {
    let mut row = [0; WORDS];
    for parent in parents.iter().filter(|parent| **parent >= first) {
        row.iter_mut().zip(&rows[*parent]).for_each(|(word, more)| *word |= more);
    }
    row
}

fn contains(row: &Row, first: usize, node: usize) -> bool {
    place(first, node).is_some_and(|(word, bit)| row[word] & bit != 0)
}

fn with(mut row: Row, first: usize, node: usize) -> Row {
    if let Some((word, bit)) = place(first, node) {
        row[word] |= bit;
    }
    row
}

/// Where in a row of the block that begins with `first` the bit of `node` is.
fn place(first: usize, node: usize) -> Option<(usize, u64)> {
    let column = node.checked_sub(first).filter(|column| *column < COLUMNS)?;
    Some((column / 64, 1 << (column % 64)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_parent_is_implied_by_one_that_comes_behind_it() {
        let parents = [vec![], vec![0], vec![1, 0], vec![0, 2, 1], vec![]];
        let expected =
            [vec![], vec![None], vec![None, Some(1)], vec![Some(2), None, Some(2)], vec![]];
        assert_eq!(implied(&parents), expected);
    }

    /// Each with its parents, of which some are near and some are far.
    fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
        let parents = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..4);
        prop::collection::vec(parents, 0..3 * COLUMNS).prop_map(|all| {
            let of_one = |(node, choices): (usize, Vec<(prop::sample::Index, bool)>)| {
                let choice = |(index, near): (prop::sample::Index, bool)| {
                    let from = if near { node.saturating_sub(5) } else { 0 };
                    from + index.index(node - from)
                };
                let some = choices.into_iter().filter(|_| node > 0);
                some.map(choice).collect::<BTreeSet<_>>().into_iter().collect()
            };
            all.into_iter().enumerate().map(of_one).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn it_says_what_the_whole_closure_says(parents in graphs()) {
            let mut closure: Vec<BTreeSet<usize>> = Vec::new();
            for (parents, found) in parents.iter().zip(implied(&parents)) {
                let through = |parent| parents.iter().copied().find(|it| closure[*it].contains(parent));
                prop_assert_eq!(parents.iter().map(through).collect::<Vec<_>>(), found);
                let above = parents.iter().flat_map(|parent| &closure[*parent]);
                closure.push(above.chain(parents).copied().collect());
            }
        }
    }
}
