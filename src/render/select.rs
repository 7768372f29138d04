//! Which renderer a folder asks for, chosen as Argo CD chooses (its docs, "Tools": Helm before Kustomize before
//! plain files).

use crate::model::RendererKind;

/// The file that makes a folder a Helm chart.
pub(super) const CHART_FILE: &str = "Chart.yaml";
/// The files that make a folder a kustomization, in kustomize's own order.
pub(super) const KUSTOMIZATION_FILES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Endings to read of a folder for [`choose`].
pub(super) const ENDINGS: [&str; 4] =
    [CHART_FILE, KUSTOMIZATION_FILES[0], KUSTOMIZATION_FILES[1], KUSTOMIZATION_FILES[2]];

/// Chooses by the names of the files in the folder itself.
pub(super) fn choose<'a>(names: impl IntoIterator<Item = &'a str>) -> RendererKind {
    let mut kind = RendererKind::Plain;
    for name in names {
        if name == CHART_FILE {
            return RendererKind::Helm;
        }
        if KUSTOMIZATION_FILES.contains(&name) {
            kind = RendererKind::Kustomize;
        }
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_wins_over_a_kustomization_and_both_over_plain_files() {
        assert_eq!(choose(["kustomization.yaml", "Chart.yaml"]), RendererKind::Helm);
        assert_eq!(choose(["a.yaml", "Kustomization"]), RendererKind::Kustomize);
        assert_eq!(choose(["sub/Chart.yaml", "OldChart.yaml"]), RendererKind::Plain);
    }
}
