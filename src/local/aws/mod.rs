//! The local AWS: moto for everything but EKS, and an EKS server of our own that is as strict as the service.

pub mod world;
