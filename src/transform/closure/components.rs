//! The strongly connected components of a graph (Tarjan, 1972), found without recursion: a chain may be as
//! long as the table.

const UNSEEN: u32 = u32::MAX;

/// The number of the component of each node. A component has a lower number than those that lead to it.
///
/// `starts` says where the children of each node begin in `children`, and has one more entry than there are
/// nodes.
pub(super) fn components(starts: &[u32], children: &[u32]) -> Vec<u32> {
    let nodes = starts.len() - 1;
    let mut order = vec![UNSEEN; nodes];
    let mut low = vec![0; nodes];
    let mut component = vec![UNSEEN; nodes];
    let (mut next_order, mut next_component) = (0, 0);
    let mut open: Vec<u32> = Vec::new();
    // The nodes that are being visited, and which child comes next.
    let mut visit: Vec<(u32, u32)> = Vec::new();
    for root in 0..nodes as u32 {
        if order[root as usize] != UNSEEN {
            continue;
        }
        visit.push((root, starts[root as usize]));
        while let Some((node, next)) = visit.last_mut() {
            let at = *node as usize;
            if order[at] == UNSEEN {
                order[at] = next_order;
                low[at] = next_order;
                next_order += 1;
                open.push(*node);
            }
            if *next < starts[at + 1] {
                let child = children[*next as usize] as usize;
                *next += 1;
                if order[child] == UNSEEN {
                    visit.push((child as u32, starts[child]));
                } else if component[child] == UNSEEN {
                    low[at] = low[at].min(order[child]);
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
