//! The sponsor trees: who sponsors whom, and which network row says so.
//!
//! There are more network rows than agents, and a tree over n agents has fewer than n edges; so
//! [`EDGE_PERCENT`] percent of the network rows hold an edge (one per sponsored agent, in the order of
//! the agents), and in the others the sponsor, the downline agent or both are 0: that is where the
//! catalogue's 20-60 % of zeros in the two keys come from.
//!
//! The first agents, one in [`ROOT_EVERY`], have no sponsor. The sponsor of agent k is an agent of even
//! number in k/2 - 1 ..= k - 1: as it is always an earlier one, there is no cycle; the lower bound makes a
//! chain shrink by more than a quarter a hop, which keeps the depth under 40 at scale 1; and half of the
//! agents sponsor nobody, so that those who do have two to three agents each.
//!
//! Among the rows without an edge a few break the forest, as the field does; counted over those rows
//! (51,971 at scale 1): one in 6,000 repeats an edge, one in 12,000 is an edge from an agent to itself,
//! one in 40,000 closes a cycle of two with an edge of the forest, one in 60,000 a cycle of three. At
//! scale 1 they are 9, 4, 2 and 1. A cycle stays open where dirt (2.4 %) has taken one of its other edges.

use super::rng::{Purpose, hash, scale};

/// Of a hundred network rows so many hold an edge.
const EDGE_PERCENT: u64 = 40;
/// One agent in so many is a root.
const ROOT_EVERY: u64 = 200;

/// The forest over the agents, by index, and the network rows that hold its edges.
#[derive(Debug)]
pub(super) struct Tree {
    seed: u64,
    roots: u64,
    network_rows: u64,
    edges: u64,
}

/// What a network row says; agents by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The agent who sponsors, or `None` for 0.
    pub(super) sponsor: Option<u64>,
    /// The agent who is sponsored, or `None` for 0.
    pub(super) downline: Option<u64>,
    /// Whether the row is one of the few that break the forest; these are kept free of dirt.
    pub(super) odd: bool,
}

impl Tree {
    /// The forest over `agents` agents, held by `network_rows` rows.
    pub(super) fn new(seed: u64, agents: u64, network_rows: u64) -> Self {
        let roots = agents.div_ceil(ROOT_EVERY).max(1);
        let edges = (network_rows * EDGE_PERCENT / 100).min(agents.saturating_sub(roots));
        Self { seed, roots, network_rows, edges }
    }

    /// The sponsor of an agent, or `None` for a root.
    pub(super) fn sponsor(&self, agent: u64) -> Option<u64> {
        if agent < self.roots {
            return None;
        }
        let low = agent / 2;
        // `roots` is at least 1, so that agent > 0 and the range is not empty.
        Some((low + scale(hash(self.seed, Purpose::Sponsor, agent), agent - low)) & !1)
    }

    /// What the network row at `index` says.
    pub(super) fn link(&self, index: u64) -> Link {
        let edges_before = |index: u64| {
            (u128::from(index) * u128::from(self.edges) / u128::from(self.network_rows.max(1))) as u64
        };
        let (before, after) = (edges_before(index), edges_before(index + 1));
        let agent = self.roots + before;
        if after > before {
            return Link { sponsor: self.sponsor(agent), downline: Some(agent), odd: false };
        }
        let latest = agent.saturating_sub(1);
        self.odd(index - before, latest).unwrap_or_else(|| self.half(index, latest))
    }

    /// A row that breaks the forest near the edge that was held last.
    fn odd(&self, rank: u64, agent: u64) -> Option<Link> {
        let sponsor = self.sponsor(agent)?;
        let (from, to) = match (rank % 6_000, rank % 12_000, rank % 40_000, rank % 60_000) {
            (1_500, ..) => (sponsor, agent),
            (_, 4_000, ..) => (agent, agent),
            (.., 9_000, _) => (agent, sponsor),
            (.., 31_000) => (agent, self.sponsor(sponsor).unwrap_or(sponsor)),
            _ => return None,
        };
        Some(Link { sponsor: Some(from), downline: Some(to), odd: true })
    }

    /// A row without an edge: of twelve, six lack the sponsor, four the downline agent, two both.
    fn half(&self, index: u64, latest: u64) -> Link {
        let agent = Some(scale(hash(self.seed, Purpose::HalfLinkAgent, index), latest + 1));
        let (sponsor, downline) = match scale(hash(self.seed, Purpose::HalfLink, index), 12) {
            0..6 => (None, agent),
            6..10 => (agent, None),
            _ => (None, None),
        };
        Link { sponsor, downline, odd: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENTS: u64 = 37_041;
    const ROWS: u64 = 86_618;

    #[test]
    fn the_sponsors_form_trees_of_realistic_depth_and_fan_out() {
        let tree = Tree::new(1, AGENTS, ROWS);
        let mut children = vec![0_u32; AGENTS as usize];
        let mut roots = 0;
        let mut depths = Vec::new();
        for agent in 0..AGENTS {
            match tree.sponsor(agent) {
                Some(sponsor) => {
                    assert!(sponsor < agent);
                    children[sponsor as usize] += 1;
                }
                None => roots += 1,
            }
            depths.push(std::iter::successors(tree.sponsor(agent), |&next| tree.sponsor(next)).count());
        }
        assert_eq!(roots, 186);
        let deepest = depths.iter().max().copied().unwrap_or_default();
        assert!((15..=40).contains(&deepest), "{deepest}");
        let sponsors = children.iter().filter(|&&count| count > 0).count();
        let fan_out = (AGENTS - roots) as f64 / sponsors as f64;
        assert!((2.0..=3.2).contains(&fan_out), "{fan_out}");
    }

    #[test]
    fn each_edge_is_held_once_but_for_the_few_odd_rows() {
        let tree = Tree::new(1, AGENTS, ROWS);
        let links: Vec<Link> = (0..ROWS).map(|index| tree.link(index)).collect();
        let mut sponsored: Vec<u64> = links
            .iter()
            .filter(|link| !link.odd && link.sponsor.is_some())
            .filter_map(|link| link.downline)
            .collect();
        assert_eq!(sponsored.len(), 34_647);
        sponsored.sort_unstable();
        assert!(sponsored.windows(2).all(|pair| pair[0] < pair[1]));
        let odd: Vec<_> = links.iter().filter(|link| link.odd).collect();
        let loops = odd.iter().filter(|link| link.sponsor == link.downline).count();
        let repeats = odd
            .iter()
            .filter(|link| link.downline.and_then(|agent| tree.sponsor(agent)) == link.sponsor)
            .count();
        assert_eq!((odd.len(), loops, repeats), (16, 4, 9));
        let zeros =
            |none: fn(&Link) -> bool| links.iter().filter(|link| none(link)).count() * 100 / links.len();
        // 8 and 6 twelfths of the 60 % without an edge.
        assert!((39..=40).contains(&zeros(|link| link.sponsor.is_none())));
        assert!((29..=30).contains(&zeros(|link| link.downline.is_none())));
    }
}
