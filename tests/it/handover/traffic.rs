//! Traffic handed over, step by step.

use super::world::what;
use super::zones::{Dns, alias, external_dns, owned, record, shifted};
use portolan::migrate::Level;
use portolan::migrate::traffic::{Endpoint, Health, Made, Towards, tell};
use portolan::model::migration::{Effect, Side};
use serde_json::json;

const NAME: &str = "shop.example.com.";

fn simple() -> Dns {
    Dns::new(
        vec![
            record(NAME, "CNAME", 300, &["old.elb.example.net"]),
            record("example.com.", "NS", 300, &["ns."]),
        ],
        &[NAME],
    )
}

fn keys(dns: &Dns, towards: Towards) -> Vec<String> {
    dns.look(towards).steps.into_iter().map(|step| step.key).collect()
}

fn gate(dns: &Dns, towards: Towards) -> String {
    dns.look(towards).gates.first().map(what).unwrap_or_default()
}

#[test]
fn a_name_goes_over_share_by_share() {
    let mut dns = simple();
    assert_eq!(keys(&dns, Towards::Target), ["ttl/shop.example.com."]);
    dns.pass(Towards::Target, 1);
    assert_eq!(dns.sets.last().unwrap()["TTL"], 60);
    // One old TTL: until then a resolver may know the record with it.
    dns.now += 299;
    assert_eq!(
        gate(&dns, Towards::Target),
        "waiting: resolvers may keep shop.example.com. for its old TTL of 300 s: 1 s are left"
    );
    dns.now += 1;
    assert_eq!(keys(&dns, Towards::Target), ["pair/shop.example.com."]);
    let batches = dns.batches;
    dns.pass(Towards::Target, 1);
    assert_eq!(dns.batches, batches + 1, "in one batch");
    assert_eq!(dns.share(NAME), Some(0));
    for share in [5, 25, 50, 100] {
        assert!(gate(&dns, Towards::Target).contains("are watched for another 300 s") || share == 5);
        dns.now += 300;
        assert_eq!(keys(&dns, Towards::Target), [format!("weight/shop.example.com./{share}")]);
        dns.pass(Towards::Target, 1);
        assert_eq!(dns.share(NAME), Some(share));
    }
    dns.now += 300;
    assert!(dns.look(Towards::Target).is_done());
}

#[test]
fn a_target_that_does_not_answer_holds_the_share() {
    let mut dns = simple();
    for _ in 0..3 {
        dns.pass(Towards::Target, 1);
        dns.now += 300;
    }
    assert_eq!(dns.share(NAME), Some(5));
    dns.health.insert(NAME.into(), Health::Failing("502 of 20 requests".into()));
    let said = gate(&dns, Towards::Target);
    assert!(said.starts_with("blocked") && said.contains("502 of 20"), "{said}");
    dns.health.clear();
    assert!(gate(&dns, Towards::Target).starts_with("waiting: nothing is known"));
    dns.health.insert(NAME.into(), Health::Healthy);
    assert_eq!(keys(&dns, Towards::Target), ["weight/shop.example.com./25"]);
    dns.made.insert("weight/shop.example.com./5".into(), Made { at: dns.now - 400, in_sync: false });
    assert!(gate(&dns, Towards::Target).contains("has not told all its servers"));
}

#[test]
fn the_way_back_gives_the_source_everything_at_once() {
    let mut dns = simple();
    let before = dns.picture();
    for _ in 0..5 {
        dns.pass(Towards::Target, 1);
        dns.now += 300;
    }
    assert_eq!(dns.share(NAME), Some(50));
    assert_eq!(keys(&dns, Towards::Source), ["back/weight/shop.example.com."]);
    dns.pass(Towards::Source, 1);
    assert_eq!(dns.share(NAME), Some(0));
    assert!(gate(&dns, Towards::Source).contains("for another 60 s"));
    dns.now += 60;
    dns.pass(Towards::Source, 1);
    assert_eq!(dns.picture(), before, "with its old TTL");
    assert!(dns.look(Towards::Source).is_done());
}

#[test]
fn a_limit_of_the_document_holds_and_goes_back() {
    let mut dns = simple();
    dns.names[0].up_to = 30;
    dns.run(Towards::Target);
    assert_eq!(dns.share(NAME), Some(25));
    dns.names[0].up_to = 5;
    assert_eq!(keys(&dns, Towards::Target), ["weight/shop.example.com./5"]);
}

#[test]
fn weights_that_somebody_changed_are_put_right() {
    let mut dns = simple();
    for _ in 0..4 {
        dns.pass(Towards::Target, 1);
        dns.now += 300;
    }
    assert_eq!(dns.share(NAME), Some(25));
    for set in &mut dns.sets {
        if set["SetIdentifier"].as_str().is_some_and(|id| id.ends_with("/source")) {
            set["Weight"] = json!(0);
        }
    }
    assert_eq!(keys(&dns, Towards::Target), ["weight/shop.example.com./mend"]);
    dns.pass(Towards::Target, 1);
    assert_eq!(dns.share(NAME), Some(0), "the careful share");
}

#[test]
fn aliases_of_both_families_go_together() {
    let sets = vec![alias(NAME, "A", "old.elb.example.net"), alias(NAME, "AAAA", "old.elb.example.net")];
    let mut dns = Dns::new(sets, &[NAME]);
    let before = dns.picture();
    // An alias has no TTL to lower.
    assert_eq!(keys(&dns, Towards::Target), ["pair/shop.example.com."]);
    dns.pass(Towards::Target, 1);
    assert_eq!(dns.sets.len(), 4);
    let new = dns.sets.iter().find(|set| set["AliasTarget"]["HostedZoneId"] == "ZNEW").unwrap();
    assert_eq!(new["AliasTarget"]["DNSName"], "new.elb.example.net.");
    dns.run(Towards::Target);
    dns.run(Towards::Source);
    assert_eq!(dns.picture(), before);
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let barred = |sets, word: &str| {
        let dns = Dns::new(sets, &[NAME]);
        let said = gate(&dns, Towards::Target);
        assert!(said.starts_with("blocked") && said.contains(word), "{said}");
        assert!(dns.look(Towards::Target).steps.is_empty());
        // Where nothing of ours is, the way back has nothing to do.
        assert!(dns.look(Towards::Source).is_done());
    };
    barred(vec![], "has no record");
    let mut latency = record(NAME, "A", 60, &["192.0.2.1"]);
    (latency["SetIdentifier"], latency["Region"]) = (json!("x"), json!("eu-west-1"));
    barred(vec![latency], "routing policy of its own (Region)");
    let mut weighted = record(NAME, "A", 60, &["192.0.2.1"]);
    (weighted["SetIdentifier"], weighted["Weight"]) = (json!("x"), json!(10));
    barred(vec![weighted], "not of this migration");
    let mut dns = simple();
    dns.names[0].endpoint = Endpoint::Addresses(["192.0.2.7".to_owned()].into());
    assert!(gate(&dns, Towards::Target).contains("CNAME"));
    let mut dns =
        Dns::new(vec![record("api.old.example.com.", "A", 60, &["192.0.2.1"])], &["api.old.example.com."]);
    dns.names = vec![shifted("api.old.example.com.")];
    assert!(gate(&dns, Towards::Target).contains("kops control plane"));
}

#[test]
fn the_source_s_external_dns_is_paused_and_let_go_again() {
    let mut dns = simple();
    dns.sets.push(owned("cname-shop.example.com.", "old"));
    dns.deployments.push((Side::Source, external_dns(&["--txt-owner-id=old"], 1)));
    dns.deployments.push((Side::Target, external_dns(&["--txt-owner-id=new", "--policy=upsert-only"], 1)));
    let before = dns.picture();
    assert_eq!(keys(&dns, Towards::Target), ["pause-dns/dns/external-dns"]);
    dns.pass(Towards::Target, 1);
    assert_eq!(dns.deployments[0].1["spec"]["replicas"], 0);
    dns.run(Towards::Target);
    assert_eq!(dns.share(NAME), Some(100));
    dns.run(Towards::Source);
    assert_eq!(dns.picture(), before);
    assert_eq!(dns.deployments[0].1["spec"]["replicas"], 1);
    // One that owns none of the names goes on.
    let mut other = simple();
    other.deployments.push((Side::Source, external_dns(&["--txt-owner-id=old"], 1)));
    assert_eq!(keys(&other, Towards::Target), ["ttl/shop.example.com."]);
}

#[test]
fn an_external_dns_that_would_do_harm_stops_the_shift() {
    let said = |args: &[&str]| {
        let mut dns = simple();
        dns.sets.push(owned("cname-shop.example.com.", "old"));
        dns.deployments.push((Side::Source, external_dns(&["--txt-owner-id=old"], 0)));
        dns.deployments.push((Side::Target, external_dns(args, 1)));
        gate(&dns, Towards::Target)
    };
    assert!(said(&["--txt-owner-id=old", "--policy=upsert-only"]).contains("each would delete the other's"));
    assert!(said(&["--txt-owner-id=new"]).contains("--policy=sync"));
    assert_eq!(said(&["--txt-owner-id=new", "--policy=upsert-only"]), "");
    let mut dns = simple();
    dns.sets.push(owned("cname-shop.example.com.", "unknown"));
    assert!(gate(&dns, Towards::Target).contains("which runs in neither cluster"));
}

#[test]
fn at_the_end_the_name_is_simple_again_and_the_target_s() {
    let mut dns = simple();
    dns.sets.push(owned("cname-shop.example.com.", "old"));
    dns.deployments.push((Side::Source, external_dns(&["--txt-owner-id=old"], 1)));
    dns.deployments.push((Side::Target, external_dns(&["--txt-owner-id=new", "--policy=upsert-only"], 1)));
    assert!(gate(&dns, Towards::Settled).is_empty(), "nothing to settle before a shift");
    dns.pass(Towards::Target, 1);
    for _ in 0..3 {
        dns.pass(Towards::Target, 1);
        dns.now += 300;
    }
    assert!(gate(&dns, Towards::Settled).contains("all of its traffic"));
    dns.run(Towards::Target);
    dns.now += 60;
    let outcome = dns.pass(Towards::Settled, 1);
    assert_eq!(outcome.steps[0].key, "settle/shop.example.com.");
    let own = dns.sets.iter().find(|set| set["Name"] == NAME).unwrap();
    assert_eq!(*own, record(NAME, "CNAME", 300, &["new.elb.example.net"]), "with its old TTL");
    assert!(dns.sets.iter().any(|set| set.to_string().contains("external-dns/owner=new,")));
    assert!(dns.look(Towards::Settled).is_done());
    // Its inverse is complete.
    let Effect::Call { .. } = outcome.steps[0].undo[0] else { panic!() };
    dns.make(&outcome.steps[0].undo[0].clone());
    assert_eq!(dns.share(NAME), Some(100));
    assert!(dns.sets.iter().any(|set| set.to_string().contains("external-dns/owner=old,")));
}

#[test]
fn every_name_has_a_verdict() {
    let mut dns = simple();
    dns.sets.push(owned("cname-shop.example.com.", "old"));
    dns.sets.push(alias("www.example.com.", "A", "old.elb.example.net"));
    dns.names.push(shifted("www.example.com."));
    dns.names.push(shifted("none.example.com."));
    dns.deployments.push((Side::Source, external_dns(&["--txt-owner-id=old"], 1)));
    let verdicts = dns.with(Towards::Target, tell);
    let of = |rule: &str, subject: &str| {
        verdicts.iter().find(|one| one.rule == rule && one.subject.contains(subject)).map(|one| one.level)
    };
    assert_eq!(of("traffic.weighted", "shop."), Some(Level::Mapped));
    assert_eq!(of("traffic.owner", "shop."), Some(Level::Warning));
    assert_eq!(of("traffic.alias", "www."), Some(Level::Mapped));
    assert_eq!(of("traffic.unowned", "www."), Some(Level::Warning));
    assert_eq!(of("traffic.record", "none."), Some(Level::Blocker));
}
