//! Sharing out on the broker: who gets what, given who wants what and had what.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::parts::Parts;

/// A way of sharing out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Assignor {
    /// As even as can be over all topics, with as little moved as that allows.
    Uniform,
    /// Of each topic a run of neighbours; the same of topics with as many partitions, so that what belongs together meets.
    Range,
}

impl Assignor {
    /// The one that is used when nobody asks for another.
    pub(crate) const DEFAULT: Assignor = Assignor::Uniform;

    pub(crate) fn parse(name: &str) -> Option<Assignor> {
        match name {
            "uniform" => Some(Assignor::Uniform),
            "range" => Some(Assignor::Range),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// Everyone's part.
    pub(crate) fn share_out(
        self,
        topics: &BTreeMap<Uuid, i32>,
        members: &BTreeMap<&str, Wish<'_>>,
    ) -> BTreeMap<String, Parts> {
        match self {
            Assignor::Uniform => uniform(topics, members),
            Assignor::Range => range(topics, members),
        }
    }
}

/// What a member wants and had.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    /// The topics that it wants, of those there are.
    pub(crate) topics: BTreeSet<Uuid>,
    /// What it was to have until now.
    pub(crate) before: &'a Parts,
    /// What orders it among the others: a static member stays where it is under a new id.
    pub(crate) order: &'a str,
}

fn range(
    topics: &BTreeMap<Uuid, i32>,
    members: &BTreeMap<&str, Wish<'_>>,
) -> BTreeMap<String, Parts> {
    let mut parts = nothing(members);
    for (topic, count) in topics {
        let wants = |(_, wish): &(&&str, &Wish<'_>)| wish.topics.contains(topic);
        let mut takers: Vec<_> = members.iter().filter(wants).collect();
        takers.sort_by_key(|(_, wish)| wish.order);
        let mut next = 0;
        for (index, (id, _)) in takers.iter().enumerate() {
            let takers = takers.len() as i32;
            let extra = i32::from((index as i32) < count % takers);
            let end = next + count / takers + extra;
            if let Some(own) = parts.get_mut(**id) {
                (next..end).for_each(|partition| {
                    own.insert(*topic, partition);
                });
            }
            next = end;
        }
    }
    parts
}

fn nothing(members: &BTreeMap<&str, Wish<'_>>) -> BTreeMap<String, Parts> {
    let empty = |id: &&str| ((*id).to_owned(), Parts::default());
    members.keys().map(empty).collect()
}

fn uniform(
    topics: &BTreeMap<Uuid, i32>,
    members: &BTreeMap<&str, Wish<'_>>,
) -> BTreeMap<String, Parts> {
    let mut sharing = Sharing::keeping(topics, members);
    sharing.give_out(topics);
    sharing.even_out();
    let own = |(id, parts): (&&str, Parts)| ((*id).to_owned(), parts);
    members.keys().zip(sharing.parts).map(own).collect()
}

/// A sharing that is being worked out; members are numbers in their order.
struct Sharing<'a> {
    wishes: Vec<&'a Wish<'a>>,
    parts: Vec<Parts>,
    /// Members by how much they have.
    loads: BTreeSet<(usize, usize)>,
}

impl<'a> Sharing<'a> {
    /// Everyone keeps what it had and may still have; of two who had the same, the first.
    fn keeping(topics: &BTreeMap<Uuid, i32>, members: &'a BTreeMap<&str, Wish<'_>>) -> Sharing<'a> {
        let wishes: Vec<&Wish<'_>> = members.values().collect();
        let mut taken = Parts::default();
        let mut parts = Vec::with_capacity(wishes.len());
        for wish in &wishes {
            let stays = |(topic, partition): &(Uuid, i32)| {
                wish.topics.contains(topic)
                    && topics.get(topic).is_some_and(|count| partition < count)
            };
            let before = wish.before.iter().filter(stays);
            parts.push(
                before
                    .filter(|(topic, partition)| taken.insert(*topic, *partition))
                    .collect::<Parts>(),
            );
        }
        let load = |(index, parts): (usize, &Parts)| (parts.len(), index);
        let loads = parts.iter().enumerate().map(load).collect();
        Sharing {
            wishes,
            parts,
            loads,
        }
    }

    /// What nobody has goes to whoever has least of those who want it.
    fn give_out(&mut self, topics: &BTreeMap<Uuid, i32>) {
        let taken: Parts = self.parts.iter().flat_map(Parts::iter).collect();
        for (topic, count) in topics {
            for partition in (0..*count).filter(|one| !taken.contains(*topic, *one)) {
                let least = self
                    .loads
                    .iter()
                    .find(|(_, member)| self.wants(*member, topic));
                if let Some((_, member)) = least.copied() {
                    self.give(member, *topic, partition);
                }
            }
        }
    }

    /// Moves one at a time from whoever has most, as long as somebody who wants it has two less. Every move makes the parts more even, so it ends.
    fn even_out(&mut self) {
        while let Some((from, to, (topic, partition))) = self.find_move() {
            self.loads.remove(&(self.parts[from].len(), from));
            self.parts[from].remove(topic, partition);
            self.loads.insert((self.parts[from].len(), from));
            self.give(to, topic, partition);
        }
    }

    fn find_move(&self) -> Option<(usize, usize, (Uuid, i32))> {
        let (least, _) = self.loads.first()?;
        for (most, from) in self.loads.iter().rev() {
            if *most < least + 2 {
                return None;
            }
            let fewer = self.loads.iter().take_while(|(load, _)| load + 2 <= *most);
            for (_, to) in fewer {
                let moves = self.parts[*from]
                    .iter()
                    .find(|(topic, _)| self.wants(*to, topic));
                if let Some(one) = moves {
                    return Some((*from, *to, one));
                }
            }
        }
        None
    }

    fn wants(&self, member: usize, topic: &Uuid) -> bool {
        self.wishes[member].topics.contains(topic)
    }

    fn give(&mut self, member: usize, topic: Uuid, partition: i32) {
        self.loads.remove(&(self.parts[member].len(), member));
        self.parts[member].insert(topic, partition);
        self.loads.insert((self.parts[member].len(), member));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagelog_testing::{Random, seed};

    fn topics(counts: &[i32]) -> BTreeMap<Uuid, i32> {
        let topic = |(index, count): (usize, &i32)| (Uuid::from_u128(index as u128), *count);
        counts.iter().enumerate().map(topic).collect()
    }

    fn all(topics: &BTreeMap<Uuid, i32>) -> BTreeSet<Uuid> {
        topics.keys().copied().collect()
    }

    /// Members `0` to `count - 1`, who had `before` and want everything.
    fn share(
        assignor: Assignor,
        topics: &BTreeMap<Uuid, i32>,
        count: usize,
        before: &BTreeMap<String, Parts>,
    ) -> BTreeMap<String, Parts> {
        let ids: Vec<String> = (0..count).map(|index| format!("{index:03}")).collect();
        let none = Parts::default();
        let wish = |id: &'_ String| Wish {
            topics: all(topics),
            before: before.get(id).unwrap_or(&none),
            order: "",
        };
        let members = ids.iter().map(|id| {
            let mut wish = wish(id);
            wish.order = id;
            (id.as_str(), wish)
        });
        assignor.share_out(topics, &members.collect())
    }

    /// Each partition is somebody's, and only one's.
    fn check(topics: &BTreeMap<Uuid, i32>, parts: &BTreeMap<String, Parts>) {
        let mut seen = Parts::default();
        for (topic, partition) in parts.values().flat_map(Parts::iter) {
            assert!(seen.insert(topic, partition), "given twice");
        }
        assert_eq!(seen.len() as i32, topics.values().sum::<i32>());
    }

    #[test]
    fn range_gives_neighbours_and_the_same_of_equal_topics() {
        let topics = topics(&[7, 7]);
        let parts = share(Assignor::Range, &topics, 3, &BTreeMap::new());
        check(&topics, &parts);
        let sizes: Vec<usize> = parts.values().map(Parts::len).collect();
        assert_eq!(sizes, [6, 4, 4]);
        for own in parts.values() {
            let of = |topic: u128| {
                let topic = Uuid::from_u128(topic);
                own.iter()
                    .filter(move |(one, _)| *one == topic)
                    .map(|(_, partition)| partition)
            };
            assert!(of(0).eq(of(1)));
        }
    }

    #[test]
    fn uniform_is_even_and_moves_no_more_than_it_must() {
        let topics = topics(&[5, 8, 1]);
        let mut before = BTreeMap::new();
        for count in [1, 2, 3, 7, 6, 20, 4, 1] {
            let parts = share(Assignor::Uniform, &topics, count, &before);
            check(&topics, &parts);
            let sizes: Vec<usize> = parts.values().map(Parts::len).collect();
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{sizes:?}");
            let kept: usize = parts
                .iter()
                .filter_map(|(id, own)| Some((before.get(id)?, own)))
                .map(|(before, own): (&Parts, &Parts)| {
                    before
                        .iter()
                        .filter(|(topic, one)| own.contains(*topic, *one))
                        .count()
                })
                .sum();
            // Whoever stays keeps what it had, up to its new share.
            let could: usize = parts
                .iter()
                .filter_map(|(id, own)| Some(before.get(id)?.len().min(own.len())))
                .sum();
            assert_eq!(kept, could);
            before = parts;
        }
    }

    #[test]
    fn wishes_are_kept_to_however_they_differ() {
        let mut random = Random::new(seed(848));
        for _ in 0..200 {
            let topics = topics(&[3, 1, 6, 4]);
            let ids: Vec<String> = (0..1 + random.below(6))
                .map(|index| index.to_string())
                .collect();
            let none = Parts::default();
            let members: BTreeMap<&str, Wish<'_>> = ids
                .iter()
                .map(|id| {
                    let wanted = topics.keys().copied().filter(|_| random.one_in(2));
                    let wish = Wish {
                        topics: wanted.collect(),
                        before: &none,
                        order: id,
                    };
                    (id.as_str(), wish)
                })
                .collect();
            for assignor in [Assignor::Uniform, Assignor::Range] {
                let parts = assignor.share_out(&topics, &members);
                let mut seen = Parts::default();
                for (id, own) in &parts {
                    for (topic, partition) in own.iter() {
                        assert!(members[id.as_str()].topics.contains(&topic));
                        assert!(seen.insert(topic, partition), "given twice");
                    }
                }
                for (topic, count) in &topics {
                    let is_wanted = members.values().any(|wish| wish.topics.contains(topic));
                    let given = (0..*count)
                        .filter(|one| seen.contains(*topic, *one))
                        .count() as i32;
                    assert_eq!(given, if is_wanted { *count } else { 0 });
                }
            }
        }
    }
}
