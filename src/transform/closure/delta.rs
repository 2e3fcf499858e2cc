//! What a closure gains and loses when some edges change, without closing all of it.
//!
//! The links to a node depend on the edges above it and on nothing else. So only nodes that can be reached
//! from the lower end of an edge that came or went, before or after, may have other links: the *affected* ones.
//! (By edges on cycles as well: an edge that closes a cycle, or opens one, makes others bad or good, but only
//! such as can be reached from it.) Their links are found from above, so that the choice among several chains
//! is that of the whole closure, but only through nodes that lead to an affected one.

use std::collections::HashMap;
use std::sync::Arc;

use super::{BadEdge, Edges, Forest, Link, nodes};
use crate::fingerprint::Damaged;

/// A closure before and after.
#[derive(Debug)]
pub struct Delta {
    old: Side,
    new: Side,
    affected: Vec<bool>,
    /// The nodes that stand above an affected one, before or after, ascending.
    ancestors: Vec<u32>,
}

#[derive(Debug)]
struct Side {
    forest: Forest,
    /// The nodes that are affected, or lead to one that is.
    leads: Vec<bool>,
}

impl Delta {
    /// Compares two sets of edges, of which the pairs `changed`, parent and child, stand in one alone. Returns
    /// the edges that are bad now, too, in the order of their rows.
    pub fn between(
        old: &Edges,
        new: &Edges,
        changed: &[(i64, i64)],
    ) -> Result<(Self, Vec<BadEdge>), Damaged> {
        let ids = nodes(&[old, new])?;
        let old = Forest::of_nodes(Arc::clone(&ids), old)?;
        let edges = new;
        let new = Forest::of_nodes(ids, edges)?;
        let affected = affected(&[&old, &new], changed);
        let (old, new) = (Side::of(old, &affected), Side::of(new, &affected));
        let above = |node: &u32| {
            let leads =
                |side: &Side| side.forest.good_children(*node).any(|child| side.leads[child as usize]);
            leads(&old) || leads(&new)
        };
        let ancestors = (0..affected.len() as u32).filter(above).collect();
        let bad = new.forest.bad_edges(edges)?;
        Ok((Self { old, new, affected, ancestors }, bad))
    }

    /// How many nodes stand above an affected one.
    pub fn len(&self) -> usize {
        self.ancestors.len()
    }

    /// Whether no link can have changed.
    pub fn is_empty(&self) -> bool {
        self.ancestors.is_empty()
    }

    /// Calls `come` with each link below the ancestor of an index in `0..len()` that is new or has another
    /// chain, and `gone` with each that is no longer there.
    pub fn links(&self, index: usize, mut come: impl FnMut(Link<'_>), mut gone: impl FnMut(Link<'_>)) {
        let node = self.ancestors[index] as usize;
        let mut before: HashMap<i64, Vec<i64>> = HashMap::new();
        self.affected_links(&self.old, node, |link| {
            before.insert(link.descendant, link.path.to_vec());
        });
        self.affected_links(&self.new, node, |link| {
            if before.remove(&link.descendant).is_none_or(|path| path != link.path) {
                come(link);
            }
        });
        for (descendant, path) in before {
            let (ancestor, depth) = (self.new.forest.ids[node], (path.len() - 1) as u32);
            gone(Link { ancestor, descendant, depth, path: &path });
        }
    }

    fn affected_links(&self, side: &Side, node: usize, mut each: impl FnMut(Link<'_>)) {
        let forest = &side.forest;
        forest.links_through(
            node,
            |child| side.leads[child as usize],
            |link| {
                if forest.number(link.descendant).is_some_and(|number| self.affected[number as usize]) {
                    each(link);
                }
            },
        );
    }
}

impl Side {
    fn of(forest: Forest, affected: &[bool]) -> Self {
        let mut leads = affected.to_vec();
        for node in forest.children_first() {
            let through = forest.good_children(node).any(|child| leads[child as usize]);
            leads[node as usize] |= through;
        }
        Self { forest, leads }
    }
}

/// The nodes that can be reached from the lower end of a changed pair, before or after.
fn affected(forests: &[&Forest; 2], changed: &[(i64, i64)]) -> Vec<bool> {
    let mut affected = vec![false; forests[0].len()];
    let mut open: Vec<u32> = changed.iter().filter_map(|&(_, child)| forests[0].number(child)).collect();
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut affected[node as usize], true) {
            open.extend(forests.iter().flat_map(|forest| forest.children(node)));
        }
    }
    affected
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::tests::{closure, edges};
    use super::*;

    type Pairs = Vec<(i64, i64)>;

    /// Checks the delta against two whole closures; returns how many ancestors it looked at.
    fn check(old: &Pairs, new: &Pairs) -> usize {
        let pairs = |all: &Pairs| all.iter().copied().collect::<BTreeSet<_>>();
        let changed: Pairs = pairs(old).symmetric_difference(&pairs(new)).copied().collect();
        let (delta, bad) = Delta::between(&edges(old), &edges(new), &changed).expect("good edges");
        let (mut come, mut gone) = (Vec::new(), Vec::new());
        for index in 0..delta.len() {
            let show = |link: Link<'_>| format!("{}-{}:{:?}", link.ancestor, link.descendant, link.path);
            delta.links(index, |link| come.push(show(link)), |link| gone.push(show(link)));
        }
        let (was, _) = closure(old);
        let (is, bad_now) = closure(new);
        assert_eq!(bad, bad_now);
        let set = |rows: &[String]| rows.iter().cloned().collect::<BTreeSet<_>>();
        let key = |row: &String| row.split(':').next().map(str::to_owned);
        let kept: BTreeSet<_> = is.iter().map(key).collect();
        assert_eq!(set(&come), &set(&is) - &set(&was), "{old:?} {new:?}");
        let lost = was.iter().filter(|row| !kept.contains(&key(row))).cloned().collect::<BTreeSet<_>>();
        assert_eq!(set(&gone), lost, "{old:?} {new:?}");
        assert_eq!((come.len(), gone.len()), (set(&come).len(), lost.len()), "each once");
        delta.len()
    }

    #[test]
    fn a_node_that_moves_takes_its_branch_along() {
        let old = vec![(1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (7, 8)];
        let new = vec![(1, 2), (5, 3), (3, 4), (1, 5), (5, 6), (7, 8)];
        // 1, 2, 3 and 5; 3 stands above 4, but that link is as it was.
        assert_eq!(check(&old, &new), 4);
        assert_eq!(check(&old, &old), 0);
    }

    #[test]
    fn an_edge_that_closes_a_cycle_takes_links_that_do_not_use_it() {
        // 1 → 2 → 1 is a cycle before; 3 → 1 makes 2 → 3 a part of one.
        check(&vec![(1, 2), (2, 1), (2, 3), (3, 4)], &vec![(1, 2), (2, 1), (2, 3), (3, 4), (3, 1)]);
        check(&vec![(1, 2), (2, 3), (3, 1), (3, 4)], &vec![(1, 2), (2, 3), (3, 4)]);
    }

    #[test]
    fn nodes_that_come_and_go_and_shorter_chains_are_found() {
        check(&vec![], &vec![(1, 2), (2, 3)]);
        check(&vec![(1, 2), (2, 3)], &vec![]);
        check(&vec![(1, 2), (2, 3), (3, 4)], &vec![(1, 2), (2, 3), (3, 4), (1, 4)]);
        check(&vec![(1, 3), (3, 4)], &vec![(1, 3), (3, 4), (1, 2), (2, 4)]);
    }

    fn graph() -> impl Strategy<Value = Pairs> {
        prop::collection::vec((0..12_i64, 0..12_i64), 0..16)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn any_change_of_any_graph_gives_what_two_whole_closures_differ_in(
            common in graph(), before in prop::collection::vec((0..12_i64, 0..12_i64), 0..4),
            after in prop::collection::vec((0..12_i64, 0..12_i64), 0..4),
        ) {
            check(&[common.clone(), before].concat(), &[common, after].concat());
        }
    }
}
