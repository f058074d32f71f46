//! Which revision a request goes to: a split made ready for picking.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use mlops_core::deploy::TrafficSpec;
use mlops_core::id::{Address, RevisionName};

use super::counts::Counters;

/// A revision as the proxy sees it: its name, its addresses, its counts.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) revision: RevisionName,
    pub(super) counters: Arc<Counters>,
    addresses: Vec<Address>,
    next: AtomicUsize,
}

impl Target {
    /// The addresses to try, one after the other, beginning with the one whose turn it is.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Address> {
        let count = self.addresses.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        (0..count).map(move |step| &self.addresses[(first.wrapping_add(step)) % count])
    }
}

/// A split in effect. It never changes; another split is another table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) spec: TrafficSpec,
    /// Those with a share, each with it, in percent.
    shares: Vec<(u64, Arc<Target>)>,
    mirror: Option<(u64, Arc<Target>)>,
    turn: AtomicU64,
}

impl Table {
    /// `seed` makes the order of picks different from gateway to gateway.
    pub(super) fn new(
        spec: TrafficSpec,
        counters: &BTreeMap<RevisionName, Arc<Counters>>,
        seed: u64,
    ) -> Self {
        let target = |revision: &RevisionName| {
            let backend = spec.backends.get(revision);
            Arc::new(Target {
                revision: revision.clone(),
                counters: counters.get(revision).cloned().unwrap_or_default(),
                addresses: backend.map(|backend| backend.addresses.clone()).unwrap_or_default(),
                next: AtomicUsize::new(0),
            })
        };
        let shares = spec.split.iter();
        let shares = shares.map(|(name, share)| (u64::from(share.get()), target(name))).collect();
        let mirror = spec.mirror.as_ref();
        let mirror = mirror.map(|it| (u64::from(it.percent.get()), target(&it.revision)));
        Self { spec, shares, mirror, turn: AtomicU64::new(seed) }
    }

    /// The revision for a request. With a key, the same one for the same key; when shares change,
    /// only as many keys move as must (weighted rendezvous hashing).
    pub(super) fn pick(&self, key: Option<&[u8]>) -> Option<&Arc<Target>> {
        match key {
            Some(key) => self.shares.iter().max_by(|a, b| {
                let score = |(share, target): &(u64, Arc<Target>)| {
                    rendezvous(*share, key, target.revision.as_str())
                };
                score(a).total_cmp(&score(b))
            }),
            None => {
                let mut point = self.draw() % 100;
                self.shares.iter().find(|(share, _)| {
                    let here = point < *share;
                    point = point.saturating_sub(*share);
                    here
                })
            }
        }
        .map(|(_, target)| target)
    }

    /// Who else may answer when nobody of `asked` could even be reached.
    pub(super) fn other(&self, asked: &[RevisionName]) -> Option<&Arc<Target>> {
        let mut others = self.shares.iter().map(|(_, target)| target);
        others.find(|target| !asked.contains(&target.revision))
    }

    /// The revision that gets a copy of this request, if any does.
    pub(super) fn mirror(&self) -> Option<&Arc<Target>> {
        let (percent, target) = self.mirror.as_ref()?;
        (self.draw() % 100 < *percent).then_some(target)
    }

    /// A number that is evenly spread and different each time, without a lock.
    fn draw(&self) -> u64 {
        // Weyl sequence through SplitMix64's finaliser (Steele, Lea, Flood 2014).
        mix(self.turn.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)) >> 11
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights as in Schindelhauer and
/// Schomaker 2005): the largest `weight / -ln(u)` wins, `u` a uniform hash of key and name.
fn rendezvous(weight: u64, key: &[u8], name: &str) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes()).update(key).update(name.as_bytes());
    let bytes = hasher.finalize();
    let mut word = [0; 8];
    word.copy_from_slice(&bytes.as_bytes()[..8]);
    let uniform = ((u64::from_le_bytes(word) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    weight as f64 / -uniform.ln()
}

#[cfg(test)]
mod tests {
    use mlops_core::deploy::{Backend, Generation, Mirror, Percent, Split};

    use super::*;

    fn table(canary: u8) -> Table {
        let names = ["stable", "canary"].map(|name| RevisionName::new(name).unwrap());
        let backend = Backend { addresses: vec![Address::new("127.0.0.1:1").unwrap()] };
        let backends = names.clone().map(|name| (name, backend.clone()));
        let [stable, canary_name] = names;
        let split = Split::between(stable, canary_name.clone(), Percent::new(canary).unwrap());
        let endpoint = "flights".parse().unwrap();
        let spec = TrafficSpec::new(endpoint, Generation(1), split.unwrap(), backends.into());
        let mirror = Mirror { revision: canary_name, percent: Percent::new(30).unwrap() };
        Table::new(spec.unwrap().with_mirror(mirror).unwrap(), &BTreeMap::new(), 7)
    }

    fn picks_canary(table: &Table, key: Option<&[u8]>) -> bool {
        table.pick(key).unwrap().revision.as_str() == "canary"
    }

    /// Five standard deviations of a binomial share: false about once in two million seeds.
    fn close(hits: usize, of: usize, percent: u8) {
        let p = f64::from(percent) / 100.0;
        let (share, band) = (hits as f64 / of as f64, 5.0 * (p * (1.0 - p) / of as f64).sqrt());
        assert!((share - p).abs() <= band, "{share} for {p}");
    }

    #[test]
    fn picks_follow_the_split_within_the_binomial_bound_and_exactly_at_the_ends() {
        for percent in [0, 1, 10, 50, 99, 100] {
            let table = table(percent);
            let hits = (0..20_000).filter(|_| picks_canary(&table, None)).count();
            close(hits, 20_000, percent);
            let by_key = |i: &u32| picks_canary(&table, Some(&i.to_le_bytes()));
            close((0..20_000).filter(by_key).count(), 20_000, percent);
        }
        let table = table(0);
        close((0..20_000).filter(|_| table.mirror().is_some()).count(), 20_000, 30);
    }

    #[test]
    fn a_key_stays_until_its_share_moves_and_then_only_one_way() {
        let (ten, thirty) = (table(10), table(30));
        for i in 0..5_000_u32 {
            let key = i.to_le_bytes();
            assert_eq!(picks_canary(&ten, Some(&key)), picks_canary(&ten, Some(&key)));
            assert!(!picks_canary(&ten, Some(&key)) || picks_canary(&thirty, Some(&key)));
        }
    }
}
