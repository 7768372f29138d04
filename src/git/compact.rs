//! Tidiness of a mirror: each fetch leaves a pack, and thousands of packs make every read slow.
//!
//! Small packs are joined into one without looking at what reaches what: no object is ever lost, so the revision that a
//! cluster is on stays readable, whatever happened to its branch.

use git2::{Odb, Repository};
use std::path::{Path, PathBuf};

/// Folder inside the mirror where packs are gathered.
pub(super) const WORK_FOLDER: &str = "portolan-join";

/// So many small packs are joined at once.
const JOIN_FROM: usize = 50;

/// A pack up to this size, in bytes, is small.
const SMALL: u64 = 8 << 20;

/// Joins the small packs of a repository when there are many. Interrupted at any point, every object is still there.
pub(super) fn join_small_packs(repo: &Repository) -> Result<bool, git2::Error> {
    let packs = repo.path().join("objects/pack");
    let small = small_packs(&packs);
    if small.len() < JOIN_FROM {
        return Ok(false);
    }
    let failed = |e: std::io::Error| git2::Error::from_str(&e.to_string());
    let work = repo.path().join(WORK_FOLDER);
    let gathered = work.join("pack");
    std::fs::create_dir_all(&gathered).map_err(failed)?;
    for index in &small {
        for file in [index.clone(), index.with_extension("pack")] {
            let name = file.file_name().unwrap_or_default();
            std::fs::hard_link(&file, gathered.join(name)).map_err(failed)?;
        }
    }
    let joined = {
        let odb = Odb::new()?;
        odb.add_disk_alternate(&work.to_string_lossy())?;
        let only_small = Repository::from_odb(odb)?;
        let odb = only_small.odb()?;
        let mut builder = only_small.packbuilder()?;
        builder.set_threads(1);
        let mut objects = Vec::new();
        odb.foreach(|oid| {
            objects.push(*oid);
            true
        })?;
        for oid in objects {
            builder.insert_object(oid, None)?;
        }
        builder.write(&packs, 0o444)?;
        builder
            .name()?
            .map(|name| format!("pack-{name}.idx"))
            .ok_or_else(|| git2::Error::from_str("the pack has no name"))?
    };
    // On the disk before anything that it replaces is taken off it.
    for path in [packs.join(&joined).with_extension("pack"), packs.join(&joined), packs.clone()] {
        std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(failed)?;
    }
    // The index goes first: without it a pack is not looked at, with it alone an object would be promised and missing.
    for index in small.iter().filter(|index| index.file_name().is_none_or(|name| *name != *joined)) {
        std::fs::remove_file(index)
            .and_then(|()| std::fs::remove_file(index.with_extension("pack")))
            .map_err(failed)?;
    }
    std::fs::remove_dir_all(&work).map_err(failed)?;
    Ok(true)
}

/// The index files of the small packs.
fn small_packs(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_small =
        |index: &PathBuf| std::fs::metadata(index.with_extension("pack")).is_ok_and(|m| m.len() <= SMALL);
    let mut small: Vec<PathBuf> =
        entries.filter(|p| p.extension().is_some_and(|e| e == "idx")).filter(is_small).collect();
    small.sort();
    small
}
