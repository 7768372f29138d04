//! The demo's old cluster by a current kops, on a current control plane.

use portolan::migrate::own::Whose;
use portolan::model::Object;

use super::bench::{Bench, classified, runs, understood};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kops_1_36_0_makes_a_cluster_that_is_understood_as_well() {
    if !runs("1.36.0") {
        return;
    }
    let bench = Bench::start("1.36.0").await;
    let state = bench.source.state();
    understood(state);
    assert_eq!(state.version.as_deref(), Some("1.36.0"));
    assert_eq!(bench.source.control_plane().instance().version, "v1.35.4");
    let manifests = state
        .channel
        .iter()
        .flat_map(|channel| &channel.addons)
        .flat_map(|addon| addon.objects.iter().flatten());
    let manifests: Vec<Object> = manifests.map(|body| Object::new(body.clone()).unwrap()).collect();
    let strangers: Vec<_> = classified(state, &manifests)
        .into_iter()
        .filter(|one| !matches!(one.whose, Whose::Kops { .. }))
        .collect();
    assert_eq!(strangers, []);
    assert_eq!(bench.get(&["nodes"]).await.len(), 7);
    let taken = bench.source.kops().delete_preview(bench.source.cluster()).await.unwrap();
    assert!(taken.iter().any(|(kind, _)| kind == "autoscaling-group"), "{taken:?}");
    bench.stop().await;
}
