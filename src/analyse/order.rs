//! Who comes behind whom, as bits.

/// For each of a row of nodes, which of those before it are its ancestors.
#[derive(Debug)]
pub(super) struct Ancestors {
    words: usize,
    bits: Vec<u64>,
}

impl Ancestors {
    pub(super) fn new(nodes: usize) -> Self {
        let words = nodes.div_ceil(64);
        Self { words, bits: vec![0; words * nodes] }
    }

    pub(super) fn contains(&self, node: usize, ancestor: usize) -> bool {
        self.bits[node * self.words + ancestor / 64] & (1 << (ancestor % 64)) != 0
    }

    /// Makes `parent`, which stands before `node`, and its ancestors ancestors of
    /// `node`.
    pub(super) fn add(&mut self, node: usize, parent: usize) {
        let (before, row) = self.bits.split_at_mut(node * self.words);
        let parents = &before[parent * self.words..(parent + 1) * self.words];
        for (word, more) in row.iter_mut().zip(parents) {
            *word |= more;
        }
        row[parent / 64] |= 1 << (parent % 64);
    }
}
