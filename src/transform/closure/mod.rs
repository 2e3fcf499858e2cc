//! The transitive closure of a forest of edges: one row for each ancestor and descendant.
//!
//! Edges that stand twice count once. An edge from a node to itself, and every edge on a cycle, is
//! rejected with the ids on the cycle; what remains has no cycle, and all of it is kept. Two nodes are
//! joined by the shortest chain, and among several of that length by the one whose ids are smallest,
//! read from the ancestor on: so the result does not depend on the order of the rows.
//!
//! The nodes on cycles are the strongly connected components of more than one node, found in
//! [`components`]. Each ancestor's descendants are found by a search in breadth of its own, so the ancestors are
//! shared out over the threads. [`delta`] finds what some changed edges change.
//!
//! Memory is counted: a node takes twenty bytes, an edge four, beside its five in [`Edges`]; the nodes are
//! numbered in the order of their ids, and found by a binary search.

mod components;
pub mod delta;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

pub use crate::fingerprint::edges::{Edge, Edges};

use crate::fingerprint::Damaged;

/// An edge that is in no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEdge {
    /// The edge.
    pub edge: Edge,
    /// The nodes of a cycle that it is on, from its parent along the edges back to it, the parent not
    /// repeated: one node for an edge to itself.
    pub cycle: Vec<i64>,
}

/// A forest, ready to be closed.
#[derive(Debug)]
pub struct Forest {
    /// Each node's id, ascending; a node's number is its place here.
    ids: Arc<[i64]>,
    /// Where the children of each node begin in `children`; one more at the end.
    starts: Vec<u32>,
    /// The children of all nodes, those of each ascending and each once; edges on cycles are among them.
    children: Vec<u32>,
    /// The number of the strongly connected component of each node: an edge inside one is on a cycle. That of a
    /// child in another component is lower.
    components: Vec<u32>,
}

/// One row of the closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The node above.
    pub ancestor: i64,
    /// The node below.
    pub descendant: i64,
    /// Hops from one to the other, at least 1.
    pub depth: u32,
    /// The ids from the ancestor to the descendant, both among them.
    pub path: &'a [i64],
}

impl Link<'_> {
    /// The link as the columns of a derived target read it, in the form that jsonb is printed in.
    pub fn document(&self) -> String {
        let mut document = String::new();
        self.write_document(&mut document);
        document
    }

    /// Appends [`document`](Self::document) to a text.
    pub fn write_document(&self, text: &mut String) {
        text.push_str("{\"path\": [");
        for (position, id) in self.path.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            // Writing to a String cannot fail, here and below.
            let _ = write!(text, "{separator}{id}");
        }
        let (depth, ancestor, descendant) = (self.depth, self.ancestor, self.descendant);
        let _ =
            write!(text, "], \"depth\": {depth}, \"ancestor\": {ancestor}, \"descendant\": {descendant}}}");
    }
}

impl Forest {
    /// Builds a forest of the good edges; returns the bad ones in the order of their rows.
    pub fn build(edges: &Edges) -> Result<(Self, Vec<BadEdge>), Damaged> {
        let forest = Self::of_nodes(nodes(&[edges])?, edges)?;
        let bad = forest.bad_edges(edges)?;
        Ok((forest, bad))
    }

    /// The forest of some edges, whose ends are among the nodes.
    fn of_nodes(ids: Arc<[i64]>, edges: &Edges) -> Result<Self, Damaged> {
        // Sorted edges as one number each: the parent's above, the child's below. Counted first, as a vector that
        // grows takes twice what it needs.
        let mut count = 0;
        edges.each(|_| count += 1)?;
        let mut pairs: Vec<u64> = Vec::with_capacity(count);
        let number = |id: i64| ids.binary_search(&id).unwrap_or_default() as u64;
        edges.each(|edge| {
            if edge.parent != edge.child {
                pairs.push(number(edge.parent) << 32 | number(edge.child));
            }
        })?;
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = Vec::with_capacity(ids.len() + 1);
        let mut children = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let (parent, child) = (pair >> 32, pair as u32);
            while starts.len() as u64 <= parent {
                starts.push(children.len() as u32);
            }
            children.push(child);
        }
        starts.resize(ids.len() + 1, children.len() as u32);
        let components = components::components(&starts, &children);
        Ok(Self { ids, starts, children, components })
    }

    /// The edges to the node itself and on a cycle, in the order of their rows.
    fn bad_edges(&self, edges: &Edges) -> Result<Vec<BadEdge>, Damaged> {
        let mut bad = Vec::new();
        let mut cycles: HashMap<(u32, u32), Vec<i64>> = HashMap::new();
        edges.each(|edge| {
            if edge.parent == edge.child {
                bad.push(BadEdge { edge, cycle: vec![edge.parent] });
                return;
            }
            let (Some(parent), Some(child)) = (self.number(edge.parent), self.number(edge.child)) else {
                return;
            };
            if self.is_on_cycle(parent, child) {
                let cycle = cycles.entry((parent, child)).or_insert_with(|| self.cycle(parent, child));
                bad.push(BadEdge { edge, cycle: cycle.clone() });
            }
        })?;
        bad.sort_by_key(|bad| (bad.edge.source_id, bad.edge));
        Ok(bad)
    }

    /// How many nodes there are; each may be an ancestor.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Calls `each` with the links below the node of an index in `0..len()`, in the order of the ids below; of
    /// all those links only the ones in a range of places.
    pub fn links_below(&self, node: usize, places: Range<usize>, mut each: impl FnMut(Link<'_>)) {
        let reached = self.reach(node, |_| true);
        // Nodes are numbered in the order of their ids. The first is the node itself.
        let mut order: Vec<usize> = (1..reached.len()).collect();
        order.sort_unstable_by_key(|&at| reached[at].0);
        let mut path = Vec::new();
        for &at in order.get(places.start..places.end.min(order.len())).unwrap_or_default() {
            each(self.link(&reached, at, &mut path));
        }
    }

    /// The links of which each node below satisfies `through`, in the order of depth and path.
    fn links_through(&self, node: usize, through: impl Fn(u32) -> bool, mut each: impl FnMut(Link<'_>)) {
        let reached = self.reach(node, through);
        let mut path = Vec::new();
        for at in 1..reached.len() {
            each(self.link(&reached, at, &mut path));
        }
    }

    /// The nodes below a node that satisfy `through`, behind the node itself, in the order of depth and path;
    /// each with the place of the one before it on the path.
    fn reach(&self, node: usize, through: impl Fn(u32) -> bool) -> Vec<(u32, u32)> {
        let mut reached: Vec<(u32, u32)> = vec![(node as u32, 0)];
        let mut seen: HashSet<u32> = HashSet::from([node as u32]);
        let mut next = 0;
        while let Some(&(from, _)) = reached.get(next as usize) {
            for child in self.good_children(from) {
                if through(child) && seen.insert(child) {
                    reached.push((child, next));
                }
            }
            next += 1;
        }
        reached
    }

    fn link<'p>(&self, reached: &[(u32, u32)], at: usize, path: &'p mut Vec<i64>) -> Link<'p> {
        self.path_to(reached, at, path);
        Link {
            ancestor: self.ids[reached[0].0 as usize],
            descendant: self.ids[reached[at].0 as usize],
            depth: (path.len() - 1) as u32,
            path,
        }
    }

    fn path_to(&self, reached: &[(u32, u32)], mut at: usize, path: &mut Vec<i64>) {
        path.clear();
        loop {
            let (node, before) = reached[at];
            path.push(self.ids[node as usize]);
            if at == 0 {
                break;
            }
            at = before as usize;
        }
        path.reverse();
    }

    fn number(&self, id: i64) -> Option<u32> {
        self.ids.binary_search(&id).ok().map(|number| number as u32)
    }

    fn is_on_cycle(&self, parent: u32, child: u32) -> bool {
        self.components[parent as usize] == self.components[child as usize]
    }

    /// The nodes below a node, ascending, those that a cycle leads to among them.
    fn children(&self, node: u32) -> &[u32] {
        &self.children[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }

    fn good_children(&self, node: u32) -> impl Iterator<Item = u32> {
        self.children(node).iter().copied().filter(move |&child| !self.is_on_cycle(node, child))
    }

    /// The shortest way from `child` back to `parent` inside their component, with `parent` in front.
    fn cycle(&self, parent: u32, child: u32) -> Vec<i64> {
        let mut before: HashMap<u32, u32> = HashMap::from([(child, child)]);
        let mut queue = VecDeque::from([child]);
        while let Some(node) = queue.pop_front() {
            if node == parent {
                break;
            }
            for &next in self.children(node) {
                if self.is_on_cycle(parent, next) && !before.contains_key(&next) {
                    before.insert(next, node);
                    queue.push_back(next);
                }
            }
        }
        // The component is strongly connected: the search has reached the parent.
        let mut way = Vec::new();
        let mut at = parent;
        while at != child {
            way.push(self.ids[at as usize]);
            at = before[&at];
        }
        way.push(self.ids[child as usize]);
        // From the parent to the child, and on along the edges.
        way[1..].reverse();
        way
    }
}

/// The ids of all nodes, ascending. Most ids stand often: they are sorted out as they come, so that no more
/// than about twice as many are held.
fn nodes(all: &[&Edges]) -> Result<Arc<[i64]>, Damaged> {
    const AT_LEAST: usize = 1 << 16;
    let mut ids: Vec<i64> = Vec::new();
    let mut limit = AT_LEAST;
    for edges in all {
        edges.each(|edge| {
            ids.extend([edge.parent, edge.child]);
            if ids.len() >= limit {
                ids.sort_unstable();
                ids.dedup();
                limit = 2 * ids.len() + AT_LEAST;
            }
        })?;
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids.into())
}

/// Some links: those below some nodes, or a part of those below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkChunk {
    /// The nodes above, by their index.
    pub nodes: Range<usize>,
    /// The places of the links below each, in the order of the ids below.
    pub places: Range<usize>,
}

/// How many links a chunk holds: their documents and rows are about half a mebibyte each.
const CHUNK_LINKS: usize = 4096;

/// How many nodes a chunk holds at most.
const CHUNK_NODES: usize = 32;

/// Shares nodes out, whose links nobody has counted: few together.
pub fn chunks_of_nodes(nodes: usize) -> Vec<LinkChunk> {
    let chunk = |from| LinkChunk { nodes: from..nodes.min(from + CHUNK_NODES), places: 0..usize::MAX };
    (0..nodes).step_by(CHUNK_NODES).map(chunk).collect()
}

impl Forest {
    /// Shares all links out. The search below a node that stands above thousands is made again for each of its
    /// chunks: that costs less than to hold what it finds.
    pub fn chunks(&self) -> Vec<LinkChunk> {
        let below = self.most_below();
        let mut chunks = Vec::new();
        let (mut from, mut links) = (0, 0);
        for (node, &below) in below.iter().enumerate() {
            let below = below as usize;
            if node > from && (links + below > CHUNK_LINKS || node - from == CHUNK_NODES) {
                chunks.push(LinkChunk { nodes: from..node, places: 0..usize::MAX });
                (from, links) = (node, 0);
            }
            links += below;
            if below > CHUNK_LINKS {
                let parts = (0..below).step_by(CHUNK_LINKS);
                chunks.extend(
                    parts.map(|at| LinkChunk { nodes: node..node + 1, places: at..at + CHUNK_LINKS }),
                );
                (from, links) = (node + 1, 0);
            }
        }
        if from < below.len() {
            chunks.push(LinkChunk { nodes: from..below.len(), places: 0..usize::MAX });
        }
        chunks
    }

    /// For each node, how many stand below it: exact in a forest, and else too many, but never more than there
    /// are.
    fn most_below(&self) -> Vec<u32> {
        let mut below = vec![0_u32; self.len()];
        for node in self.children_first() {
            let sum: u64 = self.good_children(node).map(|child| 1 + u64::from(below[child as usize])).sum();
            below[node as usize] = sum.min(self.len() as u64) as u32;
        }
        below
    }

    /// The nodes, each behind those below it: children stand in components of lower numbers.
    fn children_first(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_unstable_by_key(|&node| self.components[node as usize]);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn edges(pairs: &[(i64, i64)]) -> Edges {
        let mut edges = Edges::default();
        for (&(parent, child), source_id) in pairs.iter().zip(1..) {
            edges.push(Edge { parent, child, source_id });
        }
        edges
    }

    /// The closure as `ancestor-descendant:path`, sorted.
    pub(super) fn closure(pairs: &[(i64, i64)]) -> (Vec<String>, Vec<BadEdge>) {
        let (forest, bad) = Forest::build(&edges(pairs)).expect("good edges");
        let mut rows = Vec::new();
        for node in 0..forest.len() {
            forest.links_below(node, 0..usize::MAX, |link| {
                assert_eq!(link.depth as usize, link.path.len() - 1);
                rows.push(format!("{}-{}:{:?}", link.ancestor, link.descendant, link.path));
            });
        }
        rows.sort();
        (rows, bad)
    }

    #[test]
    fn a_tree_is_closed_and_edges_that_stand_twice_count_once() {
        let (rows, bad) = closure(&[(1, 2), (2, 3), (1, 4), (1, 2)]);
        assert_eq!(rows, ["1-2:[1, 2]", "1-3:[1, 2, 3]", "1-4:[1, 4]", "2-3:[2, 3]"]);
        assert_eq!(bad, []);
        assert!(Forest::build(&Edges::default()).expect("no edges").0.is_empty());
    }

    #[test]
    fn the_shortest_chain_wins_and_among_equals_the_one_of_the_smallest_ids() {
        let (rows, _) = closure(&[(1, 3), (1, 2), (3, 4), (2, 4), (4, 5), (1, 5)]);
        assert_eq!(
            rows,
            [
                "1-2:[1, 2]",
                "1-3:[1, 3]",
                "1-4:[1, 2, 4]",
                "1-5:[1, 5]",
                "2-4:[2, 4]",
                "2-5:[2, 4, 5]",
                "3-4:[3, 4]",
                "3-5:[3, 4, 5]",
                "4-5:[4, 5]"
            ]
        );
    }

    #[test]
    fn self_edges_and_cycles_are_rejected_with_their_ids_and_the_rest_still_loads() {
        // 1 → 2 → 3 → 4 → 2 is a cycle with a tail; 7 stands below itself.
        let (rows, bad) = closure(&[(1, 2), (2, 3), (3, 4), (4, 2), (4, 5), (7, 7), (7, 8)]);
        assert_eq!(rows, ["1-2:[1, 2]", "4-5:[4, 5]", "7-8:[7, 8]"]);
        let told: Vec<(i64, &[i64])> =
            bad.iter().map(|bad| (bad.edge.source_id, bad.cycle.as_slice())).collect();
        assert_eq!(told, [(2, &[2, 3, 4][..]), (3, &[3, 4, 2]), (4, &[4, 2, 3]), (6, &[7])]);
    }

    #[test]
    fn a_chain_as_long_as_a_table_needs_no_stack() {
        let chain: Vec<(i64, i64)> = (0..100_000).map(|id| (id, id + 1)).collect();
        let (forest, bad) = Forest::build(&edges(&chain)).expect("good edges");
        assert!(bad.is_empty());
        let mut depth = 0;
        forest.links_below(99_998, 0..usize::MAX, |link| depth = link.depth);
        assert_eq!(depth, 2);
    }

    #[test]
    fn chunks_hold_every_link_once_in_the_order_of_the_ids_and_none_too_many() {
        // A node above 10,000, a chain of 300 below the last of them, and 600 nodes above one each.
        let star = (1..=10_000).map(|id| (0, id));
        let chain = (10_000..10_300).map(|id| (id, id + 1));
        let pairs = (0..600).map(|n| (20_000 + 2 * n, 20_001 + 2 * n));
        let (forest, bad) =
            Forest::build(&edges(&star.chain(chain).chain(pairs).collect::<Vec<_>>())).expect("edges");
        assert!(bad.is_empty());
        let mut links = Vec::new();
        for chunk in forest.chunks() {
            let before = links.len();
            for node in chunk.nodes {
                forest.links_below(node, chunk.places.clone(), |link| {
                    links.push((link.ancestor, link.descendant))
                });
            }
            assert!(links.len() - before <= CHUNK_LINKS);
        }
        let chained = 300 * 301 / 2;
        assert_eq!(links.len(), 10_300 + chained + 600);
        assert!(links.is_sorted());
        links.dedup();
        assert_eq!(links.len(), 10_300 + chained + 600);
    }
}
