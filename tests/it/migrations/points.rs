//! A fault and a kill at every distinct (stage, operation, kind) of a migration, AWS included, at every moment: before the
//! call, after its effect without an answer, after the answer before the journal. Resumed, it ends with the same proof
//! and the same objects; turned back instead, the source and the account are as they were, and the target is empty.
//! On the way back it is turned forward again.
//!
//! By default some of the points are met. `PORTOLAN_TEST_MIGRATION_POINTS=all` meets all of them, and 200 seeded random
//! writes, in minutes; a number meets that many, spread evenly.

use super::kills::without_journal;
use super::scene::{Scene, wanted};
use super::wire::{TROUBLES, Trouble};
use portolan::engine::migrations::pass::pass;
use portolan::engine::migrations::{Mover, PassEnd};
use portolan::model::migration::Stage;
use portolan::ports::StateStore as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

const FORWARD: [Stage; 6] =
    [Stage::Configure, Stage::Sync, Stage::Verify, Stage::HandOver, Stage::Shift, Stage::Soak];
/// Points that are met by default, of each course.
const SOME: usize = 24;
const RANDOM: usize = 200;

/// Both servers and the account, as their authors see them.
type Seen = (BTreeMap<String, Value>, BTreeMap<String, Value>, Value);

fn seen(scene: &Scene) -> Seen {
    (scene.source.snapshot(), without_journal(scene.target.snapshot()), scene.account.snapshot())
}

/// What the stages proved, part by part.
async fn proof(scene: &Scene) -> String {
    let record = scene.store.migrations().await.unwrap().remove("move").unwrap().value;
    record.parts.iter().map(|part| format!("{}: {}; ", part.name, part.proof)).collect()
}

/// A leg of the way.
struct Leg {
    /// As it is before.
    before: Scene,
    towards: Stage,
    /// The site of each of its writes.
    sites: Vec<String>,
}

/// A whole move, in which nothing goes wrong: there, back, and from the end of the way there to the last stage.
struct Course {
    legs: Vec<Leg>,
    first: Seen,
    end: Seen,
    proof: String,
    /// After the last stage.
    given: Seen,
}

impl Course {
    async fn of(mut here: Scene) -> Self {
        let first = seen(&here);
        let mut legs = Vec::new();
        for towards in FORWARD {
            let whole = here.fork();
            whole.go(towards).await;
            let sites = whole.wire.state().sites.clone();
            legs.push(Leg { before: here, towards, sites });
            here = whole;
        }
        let (end, proof) = (seen(&here), proof(&here).await);
        let (back, given) = (here.fork(), here.fork());
        for (towards, whole) in [(Stage::Inventory, &back), (Stage::Decommission, &given)] {
            whole.go(towards).await;
            let sites = whole.wire.state().sites.clone();
            legs.push(Leg { before: here.fork(), towards, sites });
        }
        assert_eq!(seen(&back), first, "back, nothing is left");
        Self { legs, first, end, proof, given: seen(&given) }
    }

    /// The first write of every distinct site, by leg.
    fn sites(&self) -> Vec<(usize, usize)> {
        let mut known = BTreeSet::new();
        let mut all = Vec::new();
        for (at, leg) in self.legs.iter().enumerate() {
            let writes = leg.sites.iter().enumerate();
            all.extend(writes.filter(|(_, site)| known.insert(*site)).map(|(write, _)| (at, write)));
        }
        all
    }

    /// The leg and the number in it of the nth write of the course.
    fn write(&self, mut number: usize) -> (usize, usize) {
        for (at, leg) in self.legs.iter().enumerate() {
            if number < leg.sites.len() {
                return (at, number);
            }
            number -= leg.sites.len();
        }
        unreachable!("beyond the last write")
    }

    fn writes(&self) -> usize {
        self.legs.iter().map(|leg| leg.sites.len()).sum()
    }

    /// Where somebody wants to go whom the trouble turned; nowhere from the last stage, which has no way back.
    fn turned(&self, leg: &Leg) -> Option<Stage> {
        match leg.towards {
            Stage::Decommission => None,
            Stage::Inventory => Some(Stage::Soak),
            _ => Some(Stage::Inventory),
        }
    }

    async fn meet(&self, point: &Point) {
        let leg = &self.legs[point.leg];
        let at = format!(
            "{:?} at write {} towards {} ({}), {}",
            point.trouble,
            point.write,
            leg.towards,
            leg.sites[point.write],
            if point.turns { "turned" } else { "resumed" }
        );
        let scene = leg.before.fork();
        scene.wire.state().troubles.insert(point.write, point.trouble);
        let turned = self.turned(leg).filter(|_| point.turns);
        let goal = turned.unwrap_or(match leg.towards {
            Stage::Inventory | Stage::Decommission => leg.towards,
            _ => Stage::Soak,
        });
        survive(&scene, leg.towards, goal, &at).await;
        assert!(scene.wire.state().fired, "{at}: nothing happened");
        assert_eq!(scene.wire.state().doubles, Vec::<String>::new(), "{at}");
        let wanted = match goal {
            Stage::Inventory => &self.first,
            Stage::Decommission => &self.given,
            _ => &self.end,
        };
        let now = seen(&scene);
        assert_eq!(now.0, wanted.0, "{at}: the source");
        assert_eq!(now.1, wanted.1, "{at}: the target");
        assert_eq!(now.2, wanted.2, "{at}: the account");
        match goal {
            Stage::Soak => assert_eq!(proof(&scene).await, self.proof, "{at}"),
            Stage::Inventory => assert_eq!(scene.account.state().snapshots.len(), 0, "{at}"),
            _ => {}
        }
    }

    fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for (leg, write) in self.sites() {
            for trouble in TROUBLES {
                for turns in [false, true] {
                    if !turns || self.turned(&self.legs[leg]).is_some() {
                        points.push(Point { leg, write, trouble, turns });
                    }
                }
            }
        }
        points
    }

    fn random(&self, seed: u64) -> Vec<Point> {
        let numbers = random(seed).map(|number| usize::try_from(number).unwrap());
        let point = |(place, number): (usize, usize)| {
            let (leg, write) = self.write(number % self.writes());
            let trouble = TROUBLES[place % TROUBLES.len()];
            Point { leg, write, trouble, turns: place % 2 == 0 && self.turned(&self.legs[leg]).is_some() }
        };
        numbers.take(RANDOM).enumerate().map(point).collect()
    }
}

/// What befalls a course.
#[derive(Clone, Copy)]
struct Point {
    leg: usize,
    write: usize,
    trouble: Trouble,
    /// Whether somebody wants to go elsewhere once it came.
    turns: bool,
}

/// Passes by daemons, one after the other, until one is through: towards the leg's stage until the trouble came, then to
/// the goal.
async fn survive(scene: &Scene, towards: Stage, goal: Stage, at: &str) {
    for _ in 0..4 {
        let mover = scene.start();
        let alive = async {
            let first = if scene.wire.state().fired { goal } else { towards };
            mover.supersede(wanted((scene.of)(first)));
            for _ in 0..600 {
                match pass(&mover).await {
                    PassEnd::Blocked if scene.approve(&mover) => {}
                    PassEnd::Blocked => panic!("{at}: {}", mover.record().message),
                    PassEnd::Done if scene.wire.state().fired && is_at(&mover, goal) => return,
                    PassEnd::Waits => {
                        scene.tick.wait(30);
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    _ => tokio::task::yield_now().await,
                }
                if scene.wire.state().fired {
                    mover.supersede(wanted((scene.of)(goal)));
                }
            }
            panic!("{at}: no end after 600 passes: {}", mover.record().message);
        };
        let died = async {
            while !scene.wire.state().dead {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            biased;
            () = alive => return,
            () = died => {}
        }
    }
    panic!("{at}: it dies again and again");
}

fn is_at(mover: &Arc<Mover>, goal: Stage) -> bool {
    mover.record().stage == goal
}

/// The numbers of a generator that is the same everywhere (Knuth's MMIX).
pub(super) fn random(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed), |state| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    })
    .skip(1)
    .map(|state| state >> 33)
}

/// So many of some things, spread evenly.
pub(super) fn spread<T: Clone>(all: &[T], some: usize) -> Vec<T> {
    let some = some.min(all.len());
    (0..some).map(|place| all[place * all.len() / some].clone()).collect()
}

async fn every_point(what: &str, scene: Scene) {
    let begun = Instant::now();
    let course = Course::of(scene).await;
    let sites = course.sites();
    let mut points = course.points();
    let all = (points.len(), RANDOM);
    points.extend(course.random(2026));
    let asked = std::env::var("PORTOLAN_TEST_MIGRATION_POINTS").ok();
    let points = match asked.as_deref() {
        Some("all") => points,
        Some(number) => spread(&points, number.parse().expect("`all` or a number")),
        None => spread(&points, SOME),
    };
    for point in &points {
        course.meet(point).await;
    }
    if asked.is_some() {
        for (leg, write) in &sites {
            println!("  {}", course.legs[*leg].sites[*write]);
        }
    }
    println!(
        "{what}: {} sites, {} writes; {} of {} points at sites and {} random ones were met in {:.1?}; {}",
        sites.len(),
        course.writes(),
        points.len(),
        all.0,
        all.1,
        begun.elapsed(),
        course.proof
    );
    assert!(sites.len() >= 40, "{} sites", sites.len());
}

#[tokio::test(start_paused = true)]
async fn a_wave_without_state_survives_at_every_site() {
    every_point("without state", Scene::new()).await;
}

#[tokio::test(start_paused = true)]
async fn a_wave_with_volumes_and_records_survives_at_every_site() {
    every_point("with volumes and records", Scene::stateful()).await;
}
