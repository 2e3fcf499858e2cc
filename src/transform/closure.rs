//! The transitive closure of a forest of edges: one row for each ancestor and descendant.
//!
//! Edges that stand twice count once. An edge from a node to itself, and every edge on a cycle, is
//! rejected with the ids on the cycle; what remains has no cycle, and all of it is kept. Two nodes are
//! joined by the shortest chain, and among several of that length by the one whose ids are smallest,
//! read from the ancestor on: so the result does not depend on the order of the rows.
//!
//! The nodes on cycles are the strongly connected components of more than one node (Tarjan, 1972), found
//! without recursion: a chain may be as long as the table. Each ancestor's descendants are found by a
//! search in breadth of its own, so the ancestors are shared out over the threads.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::ops::Range;

/// One edge, and the row that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The node above.
    pub parent: i64,
    /// The node below.
    pub child: i64,
    /// The row of the source.
    pub source_id: i64,
}

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
    /// Each node's id, ascending.
    ids: Vec<i64>,
    /// Each node's children, ascending.
    children: Vec<Vec<u32>>,
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
        let mut document = String::from("{\"path\": [");
        for (position, id) in self.path.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            // Writing to a String cannot fail, here and below.
            let _ = write!(document, "{separator}{id}");
        }
        let (depth, ancestor, descendant) = (self.depth, self.ancestor, self.descendant);
        let _ = write!(
            document,
            "], \"depth\": {depth}, \"ancestor\": {ancestor}, \"descendant\": {descendant}}}"
        );
        document
    }
}

impl Forest {
    /// Builds a forest of the good edges; returns the bad ones in the order of their rows.
    pub fn build(mut edges: Vec<Edge>) -> (Self, Vec<BadEdge>) {
        edges.sort_unstable();
        let mut ids: Vec<i64> = edges.iter().flat_map(|edge| [edge.parent, edge.child]).collect();
        ids.sort_unstable();
        ids.dedup();
        let numbers: HashMap<i64, u32> = ids.iter().zip(0..).map(|(&id, number)| (id, number)).collect();
        // Both ends of each edge are among the ids.
        let number = |id: i64| numbers[&id];
        let mut children = vec![Vec::new(); ids.len()];
        for edge in edges.iter().filter(|edge| edge.parent != edge.child) {
            children[number(edge.parent) as usize].push(number(edge.child));
        }
        for list in &mut children {
            // In the order of the ids, since the numbers are.
            list.sort_unstable();
            list.dedup();
        }
        let mut forest = Self { ids, children };
        let components = forest.components();
        let mut bad = Vec::new();
        let mut cycles: HashMap<(u32, u32), Vec<i64>> = HashMap::new();
        for &edge in &edges {
            let (parent, child) = (number(edge.parent), number(edge.child));
            if parent == child {
                bad.push(BadEdge { edge, cycle: vec![edge.parent] });
            } else if components[parent as usize] == components[child as usize] {
                let cycle =
                    cycles.entry((parent, child)).or_insert_with(|| forest.cycle(&components, parent, child));
                bad.push(BadEdge { edge, cycle: cycle.clone() });
            }
        }
        for (parent, list) in forest.children.iter_mut().enumerate() {
            list.retain(|&child| components[child as usize] != components[parent]);
        }
        bad.sort_by_key(|bad| bad.edge.source_id);
        (forest, bad)
    }

    /// How many nodes there are; each may be an ancestor.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Calls `each` with every link below the node of an index in `0..len()`, in the order of depth and
    /// path.
    pub fn links_below(&self, node: usize, mut each: impl FnMut(Link<'_>)) {
        // Each entry is a node, and the place of the one before it on the path.
        let mut reached: Vec<(u32, usize)> = vec![(node as u32, 0)];
        let mut seen: HashSet<u32> = HashSet::from([node as u32]);
        let mut path = Vec::new();
        let mut next = 0;
        while let Some(&(from, _)) = reached.get(next) {
            for &child in &self.children[from as usize] {
                if seen.insert(child) {
                    reached.push((child, next));
                    self.path_to(&reached, reached.len() - 1, &mut path);
                    each(Link {
                        ancestor: self.ids[node],
                        descendant: self.ids[child as usize],
                        depth: (path.len() - 1) as u32,
                        path: &path,
                    });
                }
            }
            next += 1;
        }
    }

    fn path_to(&self, reached: &[(u32, usize)], mut at: usize, path: &mut Vec<i64>) {
        path.clear();
        loop {
            let (node, before) = reached[at];
            path.push(self.ids[node as usize]);
            if at == 0 {
                break;
            }
            at = before;
        }
        path.reverse();
    }

    /// The shortest way from `child` back to `parent` inside their component, with `parent` in front.
    fn cycle(&self, components: &[u32], parent: u32, child: u32) -> Vec<i64> {
        let component = components[parent as usize];
        let mut before: HashMap<u32, u32> = HashMap::from([(child, child)]);
        let mut queue = VecDeque::from([child]);
        while let Some(node) = queue.pop_front() {
            if node == parent {
                break;
            }
            for &next in &self.children[node as usize] {
                if components[next as usize] == component && !before.contains_key(&next) {
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

    /// The number of the strongly connected component of each node.
    fn components(&self) -> Vec<u32> {
        const UNSEEN: u32 = u32::MAX;
        let mut order = vec![UNSEEN; self.len()];
        let mut low = vec![0; self.len()];
        let mut component = vec![UNSEEN; self.len()];
        let (mut next_order, mut next_component) = (0, 0);
        let mut open: Vec<u32> = Vec::new();
        // The nodes that are being visited, and which child comes next.
        let mut visit: Vec<(u32, usize)> = Vec::new();
        for root in 0..self.len() as u32 {
            if order[root as usize] != UNSEEN {
                continue;
            }
            visit.push((root, 0));
            while let Some((node, position)) = visit.last_mut() {
                let at = *node as usize;
                if *position == 0 {
                    order[at] = next_order;
                    low[at] = next_order;
                    next_order += 1;
                    open.push(*node);
                }
                if let Some(&child) = self.children[at].get(*position) {
                    *position += 1;
                    let child_at = child as usize;
                    if order[child_at] == UNSEEN {
                        visit.push((child, 0));
                    } else if component[child_at] == UNSEEN {
                        low[at] = low[at].min(order[child_at]);
                    }
                    continue;
                }
                let node = *node;
                visit.pop();
                if low[at] == order[at] {
                    while let Some(member) = open.pop() {
                        component[member as usize] = next_component;
                        if member == node {
                            break;
                        }
                    }
                    next_component += 1;
                }
                if let Some(&(above, _)) = visit.last() {
                    low[above as usize] = low[above as usize].min(low[at]);
                }
            }
        }
        component
    }
}

/// Shares `nodes` nodes out: few enough together that their links are a buffer of some mebibytes even
/// where one of them stands above thousands.
pub fn chunks(nodes: usize) -> impl Iterator<Item = Range<usize>> {
    const NODES: usize = 256;
    (0..nodes).step_by(NODES).map(move |from| from..nodes.min(from + NODES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(pairs: &[(i64, i64)]) -> Vec<Edge> {
        pairs.iter().zip(1..).map(|(&(parent, child), source_id)| Edge { parent, child, source_id }).collect()
    }

    /// The closure as `ancestor-descendant:path`, sorted.
    fn closure(pairs: &[(i64, i64)]) -> (Vec<String>, Vec<BadEdge>) {
        let (forest, bad) = Forest::build(edges(pairs));
        let mut rows = Vec::new();
        for node in 0..forest.len() {
            forest.links_below(node, |link| {
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
        assert!(Forest::build(Vec::new()).0.is_empty());
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
        let (forest, bad) = Forest::build(edges(&chain));
        assert!(bad.is_empty());
        let mut depth = 0;
        forest.links_below(99_998, |link| depth = link.depth);
        assert_eq!(depth, 2);
    }
}
