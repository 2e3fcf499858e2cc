//! What the keys of a row have in common: who it is about, which rows it refers to, when it was made.

use super::Dirt;
use super::ids::Ids;
use super::recipe::Target;
use super::rng::{Purpose, RowRng, hash, scale};
use super::tree::{Link, Tree};
use super::words::{FIRST_NAMES, LAST_NAMES, PLACES, Place};

/// 2016-01-01, when the first rows were made, in milliseconds since 1970.
const FIRST_MS: i64 = 1_451_606_400_000;
/// The 3,560 days until the last ones were.
const SPAN_MS: u64 = 3_560 * 86_400_000;

/// The five tables, as far as a row of one refers to the others.
#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) dirt: Dirt,
    pub(super) users: Ids,
    pub(super) agents: Ids,
    pub(super) transactions: Ids,
    pub(super) participants: Ids,
    pub(super) network: Ids,
    pub(super) tree: Tree,
}

/// The table of a row, by its number in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Users,
    Agents,
    Transactions,
    Participants,
    Network,
}

/// A person's name; the number tells namesakes apart.
#[derive(Clone, Copy)]
pub(super) struct Person {
    pub(super) first: &'static str,
    pub(super) last: &'static str,
    pub(super) number: u64,
}

/// One row on its way to JSON; the rows that it refers to are indexes.
pub(super) struct Row<'a> {
    pub(super) world: &'a World,
    pub(super) rng: RowRng,
    pub(super) id: i64,
    pub(super) person: Person,
    pub(super) place: Place,
    pub(super) created_ms: i64,
    pub(super) link: Link,
    pub(super) agent: u64,
    table: Table,
    index: u64,
    user: u64,
    transaction: u64,
}

impl World {
    /// The ids of a table.
    pub(super) fn ids(&self, table: Table) -> &Ids {
        match table {
            Table::Users => &self.users,
            Table::Agents => &self.agents,
            Table::Transactions => &self.transactions,
            Table::Participants => &self.participants,
            Table::Network => &self.network,
        }
    }

    /// The name of an agent, the same in every row that names the agent.
    pub(super) fn agent_person(&self, agent: u64) -> Person {
        Person::from_bits(hash(self.seed, Purpose::Person, agent))
    }

    /// The user in whose account an agent stands; users are spread evenly over the agents.
    fn user_of(&self, agent: u64) -> u64 {
        ratio(agent, self.users.rows(), self.agents.rows()).0
    }

    /// The first agent of a user's account, who is the user: `user_of` leads back.
    fn agent_of(&self, user: u64) -> u64 {
        let (agent, rest) = ratio(user, self.agents.rows(), self.users.rows());
        agent + u64::from(rest > 0)
    }

    /// The transaction of a participant. Participants of a transaction stand together, an even share of
    /// them (12.8) give or take most of it: the border between two transactions is moved at random.
    fn transaction_of(&self, participant: u64) -> u64 {
        let (all, parts) = (self.participants.rows(), self.transactions.rows());
        let (transaction, rest) = ratio(participant, parts, all);
        let border = 25 + scale(hash(self.seed, Purpose::Cluster, transaction), 206);
        let after = u128::from(rest) * 256 >= u128::from(border) * u128::from(all);
        (transaction + u64::from(after)).min(parts.saturating_sub(1))
    }
}

/// `number * times / by` and the rest of the division; both 0 where `by` is.
fn ratio(number: u64, times: u64, by: u64) -> (u64, u64) {
    let product = u128::from(number) * u128::from(times);
    let by = u128::from(by.max(1));
    ((product / by) as u64, (product % by) as u64)
}

impl Person {
    /// The person that random bits stand for.
    pub(super) fn from_bits(bits: u64) -> Self {
        let first = scale(bits, FIRST_NAMES.len() as u64) as usize;
        let last = scale(bits.rotate_left(20), LAST_NAMES.len() as u64) as usize;
        // scale() is less than the length of the list, which is not empty.
        Self { first: FIRST_NAMES[first], last: LAST_NAMES[last], number: bits % 1000 }
    }
}

impl<'a> Row<'a> {
    /// The row at `index` of a table.
    pub(super) fn new(world: &'a World, table: Table, index: u64) -> Self {
        let mut rng = RowRng::new(world.seed, table as u64, index);
        let rows = world.ids(table).rows();
        let link = match table {
            Table::Network => world.tree.link(index),
            _ => Link { sponsor: None, downline: None, odd: false },
        };
        let any_agent =
            scale(hash(world.seed.wrapping_add(table as u64), Purpose::Owner, index), world.agents.rows());
        let agent = match table {
            Table::Users => world.agent_of(index),
            Table::Agents => index,
            Table::Transactions | Table::Participants => any_agent,
            // The owner of the network that the row is part of: two hops above the downline agent.
            Table::Network => {
                let above = link.sponsor.filter(|_| !link.odd).and_then(|agent| world.tree.sponsor(agent));
                above.or(link.sponsor).unwrap_or(any_agent)
            }
        };
        let person = match table {
            Table::Users | Table::Agents => world.agent_person(agent),
            Table::Network => world.agent_person(link.downline.unwrap_or(agent)),
            Table::Transactions | Table::Participants => Person::from_bits(rng.bits()),
        };
        let step_ms = SPAN_MS / rows.max(1);
        let created_ms = FIRST_MS + (ratio(index, SPAN_MS, rows).0 + rng.below(step_ms)) as i64;
        Self {
            id: world.ids(table).id(index),
            person,
            place: rng.pick(PLACES),
            created_ms,
            link,
            agent,
            table,
            index,
            user: if table == Table::Users { index } else { world.user_of(agent) },
            transaction: match table {
                Table::Transactions => index,
                Table::Participants => world.transaction_of(index),
                _ => 0,
            },
            world,
            rng,
        }
    }

    /// A time after the row was made, by up to 400 days.
    pub(super) fn later_ms(&mut self) -> i64 {
        self.created_ms + self.rng.below(400 * 86_400_000) as i64
    }

    /// The id that a reference holds; 0 where there is nothing to refer to.
    pub(super) fn reference(&mut self, target: Target) -> i64 {
        let world = self.world;
        let agent_id = |agent: Option<u64>| agent.map_or(0, |agent| world.agents.id(agent));
        match target {
            Target::Agent => agent_id(Some(self.agent)),
            Target::OtherAgent => agent_id(Some(self.rng.below(world.agents.rows()))),
            Target::Sponsor => agent_id(world.tree.sponsor(self.agent)),
            Target::User => world.users.id(self.user),
            Target::Transaction => world.transactions.id(self.transaction),
            Target::Own => self.id,
            Target::LinkSponsor => agent_id(self.link.sponsor),
            Target::LinkDownline => agent_id(self.link.downline),
            Target::Elsewhere(rows) => 1 + self.rng.below(u64::from(rows)) as i64,
        }
    }

    /// An id that no row of the referred table has.
    pub(super) fn dangling(&mut self, target: Target) -> i64 {
        let table = match target {
            Target::User => Table::Users,
            Target::Transaction => Table::Transactions,
            Target::Own => self.table,
            Target::Elsewhere(rows) => return i64::from(rows) + 1 + self.rng.below(1000) as i64,
            _ => Table::Agents,
        };
        let bits = self.rng.bits();
        self.world.ids(table).dangling(bits)
    }

    /// The bits of the uuid of a row, the same wherever it stands; of a new one without a target.
    pub(super) fn uuid_bits(&mut self, target: Option<Target>) -> (u64, u64) {
        let (table, index) = match target {
            Some(Target::Agent) => (Table::Agents, self.agent),
            Some(Target::LinkDownline) => (Table::Agents, self.link.downline.unwrap_or(self.agent)),
            Some(Target::Transaction) => (Table::Transactions, self.transaction),
            Some(Target::Own) => (self.table, self.index),
            _ => return (self.rng.bits(), self.rng.bits()),
        };
        let high = hash(self.world.seed.wrapping_add(table as u64), Purpose::Uuid, index);
        (high, hash(high, Purpose::Uuid, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World {
            seed: 3,
            dirt: Dirt::Field,
            users: Ids::new(1, 335, 708),
            agents: Ids::new(2, 37_041, 48_703),
            transactions: Ids::new(3, 55_023, 71_250),
            participants: Ids::new(4, 702_072, 918_340),
            network: Ids::new(5, 86_618, 103_117),
            tree: Tree::new(3, 37_041, 86_618),
        }
    }

    #[test]
    fn users_and_agents_refer_to_each_other() {
        let world = world();
        for user in 0..335 {
            assert_eq!(world.user_of(world.agent_of(user)), user);
        }
        assert_eq!(world.user_of(37_040), 334);
    }

    #[test]
    fn participants_stand_in_uneven_groups_that_cover_the_transactions() {
        let world = world();
        let mut sizes = vec![0_u32; 55_023];
        let mut last = 0;
        for participant in 0..702_072 {
            let transaction = world.transaction_of(participant);
            assert!(transaction >= last);
            last = transaction;
            sizes[transaction as usize] += 1;
        }
        assert!(sizes.iter().all(|&size| (1..=30).contains(&size)));
        assert!(sizes.iter().filter(|&&size| size < 8).count() > 1_000);
        assert!(sizes.iter().filter(|&&size| size > 18).count() > 1_000);
    }
}
