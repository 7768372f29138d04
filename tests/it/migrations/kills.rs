//! A kill or a fault at every write, before it, after its effect and with its answer lost: what follows ends in the
//! same place, and a way back from there still restores everything.

use super::scene::{Scene, document, wanted};
use super::wire::TROUBLES;
use portolan::engine::migrations::PassEnd;
use portolan::engine::migrations::pass::pass;
use portolan::model::migration::Stage;
use std::time::Duration;

/// Runs daemons until one is through.
async fn survive(scene: &Scene, stage: Stage) -> PassEnd {
    for _ in 0..4 {
        let mover = scene.start();
        mover.supersede(wanted(document(stage)));
        let alive = async {
            for _ in 0..400 {
                match pass(&mover).await {
                    end @ (PassEnd::Done | PassEnd::Blocked) => return end,
                    PassEnd::Waits => tokio::time::sleep(Duration::from_millis(1)).await,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_or_a_fault_at_every_write_of_the_way_there_ends_in_the_same_place() {
    let (sites, source, target) = {
        let scene = Scene::new();
        scene.go(Stage::Soak).await;
        let sites = scene.wire.state().writes.len();
        (sites, scene.source.snapshot(), scene.target.snapshot())
    };
    for site in 0..sites {
        for trouble in TROUBLES {
            let scene = Scene::new();
            scene.wire.state().troubles.insert(site, trouble);
            let end = survive(&scene, Stage::Soak).await;
            let at = format!("{trouble:?} at write {site}: {:?}", scene.wire.state().writes.get(site));
            assert_eq!(end, PassEnd::Done, "{at}");
            assert_eq!(scene.source.snapshot(), source, "{at}");
            assert_eq!(without_journal(scene.target.snapshot()), without_journal(target.clone()), "{at}");
            assert_eq!(scene.wire.state().doubles, Vec::<String>::new(), "{at}");
        }
    }
    println!("{sites} sites, {} runs", sites * TROUBLES.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_or_a_fault_at_every_write_of_the_way_back_restores_everything() {
    let ready = || async {
        let scene = Scene::new();
        let before = (scene.source.snapshot(), scene.target.snapshot());
        scene.go(Stage::Soak).await;
        let writes = scene.wire.state().writes.len();
        (scene, before, writes)
    };
    let sites = {
        let (scene, _, begun) = ready().await;
        scene.go(Stage::Inventory).await;
        let writes = scene.wire.state().writes.len();
        writes - begun
    };
    for site in 0..sites {
        for trouble in TROUBLES {
            let (scene, (source, target), begun) = ready().await;
            scene.wire.state().troubles.insert(begun + site, trouble);
            let end = survive(&scene, Stage::Inventory).await;
            let at =
                format!("{trouble:?} at write {site}: {:?}", scene.wire.state().writes.get(begun + site));
            assert_eq!(end, PassEnd::Done, "{at}");
            assert_eq!(scene.source.snapshot(), source, "{at}");
            assert_eq!(scene.target.snapshot(), target, "{at}");
            assert_eq!(scene.wire.state().doubles, Vec::<String>::new(), "{at}");
        }
    }
    println!("{sites} sites, {} runs", sites * TROUBLES.len());
}

/// The journal's text depends on how often it was written.
fn without_journal(
    mut objects: std::collections::BTreeMap<String, serde_json::Value>,
) -> std::collections::BTreeMap<String, serde_json::Value> {
    objects.retain(|name, _| !name.starts_with("Secret portolan/"));
    objects
}
