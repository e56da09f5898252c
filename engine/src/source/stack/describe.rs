//! From what a catalog has to the manifest of a cube.

use arrow::datatypes::DataType;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};

use super::STACK_OPTION;
use super::candidates::{Candidate, candidates};
use super::grid::grid;
use super::manifest::{BandOfAsset, Manifest, SceneEntry};
use super::mosaic::Mosaic;
use super::request::{BandLayout, OnError, StackRequest};
use super::scene::{SceneFile, cells_of};
use crate::access::AccessPolicy;
use crate::source::SourceError;
use crate::source::open::split_options;
use crate::source::stac::{AssetAddress, Catalog, arguments};
use crate::source::store::{Store, StoreOptions, usual_signing, without_secrets};
use crate::source::warp::{GeoBox, side};

/// Files that are opened at the same time.
const FILES_IN_FLIGHT: usize = 16;

/// A scene, and where it lies.
struct Placed {
    candidate: Candidate,
    geobox: GeoBox,
    /// What was seen of the file, if it was opened.
    file: Option<SceneFile>,
}

/// Asks a catalog for scenes and gives the address of the cube that they make: what it is opened with here and elsewhere.
/// `given` are the arguments of the catalog, `options` those of the stores that the scenes lie in.
///
/// # Errors
/// Those of the catalog and of the scenes; [`SourceError::Metadata`] where the arguments do not say what the cube is.
pub async fn describe(
    uri: &str,
    given: &Map<String, Value>,
    request: &StackRequest,
    options: &StoreOptions,
    access: &AccessPolicy,
) -> Result<AssetAddress, SourceError> {
    let failed = |message: String| SourceError::Metadata { array: without_secrets(uri), message };
    let (search, catalog_options) = arguments(given).map_err(failed)?;
    let catalog = Catalog::open(uri, &catalog_options, access).await?;
    let sign = catalog_options.sign.as_deref().or_else(|| usual_signing(uri));
    let mut found = candidates(&catalog, &search, &request.assets, sign).await?;
    for candidate in &mut found {
        candidate.address.options.extend(options.clone());
    }
    let (placed, skipped) = place(found, request, access).await?;
    let boxes: Vec<GeoBox> = placed.iter().map(|scene| scene.geobox.clone()).collect();
    let target = grid(request, search.bbox, &boxes).map_err(failed)?;
    let (data_type, bands, side) = seen(&placed, request, &target)?;
    if matches!(request.mosaic, Mosaic::Min | Mosaic::Max) && matches!(data_type, DataType::Int64 | DataType::UInt64) {
        return Err(failed(format!(
            "mosaic '{}': expected cells of 32 bits or floats, found {data_type}",
            request.mosaic
        )));
    }
    let count = placed.len();
    let inside: Vec<(Placed, _)> =
        placed.into_iter().filter_map(|scene| cells_of(&scene.geobox, &target).map(|cells| (scene, cells))).collect();
    if inside.is_empty() {
        return Err(failed(format!("none of {count} scenes lies in the cube, {}", shown(&target))));
    }
    let moments: Vec<(i64, f64)> =
        inside.iter().map(|(scene, _)| (scene.candidate.time, scene.candidate.longitude)).collect();
    let steps = request.group.steps(&moments).map_err(failed)?;
    let scenes = steps.iter().enumerate().flat_map(|(step, (_, members))| {
        members.iter().filter_map(|&member| inside.get(member)).map(move |(scene, cells)| SceneEntry {
            id: scene.candidate.id.clone(),
            asset: scene.candidate.asset,
            step,
            address: scene.candidate.address.clone(),
            cells: *cells,
        })
    });
    let scenes = scenes.collect();
    let manifest = Manifest {
        method: request.method,
        mosaic: request.mosaic,
        layout: request.layout,
        times: steps.iter().map(|(time, _)| *time).collect(),
        target,
        data_type,
        side,
        bands,
        scenes,
        skipped,
    };
    let options = StoreOptions::from([(STACK_OPTION.to_string(), manifest.to_text())]);
    let shown = without_secrets(uri);
    let uri = shown.split('?').next().unwrap_or(&shown).to_string();
    Ok(AssetAddress { uri, options })
}

fn shown(target: &GeoBox) -> String {
    let [left, bottom, right, top] = target.bounds();
    format!("{} from {left}, {bottom} to {right}, {top}", target.crs.name())
}

/// Where all scenes lie, and what was left out. The first of each asset and type is opened, and those whose items do not
/// tell; all, where broken ones are left out.
async fn place(
    candidates: Vec<Candidate>,
    request: &StackRequest,
    access: &AccessPolicy,
) -> Result<(Vec<Placed>, Vec<String>), SourceError> {
    let is_first = |number: usize, candidate: &Candidate| {
        let alike = |other: &Candidate| (other.asset, &other.told_type) == (candidate.asset, &candidate.told_type);
        candidates.iter().position(alike) == Some(number)
    };
    let firsts: Vec<bool> =
        candidates.iter().enumerate().map(|(number, candidate)| is_first(number, candidate)).collect();
    let skips = request.on_error == OnError::Skip;
    type Looked = Result<Placed, String>;
    let looks: Vec<BoxFuture<'static, Result<Looked, SourceError>>> = candidates
        .into_iter()
        .zip(firsts)
        .map(|(candidate, is_first)| {
            let access = access.clone();
            async move {
                let name = format!("{} of {}", scene_name(&candidate), without_secrets(&candidate.address.uri));
                match look(candidate, is_first, skips, &access).await {
                    Ok(placed) => Ok(Ok(placed)),
                    Err(error) if skips && is_of_scene(&error) => Ok(Err(format!("{name}: {error}"))),
                    Err(error) => Err(SourceError::Metadata {
                        array: name,
                        message: format!("{error} (on_error => 'skip' leaves out what is missing or cut off)"),
                    }),
                }
            }
            .boxed()
        })
        .collect();
    let looked: Vec<Looked> = stream::iter(looks).buffered(FILES_IN_FLIGHT).try_collect().await?;
    let (mut placed, mut skipped) = (Vec::new(), Vec::new());
    for scene in looked {
        match scene {
            Ok(scene) => placed.push(scene),
            Err(message) => skipped.push(message),
        }
    }
    Ok((placed, skipped))
}

/// Whether an error is one of the scene itself: what a store does not give today it may give tomorrow, and a cube without
/// it would be another one.
fn is_of_scene(error: &SourceError) -> bool {
    match error {
        SourceError::NotFound { .. }
        | SourceError::Metadata { .. }
        | SourceError::Unsupported { .. }
        | SourceError::Chunk { .. } => true,
        SourceError::AlreadyExists { .. }
        | SourceError::PermissionDenied { .. }
        | SourceError::Address { .. }
        | SourceError::NoRoom { .. }
        | SourceError::Store { .. } => false,
    }
}

fn scene_name(candidate: &Candidate) -> String {
    format!("scene `{}`", candidate.id)
}

async fn look(
    mut candidate: Candidate,
    is_first: bool,
    is_checked: bool,
    access: &AccessPolicy,
) -> Result<Placed, SourceError> {
    if access.is_confined() {
        // A path is relative to a directory that another process may not know.
        let reach = split_options(&candidate.address.options).1;
        if let Some(path) = Store::open_for(&candidate.address.uri, &reach, access)?.local_path() {
            candidate.address.uri = path.to_string_lossy().into_owned();
        }
    }
    if let (Some(geobox), Some(_), false, false) = (&candidate.told, &candidate.told_type, is_first, is_checked) {
        return Ok(Placed { geobox: geobox.clone(), candidate, file: None });
    }
    let file = SceneFile::open(&candidate.address, access).await?;
    if is_checked {
        file.scene.check_whole().await?;
    }
    let of_file = file.geobox()?;
    // What nobody is asked about again is what the item tells: all of a pass then are known in the same way.
    let geobox = candidate.told.clone().filter(|_| !is_checked).unwrap_or(of_file);
    Ok(Placed { geobox, candidate, file: Some(file) })
}

/// What the files that were opened say of all: the type of cells, the bands, and the side of a chunk.
fn seen(
    placed: &[Placed],
    request: &StackRequest,
    target: &GeoBox,
) -> Result<(DataType, Vec<BandOfAsset>, u64), SourceError> {
    let opened = || placed.iter().filter_map(|scene| Some((&scene.candidate, scene.file.as_ref()?)));
    let mut data_type: Option<DataType> = None;
    for (_, file) in opened() {
        let (found, _) = file.kind()?;
        let before = data_type.clone().unwrap_or_else(|| found.clone());
        let Some(common) = common_type(&before, &found) else {
            return Err(file.failed(format!("expected cells of {before} as in other scenes, found {found}")));
        };
        data_type = Some(common);
    }
    let (mut bands, mut chunk_side) = (Vec::new(), u64::MAX);
    for (asset, name) in request.assets.iter().enumerate() {
        let Some((_, first)) = opened().find(|(candidate, _)| candidate.asset == asset) else {
            let message = format!("no scene with asset `{name}` is left");
            return Err(SourceError::Metadata { array: "stack".to_string(), message });
        };
        let (_, count) = first.kind()?;
        let label = |number: u64| if count == 1 { name.clone() } else { format!("{name}_{}", number + 1) };
        bands.extend((0..count).map(|number| BandOfAsset { name: label(number), asset, number }));
        let (across, down) = first.scale_towards(target)?;
        chunk_side = chunk_side.min(side(across.min(down), target.width.max(target.height)));
    }
    if request.layout == BandLayout::Variables {
        let is_taken = |name: &str| ["time", "y", "x", "lat", "lon"].contains(&name);
        if let Some(band) = bands.iter().find(|band| is_taken(&band.name)) {
            let message = format!("bands => 'variables': `{}` is the name of a dimension already", band.name);
            return Err(SourceError::Metadata { array: "stack".to_string(), message });
        }
    }
    Ok((data_type.unwrap_or(DataType::Float64), bands, chunk_side))
}

/// The smallest type of numbers that holds those of two others; `None` where there is none.
pub(super) fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Float16, Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64};
    let wide = |from: &DataType| if *from == Float16 { Float32 } else { from.clone() };
    let (a, b) = (wide(a), wide(b));
    if a == b {
        return a.is_numeric().then_some(a);
    }
    let bits = |of: &DataType| of.primitive_width().map(|bytes| bytes * 8);
    let (bits_a, bits_b) = (bits(&a)?, bits(&b)?);
    let signed = |bits: usize| match bits {
        0..=8 => Int8,
        9..=16 => Int16,
        17..=32 => Int32,
        33..=64 => Int64,
        _ => Float64,
    };
    let unsigned = |bits: usize| match bits {
        0..=8 => UInt8,
        9..=16 => UInt16,
        17..=32 => UInt32,
        _ => UInt64,
    };
    match (a.is_floating(), b.is_floating()) {
        _ if !(a.is_integer() || a.is_floating()) || !(b.is_integer() || b.is_floating()) => None,
        (true, true) => Some(Float64),
        (true, false) => Some(if a == Float32 && bits_b <= 16 { Float32 } else { Float64 }),
        (false, true) => Some(if b == Float32 && bits_a <= 16 { Float32 } else { Float64 }),
        (false, false) => Some(match (a.is_signed_integer(), b.is_signed_integer()) {
            (true, true) => signed(bits_a.max(bits_b)),
            (false, false) => unsigned(bits_a.max(bits_b)),
            (true, false) => signed(bits_a.max(bits_b * 2)),
            (false, true) => signed(bits_b.max(bits_a * 2)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_one_that_holds_both() {
        use DataType::{Float16, Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Utf8};
        for (a, b, expected) in [
            (UInt8, UInt16, UInt16),
            (UInt16, Int16, Int32),
            (Int8, UInt8, Int16),
            (UInt32, Int8, Int64),
            (UInt64, Int8, Float64),
            (Float32, UInt16, Float32),
            (Float32, Int32, Float64),
            (Float16, Float16, Float32),
            (UInt8, UInt8, UInt8),
        ] {
            assert_eq!(common_type(&a, &b), Some(expected.clone()), "{a} {b}");
            assert_eq!(common_type(&b, &a), Some(expected), "{b} {a}");
        }
        assert_eq!(common_type(&Utf8, &Utf8), None);
        assert_eq!(common_type(&Utf8, &UInt8), None);
    }
}
