//! Enumerations: strings on the wire. A word that the client does not know yet passes through as it is.

use super::json::{FromInput, ToAnswer};
use crate::aws::misfit::Misfit;
use aws_sdk_eks::types;
use serde_json::Value;

macro_rules! words {
    ($($enumeration:ident)*) => {
        $(
            impl FromInput for types::$enumeration {
                fn from_input(value: &Value) -> Result<Self, Misfit> {
                    String::from_input(value).map(|word| Self::from(word.as_str()))
                }
            }

            impl ToAnswer for types::$enumeration {
                fn to_answer(&self) -> Option<Value> {
                    Some(self.as_str().into())
                }
            }
        )*
    };
}

words! {
    AccessScopeType AddonIssueCode AddonStatus AmiTypes AuthenticationMode CancellationStatus
    CapacityTypes Category CertificateAuthorityActivatedBy ClusterIssueCode ClusterStatus
    ClusterVersionStatus ConfigStatus ControlPlaneEgressModeType ErrorCode FargateProfileIssueCode
    FargateProfileStatus InsightStatusValue InsightsRefreshStatus IpFamily LogType NodegroupIssueCode
    NodegroupStatus NodegroupUpdateStrategies ProvisionedControlPlaneTier RepairAction ResolveConflicts
    ScoringStrategyType SpreadLevel SupportType TaintEffect UpdateParamType UpdateStatus UpdateType
    VersionStatus WarmPoolState
}
