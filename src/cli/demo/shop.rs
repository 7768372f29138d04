//! The demo's repository: a small shop.

use crate::cli::rehearsal::Repository;
use crate::failure::Failure;
use std::path::PathBuf;

/// The shop as it begins: path in the repository, content.
const FILES: [(&str, &str); 16] = [
    ("portolan/cluster.yaml", include_str!("../../../config/demo/portolan/cluster.yaml")),
    ("portolan/applications.yaml", include_str!("../../../config/demo/portolan/applications.yaml")),
    ("apps/web/namespace.yaml", include_str!("../../../config/demo/web/namespace.yaml")),
    ("apps/web/deployment.yaml", include_str!("../../../config/demo/web/deployment.yaml")),
    ("apps/web/service.yaml", include_str!("../../../config/demo/web/service.yaml")),
    ("apps/web/settings.yaml", include_str!("../../../config/demo/web/settings.yaml")),
    ("apps/web/banner.yaml", include_str!("../../../config/demo/web/banner.yaml")),
    ("apps/web/ingress.yaml", include_str!("../../../config/demo/web/ingress.yaml")),
    ("apps/cart/base/kustomization.yaml", include_str!("../../../config/demo/cart/base/kustomization.yaml")),
    ("apps/cart/base/cart.yaml", include_str!("../../../config/demo/cart/base/cart.yaml")),
    (
        "apps/cart/overlays/local/kustomization.yaml",
        include_str!("../../../config/demo/cart/overlays/local/kustomization.yaml"),
    ),
    ("apps/search/Chart.yaml", include_str!("../../../config/demo/search/Chart.yaml")),
    ("apps/search/values.yaml", include_str!("../../../config/demo/search/values.yaml")),
    (
        "apps/search/templates/deployment.yaml",
        include_str!("../../../config/demo/search/templates/deployment.yaml"),
    ),
    (
        "apps/search/templates/service.yaml",
        include_str!("../../../config/demo/search/templates/service.yaml"),
    ),
    ("README.md", "A small shop, made by `portolan demo`.\n"),
];

/// Makes the repository with its first commit.
pub(super) fn open(folder: PathBuf) -> Result<Repository, Failure> {
    Repository::create(folder, &FILES, "Open the shop")
}
