//! A fault or a kill at every call, before it, after its effect and after its answer: what follows ends in one cluster,
//! with nothing twice and nothing left behind.

use super::fake_cloud::Trouble;
use super::fake_kinds::{FakeBlueprint, SHOP, shop};
use super::scene::{Scene, settle};
use portolan::engine::clusters::PassEnd;
use portolan::engine::clusters::pass::pass;
use portolan::ports::CloudFailureKind;

/// Runs a daemon until it is through or dead; then another one until it is through.
async fn survive(scene: &Scene, blueprint: &FakeBlueprint, removed: bool) -> PassEnd {
    for life in 0..4 {
        let kept = scene.start_without().await;
        let wanted = if removed { scene.removed(blueprint) } else { scene.wanted(blueprint, "1") };
        kept.supersede(wanted);
        let alive = async {
            loop {
                match pass(&kept).await {
                    end @ (PassEnd::Done | PassEnd::Finished) => return end,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        tokio::select! {
            biased;
            end = alive => return end,
            () = died(scene) => assert!(life < 3, "it dies again and again"),
        }
    }
    unreachable!()
}

async fn died(scene: &Scene) {
    while !scene.cloud.state().dead {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    // What was answered before may still be taken in: it is what a kill a moment later looks like.
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
}

const TROUBLES: [Trouble; 7] = [
    Trouble::DiesBefore,
    Trouble::DiesAfterEffect,
    Trouble::DiesAfterAnswer,
    Trouble::Unanswered,
    Trouble::Fails(CloudFailureKind::Unanswered),
    Trouble::Fails(CloudFailureKind::Throttled),
    Trouble::Fails(CloudFailureKind::Invalid),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_or_a_fault_at_every_call_of_a_creation_ends_in_one_cluster() {
    let blueprint = shop("1.35", 2);
    let sites = {
        let scene = Scene::slow();
        settle(&scene.start(&blueprint).await).await;
        scene.cloud.state().calls.len()
    };
    for site in 0..sites {
        for trouble in TROUBLES {
            let scene = Scene::slow();
            scene.cloud.state().troubles.insert(site, trouble);
            let end = survive(&scene, &blueprint, false).await;
            assert_eq!(end, PassEnd::Done, "{trouble:?} at call {site}");
            assert_eq!(scene.cloud.things(), SHOP, "{trouble:?} at call {site}");
            let kept = scene.start(&blueprint).await;
            let before = scene.cloud.writes();
            settle(&kept).await;
            assert_eq!(scene.cloud.writes(), before, "{trouble:?} at call {site}: nothing is left to do");
        }
    }
    println!("{} sites, {} runs", sites, sites * TROUBLES.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_or_a_fault_at_every_call_of_a_deletion_leaves_nothing() {
    let blueprint = shop("1.35", 2);
    // The approval is part of what has to survive.
    let ready = || async {
        let scene = Scene::slow();
        let kept = scene.start(&blueprint).await;
        settle(&kept).await;
        kept.supersede(scene.removed(&blueprint));
        settle(&kept).await;
        scene.approve(&kept.record().waiting.unwrap().digest).await;
        let calls = scene.cloud.state().calls.len();
        (scene, calls)
    };
    let (scene, before) = ready().await;
    survive(&scene, &blueprint, true).await;
    let sites = scene.cloud.state().calls.len() - before;
    for site in 0..sites {
        for trouble in TROUBLES {
            let (scene, before) = ready().await;
            scene.cloud.state().troubles.insert(before + site, trouble);
            let end = survive(&scene, &blueprint, true).await;
            assert_eq!(end, PassEnd::Finished, "{trouble:?} at call {site}");
            assert_eq!(scene.cloud.things(), Vec::<String>::new(), "{trouble:?} at call {site}");
        }
    }
    println!("{} sites, {} runs", sites, sites * TROUBLES.len());
}
