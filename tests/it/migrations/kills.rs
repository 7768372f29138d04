//! A kill or a fault at every write, before it, after its effect, after its answer and with its answer lost: what follows ends in the
//! same place on the way there, and restores everything on the way back.

use super::scene::{Scene, wanted};
use super::wire::{TROUBLES, Trouble};
use portolan::engine::migrations::PassEnd;
use portolan::engine::migrations::pass::pass;
use portolan::model::migration::Stage;
use portolan::ports::{MigrationRecord, StateStore as _};
use std::time::Duration;

/// Runs daemons until one is through.
pub(super) async fn survive(scene: &Scene, stage: Stage) -> PassEnd {
    for _ in 0..4 {
        let mover = scene.start();
        mover.supersede(wanted((scene.of)(stage)));
        let alive = async {
            for _ in 0..400 {
                match pass(&mover).await {
                    PassEnd::Blocked if scene.approve(&mover) => {}
                    end @ (PassEnd::Done | PassEnd::Blocked) => return end,
                    PassEnd::Waits => {
                        scene.tick.wait(30);
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    _ => tokio::task::yield_now().await,
                }
            }
            panic!("no end after 400 passes: {}", mover.record().message);
        };
        tokio::select! {
            biased;
            end = alive => return end,
            () = died(scene) => {}
        }
    }
    panic!("it dies again and again");
}

async fn died(scene: &Scene) {
    while !scene.wire.state().dead {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Goes from leg to leg. In each something befalls every write, and what follows has to end where the leg ends without.
///
/// Each write is met once, by one kind of trouble after the other, and those that take the journal's place away by every
/// kind; with `PORTOLAN_TEST_ALL_FAULTS=1` all are.
async fn every_write(mut here: Scene, legs: &[Stage], sampled: bool) -> Scene {
    let all = std::env::var_os("PORTOLAN_TEST_ALL_FAULTS").is_some();
    let mut runs = 0;
    for &leg in legs {
        let whole = here.fork();
        whole.go(leg).await;
        let writes = whole.wire.state().writes.clone();
        // At the end of the way back there is no journal to leave out.
        let seen = |scene: &Scene| match leg {
            Stage::Inventory => scene.target.snapshot(),
            _ => without_journal(scene.target.snapshot()),
        };
        let (source, target, account) = (whole.source.snapshot(), seen(&whole), whole.account.snapshot());
        for (site, write) in writes.iter().enumerate() {
            // Of a wave with state by default: what is written to AWS, and some of the rest, which the other tests meet.
            let some = !sampled || write.starts_with("aws ") || site % 4 == 0;
            if !(all || some) {
                continue;
            }
            let every = all || (write.starts_with("target delete ") && write.contains(" portolan"));
            let kinds = if every { TROUBLES.to_vec() } else { vec![TROUBLES[site % TROUBLES.len()]] };
            for trouble in kinds {
                let scene = here.fork();
                scene.wire.state().troubles.insert(site, trouble);
                let end = survive(&scene, leg).await;
                let at = format!("{trouble:?} at write {site} towards {leg}: {write}");
                assert_eq!(end, PassEnd::Done, "{at}");
                assert_eq!(scene.source.snapshot(), source, "{at}");
                assert_eq!(seen(&scene), target, "{at}");
                assert_eq!(scene.account.snapshot(), account, "{at}");
                if leg == Stage::Inventory {
                    assert_eq!(scene.account.state().snapshots.len(), 0, "{at}");
                }
                assert_eq!(scene.wire.state().doubles, Vec::<String>::new(), "{at}");
                runs += 1;
            }
        }
        println!("towards {leg}: {} writes, {runs} runs so far", writes.len());
        here = whole;
    }
    here
}

#[tokio::test(start_paused = true)]
async fn a_kill_or_a_fault_at_every_write_of_the_way_there_ends_in_the_same_place() {
    let legs = [Stage::Configure, Stage::Sync, Stage::HandOver, Stage::Soak];
    every_write(Scene::small(), &legs, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_or_a_fault_at_every_write_of_the_way_back_restores_everything() {
    let scene = Scene::small();
    let before = (scene.source.snapshot(), scene.target.snapshot());
    scene.go(Stage::Soak).await;
    let back = every_write(scene, &[Stage::Inventory], false).await;
    assert_eq!((back.source.snapshot(), back.target.snapshot()), before);
}

#[tokio::test(start_paused = true)]
async fn a_kill_or_a_fault_at_every_write_to_volumes_and_records_ends_in_the_same_place() {
    let legs = [Stage::Verify, Stage::HandOver, Stage::Soak];
    every_write(Scene::stateful(), &legs, true).await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_or_a_fault_at_every_write_of_the_way_back_of_volumes_and_records_restores_everything() {
    let scene = Scene::stateful();
    let before = (scene.source.snapshot(), scene.target.snapshot(), scene.account.snapshot());
    scene.go(Stage::Soak).await;
    let back = every_write(scene, &[Stage::Inventory], true).await;
    assert_eq!((back.source.snapshot(), back.target.snapshot(), back.account.snapshot()), before);
}

/// The journal's text depends on how often it was written.
pub(super) fn without_journal(
    mut objects: std::collections::BTreeMap<String, serde_json::Value>,
) -> std::collections::BTreeMap<String, serde_json::Value> {
    objects.retain(|name, _| !name.starts_with("Secret portolan/"));
    objects
}

#[tokio::test(start_paused = true)]
async fn what_was_proven_is_known_after_a_kill_between_the_proof_and_the_record() {
    let here = Scene::small();
    here.go(Stage::Sync).await;
    let whole = here.fork();
    let proofs = |record: MigrationRecord| -> Vec<(String, String)> {
        record.parts.into_iter().map(|part| (part.name, part.proof)).collect()
    };
    let proven = proofs(whole.go(Stage::Verify).await);
    assert!(proven.iter().all(|(_, proof)| proof.ends_with("objects equal")), "{proven:?}");
    let writes = whole.wire.state().writes.clone();
    for (site, write) in writes.iter().enumerate() {
        for trouble in [Trouble::DiesAfterEffect, Trouble::DiesAnswered] {
            let scene = here.fork();
            scene.wire.state().troubles.insert(site, trouble);
            assert_eq!(survive(&scene, Stage::Verify).await, PassEnd::Done, "{trouble:?} at {write}");
            let record = scene.store.migrations().await.unwrap().remove("move").unwrap().value;
            assert_eq!(proofs(record), proven, "{trouble:?} at {write}");
        }
    }
}
