//! S3 and Route 53: requests as botocore makes them, and against moto.

use super::{call, cloud, open, options};
use crate::k8s_http::server::{Reply, Scripted};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan::aws::rest::{members, operations};
use portolan::local::Places;
use portolan::local::aws::Moto;
use portolan::model::cloud::Service;
use portolan::ports::{Cloud, CloudFailureKind as Kind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SERVICES: [Service; 2] = [Service::S3, Service::Route53];

/// The members of a body that are not in path or query.
fn body_members(service: Service, operation: &str) -> &'static [&'static str] {
    match (service, operation) {
        (Service::Route53, "ChangeResourceRecordSets") => &["ChangeBatch"],
        (Service::Route53, "CreateHostedZone") => {
            &["Name", "VPC", "CallerReference", "HostedZoneConfig", "DelegationSetId"]
        }
        (Service::S3, "CreateBucket") => &["CreateBucketConfiguration"],
        (Service::S3, "PutObject") => &["Body"],
        _ => &[],
    }
}

async fn oracle() -> Value {
    let asked: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = SERVICES
        .iter()
        .map(|service| {
            let of = |name| {
                let all = members(*service, name).into_iter();
                (name, all.chain(body_members(*service, name).iter().copied()).collect())
            };
            (service.name(), operations(*service).into_iter().map(of).collect())
        })
        .collect();
    super::botocore::ask(include_str!("rest_oracle.py"), &json!(asked)).await
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let mut pairs = super::form(query.as_bytes());
    pairs.sort();
    pairs
}

#[tokio::test]
async fn requests_are_those_of_botocore() {
    let oracle = oracle().await;
    let server = Scripted::start(|_, _| Reply::text(200, "")).await;
    let cloud = cloud(&server).await;
    let mut compared = 0;
    for service in SERVICES {
        for asked in oracle[service.name()].as_array().unwrap() {
            let operation = asked["operation"].as_str().unwrap();
            let sent = cloud.call(&call(service, operation, asked["input"].clone())).await;
            sent.unwrap_or_else(|failure| panic!("{failure}"));
            let request = server.requests().pop().unwrap();
            let url = asked["url"].as_str().unwrap().strip_prefix("http://h").unwrap();
            let (path, query) = url.split_once('?').unwrap_or((url, ""));
            assert_eq!(request.method, asked["method"].as_str().unwrap(), "{service}:{operation}");
            assert_eq!(request.path, path, "{service}:{operation}");
            assert_eq!(pairs(&request.query), pairs(query), "{service}:{operation}");
            let theirs = STANDARD.decode(asked["body"].as_str().unwrap()).unwrap();
            // A quotation mark may be written in two ways.
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("&quot;", "\"");
            assert_eq!(text(&request.body), text(&theirs), "{service}:{operation}");
            compared += 1;
        }
    }
    assert!(compared > 14, "{compared}");
}

async fn done(cloud: &dyn Cloud, service: Service, operation: &str, input: Value) -> Value {
    cloud.call(&call(service, operation, input)).await.unwrap_or_else(|failure| panic!("{failure}"))
}

async fn refused(cloud: &dyn Cloud, service: Service, operation: &str, input: Value) -> Kind {
    cloud.call(&call(service, operation, input)).await.unwrap_err().kind
}

fn weighted(name: &str, identifier: &str, weight: u32, address: &str) -> Value {
    json!({
        "Name": name, "Type": "A", "SetIdentifier": identifier, "Weight": weight, "TTL": 30,
        "ResourceRecords": [{"Value": address}],
    })
}

#[tokio::test]
async fn zones_and_records_of_moto_are_read_page_by_page_and_changed() {
    let places = Places::from_env().unwrap();
    let moto = Moto::start(&places, &mut crate::support::control_plane::progress()).await.unwrap();
    let cloud = open(options(moto.endpoint())).await;
    let (cloud, dns) = (cloud.as_ref(), Service::Route53);

    assert_eq!(done(cloud, dns, "ListHostedZones", json!({})).await["HostedZones"], json!([]));
    let zone = json!({"Name": "example.com.", "CallerReference": "once"});
    let made = done(cloud, dns, "CreateHostedZone", zone).await;
    let zone = made["HostedZone"]["Id"].as_str().unwrap().to_owned();
    for number in 0..3 {
        let other = json!({"Name": format!("z{number}.org."), "CallerReference": format!("z{number}")});
        done(cloud, dns, "CreateHostedZone", other).await;
    }
    let zones = done(cloud, dns, "ListHostedZones", json!({"MaxItems": 1})).await;
    assert_eq!(zones["HostedZones"].as_array().unwrap().len(), 4, "{zones}");
    assert_eq!(zones.get("NextMarker"), None);
    let found = done(cloud, dns, "GetHostedZone", json!({"Id": zone})).await;
    assert_eq!(found["HostedZone"]["Name"], "example.com.");
    assert!(found["DelegationSet"]["NameServers"].is_array(), "{found}");

    // moto forgets the identifier where a page ends between two of a name: here it ends before the text.
    let mut changes = Vec::new();
    for (identifier, weight) in [("new", 0), ("old", 255), ("older", 1)] {
        let set = weighted("shop.example.com.", identifier, weight, "192.0.2.1");
        changes.push(json!({"Action": "UPSERT", "ResourceRecordSet": set}));
    }
    let text = json!({
        "Name": "txt.example.com.", "Type": "TXT", "TTL": "300",
        "ResourceRecords": [{"Value": "\"heritage=external-dns,external-dns/owner=a & b\""}, {"Value": "\"2\""}],
    });
    changes.push(json!({"Action": "CREATE", "ResourceRecordSet": text}));
    let batch = json!({"HostedZoneId": zone, "ChangeBatch": {"Comment": "first", "Changes": changes}});
    let change = done(cloud, dns, "ChangeResourceRecordSets", batch.clone()).await;
    let id = change["ChangeInfo"]["Id"].as_str().unwrap();
    let status = done(cloud, dns, "GetChange", json!({"Id": id})).await;
    assert_eq!(status["ChangeInfo"]["Status"], "INSYNC");
    let sets = done(cloud, dns, "ListResourceRecordSets", json!({"HostedZoneId": zone, "MaxItems": 5})).await;
    let sets = sets["ResourceRecordSets"].as_array().unwrap();
    let weights: Vec<_> = sets
        .iter()
        .filter_map(|set| Some((set["SetIdentifier"].as_str()?, set["Weight"].as_str()?)))
        .collect();
    assert_eq!(weights, [("new", "0"), ("old", "255"), ("older", "1")]);
    let text = sets.iter().find(|set| set["TTL"] == "300" && set["Type"] == "TXT").unwrap();
    assert_eq!(text["ResourceRecords"][0]["Value"], "\"heritage=external-dns,external-dns/owner=a & b\"");
    assert_eq!(text["ResourceRecords"].as_array().unwrap().len(), 2);

    // The batch creates a record that is there: as a whole it has no effect.
    assert_eq!(refused(cloud, dns, "ChangeResourceRecordSets", batch).await, Kind::AlreadyExists);
    let gone = json!({"Action": "DELETE", "ResourceRecordSet": {
        "Name": "none.example.com.", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "192.0.2.9"}]}});
    let batch = json!({"HostedZoneId": zone, "ChangeBatch": {"Changes": [gone]}});
    // As AWS has it: InvalidChangeBatch, and "was not found".
    assert_eq!(refused(cloud, dns, "ChangeResourceRecordSets", batch).await, Kind::NotFound);
    assert_eq!(refused(cloud, dns, "GetHostedZone", json!({"Id": "ZNONE"})).await, Kind::NotFound);
    moto.stop().await;
}

#[tokio::test]
async fn objects_of_moto_are_listed_page_by_page_and_read() {
    let places = Places::from_env().unwrap();
    let moto = Moto::start(&places, &mut crate::support::control_plane::progress()).await.unwrap();
    let cloud = open(options(moto.endpoint())).await;
    let (cloud, s3) = (cloud.as_ref(), Service::S3);

    // A name like a domain's, as state stores have them.
    let bucket = "state.example.com";
    let place = json!({"LocationConstraint": "eu-central-1"});
    done(cloud, s3, "CreateBucket", json!({"Bucket": bucket, "CreateBucketConfiguration": place})).await;
    let keys = ["a/config", "a/instancegroup/nodes b+c", "a/pki/ü.yaml", "b/config"];
    for key in keys {
        let body = STANDARD.encode(format!("<{key}>\u{0}"));
        done(cloud, s3, "PutObject", json!({"Bucket": bucket, "Key": key, "Body": body})).await;
    }
    let listed =
        done(cloud, s3, "ListObjectsV2", json!({"Bucket": bucket, "Prefix": "a/", "MaxKeys": 1})).await;
    let found: Vec<_> =
        listed["Contents"].as_array().unwrap().iter().map(|object| object["Key"].as_str().unwrap()).collect();
    assert_eq!(found, keys[..3]);
    let one = done(cloud, s3, "ListObjectsV2", json!({"Bucket": bucket, "Prefix": "b/"})).await;
    assert_eq!(one["Contents"].as_array().unwrap().len(), 1);
    for key in keys {
        let body = done(cloud, s3, "GetObject", json!({"Bucket": bucket, "Key": key})).await;
        let body = STANDARD.decode(body["Body"].as_str().unwrap()).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), format!("<{key}>\u{0}"));
    }
    let place = done(cloud, s3, "GetBucketLocation", json!({"Bucket": bucket})).await;
    assert_eq!(place["LocationConstraint"], "eu-central-1");
    let buckets = done(cloud, s3, "ListBuckets", json!({})).await;
    assert_eq!(buckets["Buckets"][0]["Name"], bucket);
    for (operation, input) in [
        ("GetObject", json!({"Bucket": bucket, "Key": "none"})),
        ("GetObject", json!({"Bucket": "none", "Key": "none"})),
        ("ListObjectsV2", json!({"Bucket": "none"})),
        ("GetBucketPolicy", json!({"Bucket": bucket})),
        ("GetBucketTagging", json!({"Bucket": bucket})),
    ] {
        assert_eq!(refused(cloud, s3, operation, input).await, Kind::NotFound, "{operation}");
    }

    let queues = done(cloud, Service::Sqs, "ListQueues", json!({})).await;
    assert_eq!(queues.get("QueueUrls").and_then(Value::as_array).map_or(0, Vec::len), 0);
    let rules = done(cloud, Service::Events, "ListRules", json!({})).await;
    assert_eq!(rules["Rules"], json!([]));
    moto.stop().await;
}

#[tokio::test]
async fn a_page_of_records_goes_on_at_name_type_and_identifier() {
    const PAGES: [&str; 3] = [
        "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>a.</Name></ResourceRecordSet></ResourceRecordSets>\
         <IsTruncated>true</IsTruncated><NextRecordName>b.</NextRecordName><NextRecordType>A</NextRecordType>\
         <NextRecordIdentifier>new &amp; old</NextRecordIdentifier><MaxItems>1</MaxItems></ListResourceRecordSetsResponse>",
        "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>b.</Name></ResourceRecordSet></ResourceRecordSets>\
         <IsTruncated>true</IsTruncated><NextRecordName>c.</NextRecordName><NextRecordType>TXT</NextRecordType></ListResourceRecordSetsResponse>",
        "<ListResourceRecordSetsResponse><ResourceRecordSets/><IsTruncated>false</IsTruncated></ListResourceRecordSetsResponse>",
    ];
    let server = Scripted::start(|_, number| Reply::text(200, PAGES[number])).await;
    let input =
        json!({"HostedZoneId": "/hostedzone/Z1", "StartRecordIdentifier": "x", "StartRecordName": "a."});
    let cloud = cloud(&server).await;
    let answer = cloud.call(&call(Service::Route53, "ListResourceRecordSets", input)).await.unwrap();
    assert_eq!(answer, json!({"ResourceRecordSets": [{"Name": "a."}, {"Name": "b."}]}));
    let asked: Vec<_> = server.requests().iter().map(|request| pairs(&request.query)).collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(asked[0], [pair("identifier", "x"), pair("name", "a.")]);
    assert_eq!(asked[1], [pair("identifier", "new & old"), pair("name", "b."), pair("type", "A")]);
    assert_eq!(asked[2], [pair("name", "c."), pair("type", "TXT")]);
    assert!(server.requests().iter().all(|request| request.path == "/2013-04-01/hostedzone/Z1/rrset"));
}
