//! The kinds of a network in EC2: how each is read, made, changed and taken away.

mod address;
mod gateway;
mod nat;
mod route_table;
mod security_group;
mod subnet;
mod vpc;
mod vpc_endpoint;

pub use address::AddressDriver;
pub use gateway::{EgressGatewayDriver, InternetGatewayDriver};
pub use nat::NatGatewayDriver;
pub use route_table::{ROUTE_TABLES_OF_SUBNETS, RouteTableDriver};
pub use security_group::{CONTROLLER_GROUPS, SELF, SecurityGroupDriver};
pub use subnet::{SubnetDriver, ZONES};
pub use vpc::VpcDriver;
pub use vpc_endpoint::VpcEndpointDriver;
