//! Launch templates: the customer's as they stand, and the copy that the service makes of each for its own use.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::account::{Account, issue, items, problem, tag_list, text};
use super::world::Issue;

/// A version of a launch template, with its data as EC2 describes it.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    data: Value,
}

impl Template {
    /// The one that a node group names, as `{id | name, version}`; without a version its default one.
    pub(super) async fn of_user(account: &Account, named: &Value) -> Result<Template, Issue> {
        let version = named["version"].as_str().unwrap_or("$Default");
        let mut input = json!({"Versions": [version]});
        match (named["id"].as_str(), named["name"].as_str()) {
            (Some(id), _) => input["LaunchTemplateId"] = id.into(),
            (None, name) => input["LaunchTemplateName"] = name.unwrap_or_default().into(),
        }
        let missing = |message: String| problem("InvalidParameterException", message, &[]);
        let answer = account.ec2("DescribeLaunchTemplateVersions", input).await;
        let answer = answer.map_err(|failure| missing(failure.message))?;
        let found = items(&answer, "launchTemplateVersionSet").next();
        let found = found
            .ok_or_else(|| missing(format!("there is no version {version} of launch template {named}")))?;
        Ok(Template {
            id: text(found, "launchTemplateId"),
            name: text(found, "launchTemplateName"),
            version: text(found, "versionNumber"),
            data: found["launchTemplateData"].clone(),
        })
    }

    /// As a node group is described with it.
    pub(super) fn described(&self) -> Value {
        json!({"id": self.id, "name": self.name, "version": self.version})
    }

    /// Whether a member is set; lists and structures that are empty are not.
    pub(super) fn sets(&self, member: &str) -> bool {
        match &self.data[member] {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        }
    }

    pub(super) fn sets_subnet(&self) -> bool {
        items(&self.data, "networkInterfaceSet")
            .any(|i| i["subnetId"].as_str().is_some_and(|id| !id.is_empty()))
    }

    pub(super) fn image(&self) -> Option<String> {
        Some(text(&self.data, "imageId")).filter(|image| !image.is_empty())
    }

    pub(super) fn instance_type(&self) -> Option<String> {
        Some(text(&self.data, "instanceType")).filter(|kind| !kind.is_empty())
    }

    /// Of the instance, or of its network interfaces.
    pub(super) fn security_groups(&self) -> Vec<String> {
        let of_interfaces = items(&self.data, "networkInterfaceSet").flat_map(|i| items(i, "groupSet"));
        let groups = items(&self.data, "securityGroupIdSet").chain(of_interfaces);
        let id = |group: &Value| match group.as_str() {
            Some(id) => id.to_owned(),
            None => text(group, "groupId"),
        };
        groups.map(id).filter(|id| !id.is_empty()).collect()
    }

    /// Size of the root volume in GiB, when it is said.
    pub(super) fn disk(&self) -> Option<u64> {
        let mappings = items(&self.data, "blockDeviceMappingSet");
        mappings.filter_map(|mapping| mapping["ebs"]["volumeSize"].as_str()?.parse().ok()).next()
    }

    /// What the copy takes over, as CreateLaunchTemplate's input names it.
    fn taken_over(&self) -> Map<String, Value> {
        let mut data = Map::new();
        for (from, to) in [("keyName", "KeyName"), ("userData", "UserData")] {
            if self.sets(from) {
                data.insert(to.to_owned(), self.data[from].clone());
            }
        }
        let mappings: Vec<_> = items(&self.data, "blockDeviceMappingSet").map(block_device).collect();
        if !mappings.is_empty() {
            data.insert("BlockDeviceMappings".to_owned(), mappings.into());
        }
        let options = &self.data["metadataOptions"];
        let mut metadata = Map::new();
        for (from, to) in [("httpTokens", "HttpTokens"), ("httpEndpoint", "HttpEndpoint")] {
            if let Some(value) = options[from].as_str().filter(|value| !value.is_empty()) {
                metadata.insert(to.to_owned(), value.into());
            }
        }
        if let Some(hops) =
            options["httpPutResponseHopLimit"].as_str().and_then(|hops| hops.parse::<u64>().ok())
        {
            metadata.insert("HttpPutResponseHopLimit".to_owned(), hops.into());
        }
        if !metadata.is_empty() {
            data.insert("MetadataOptions".to_owned(), metadata.into());
        }
        data
    }
}

fn block_device(mapping: &Value) -> Value {
    let ebs = &mapping["ebs"];
    let mut described = Map::new();
    for (from, to) in [("volumeSize", "VolumeSize"), ("iops", "Iops"), ("throughput", "Throughput")] {
        if let Some(number) = ebs[from].as_str().and_then(|number| number.parse::<u64>().ok()) {
            described.insert(to.to_owned(), number.into());
        }
    }
    for (from, to) in [("encrypted", "Encrypted"), ("deleteOnTermination", "DeleteOnTermination")] {
        if let Some(flag) = ebs[from].as_str().and_then(|flag| flag.parse::<bool>().ok()) {
            described.insert(to.to_owned(), flag.into());
        }
    }
    for (from, to) in [("volumeType", "VolumeType"), ("kmsKeyId", "KmsKeyId"), ("snapshotId", "SnapshotId")] {
        if let Some(text) = ebs[from].as_str().filter(|text| !text.is_empty()) {
            described.insert(to.to_owned(), text.into());
        }
    }
    json!({"DeviceName": mapping["deviceName"], "Ebs": described})
}

/// What a copy is made of.
pub(super) struct Copy<'a> {
    pub(super) image: &'a str,
    /// For node groups without a launch template of their own.
    pub(super) disk: u64,
    pub(super) key: Option<&'a str>,
    /// Where the customer's template names none.
    pub(super) security_groups: Vec<String>,
    /// Of the instances and volumes.
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) user: Option<&'a Template>,
}

impl Copy<'_> {
    /// The data of the copy.
    pub(super) fn data(&self) -> Value {
        let mut data = self.user.map(Template::taken_over).unwrap_or_default();
        data.insert("ImageId".to_owned(), self.image.into());
        let own: Vec<_> = self.user.map(Template::security_groups).unwrap_or_default();
        let groups = if own.is_empty() { self.security_groups.clone() } else { own };
        data.insert("SecurityGroupIds".to_owned(), groups.into());
        if let Some(key) = self.key {
            data.insert("KeyName".to_owned(), key.into());
        }
        if !data.contains_key("BlockDeviceMappings") {
            let volume = json!({"DeviceName": "/dev/xvda", "Ebs": {
                "VolumeSize": self.disk, "VolumeType": "gp3", "DeleteOnTermination": true}});
            data.insert("BlockDeviceMappings".to_owned(), json!([volume]));
        }
        if !data.contains_key("MetadataOptions") {
            data.insert(
                "MetadataOptions".to_owned(),
                json!({"HttpTokens": "required", "HttpPutResponseHopLimit": 2}),
            );
        }
        let specifications: Vec<_> = ["instance", "volume"]
            .iter()
            .map(|kind| json!({"ResourceType": kind, "Tags": tag_list(self.tags)}))
            .collect();
        data.insert("TagSpecifications".to_owned(), specifications.into());
        Value::Object(data)
    }

    /// Makes the copy and gives its id.
    pub(super) async fn create(
        &self,
        account: &Account,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<String, Issue> {
        let input = json!({
            "LaunchTemplateName": name,
            "LaunchTemplateData": self.data(),
            "TagSpecifications": [{"ResourceType": "launch-template", "Tags": tag_list(tags)}],
        });
        let answer = account.ec2("CreateLaunchTemplate", input).await.map_err(issue)?;
        Ok(text(&answer["launchTemplate"], "launchTemplateId"))
    }

    /// Makes a further version of the copy and gives its number.
    pub(super) async fn create_version(&self, account: &Account, id: &str) -> Result<String, Issue> {
        let input = json!({"LaunchTemplateId": id, "LaunchTemplateData": self.data()});
        let answer = account.ec2("CreateLaunchTemplateVersion", input).await.map_err(issue)?;
        Ok(text(&answer["launchTemplateVersion"], "versionNumber"))
    }
}
