//! However the work is cut, every selected cell is read once, and nothing is promised that does not hold.

use super::layout::{Layout, Told};
use super::*;

fn settings(block_bytes: u64) -> PlanSettings {
    PlanSettings { threads: 2, block_bytes, partitions_max: u64::MAX }
}

fn work(layout: &Layout, fastest: Option<usize>, block_bytes: u64) -> WorkGrid {
    WorkGrid::of_layout(layout, fastest, settings(block_bytes))
}

/// An array of 8 byte cells, all of which are selected.
fn layout(lengths: &[u64], chunk_shape: &[u64], told: Option<Told>) -> Layout {
    Layout {
        positions: lengths.iter().map(|&length| Positions::all(length)).collect(),
        lengths: lengths.to_vec(),
        chunk_shape: chunk_shape.to_vec(),
        cell_bytes: 8,
        told,
    }
}

/// The boxes of the blocks of every partition.
fn boxes(work: &WorkGrid) -> Vec<Vec<Region>> {
    let blocks = |(start, end): (u64, u64)| (start..end).filter_map(|number| work.block(number)).collect();
    work.partitions().into_iter().map(blocks).collect()
}

/// The cells of a box, by their number in C order.
fn cells(region: &Region, shape: &[u64]) -> Vec<u64> {
    (0..shape.len()).fold(vec![0], |outer, d| {
        let along = || region.start[d]..region.end(d);
        outer.iter().flat_map(|&cell| along().map(move |place| cell * shape[d] + place)).collect()
    })
}

#[test]
fn every_cell_is_read_once_however_it_is_cut() {
    // A generator of numbers of its own: the same cases in every run.
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut below = move |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let mut in_order = 0;
    for case in 0..3000 {
        let rank = 1 + below(3) as usize;
        let lengths: Vec<u64> = (0..rank).map(|_| 1 + below(12)).collect();
        let chunk_shape: Vec<u64> = lengths.iter().map(|&length| 1 + below(length)).collect();
        let told = match below(3) {
            0 => None,
            1 => Some(Told::Chunks(1 + below(9))),
            _ => Some(Told::Along((0..rank).map(|_| 1 + below(5)).collect())),
        };
        let mut layout = layout(&lengths, &chunk_shape, told);
        for positions in &mut layout.positions {
            let (keep, from) = (1 + below(4), below(3));
            *positions = positions.filter(|selected| selected >= from && (selected * 7) % 4 < keep);
        }
        let fastest = (below(4) == 0).then(|| below(rank as u64) as usize);
        let work = work(&layout, fastest, 8 * (1 + below(40)));
        let shape: Vec<u64> = layout.positions.iter().map(Positions::count).collect();
        let (partitions, boxes) = (work.partitions(), boxes(&work));
        let told = format!("case {case}: {layout:?}, fastest {fastest:?}");
        assert!(partitions.windows(2).all(|pair| pair[0].1 == pair[1].0), "{told}: {partitions:?}");
        assert_eq!((partitions[0].0, partitions[partitions.len() - 1].1), (0, work.total()), "{told}");
        for (&(start, end), boxes) in partitions.iter().zip(&boxes) {
            let bounds = work.bounds(start, end);
            let is_within = |region: &Region, bounds: &Region| {
                (0..rank).all(|d| bounds.start[d] <= region.start[d] && region.end(d) <= bounds.end(d))
            };
            let holds = |region| bounds.as_ref().is_some_and(|bounds| is_within(region, bounds));
            assert!(boxes.iter().all(holds), "{told}: {bounds:?} {boxes:?}");
        }
        let read: Vec<u64> = boxes.iter().flatten().flat_map(|region| cells(region, &shape)).collect();
        let mut sorted = read.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..shape.iter().product::<u64>()), "{told}: {sorted:?}");
        if work.is_row_order() {
            in_order += 1;
            assert_eq!(read, sorted, "{told}");
        }
    }
    assert!(in_order > 100, "{in_order}");
}

#[test]
fn a_partition_has_as_many_chunks_as_were_told() {
    // Chunks of a block each: 5 of them along both axes.
    let partitions = |told: Option<Told>| work(&layout(&[50, 50], &[10, 10], told), None, 800).partitions();
    assert_eq!(partitions(None).len(), 8);
    assert_eq!(partitions(Some(Told::Chunks(1))).len(), 25);
    assert_eq!(partitions(Some(Told::Chunks(4))), [(0, 4), (4, 8), (8, 12), (12, 16), (16, 20), (20, 24), (24, 25)]);
    assert_eq!(partitions(Some(Told::Chunks(1000))), [(0, 25)]);
    let along = |chunks: &[u64]| partitions(Some(Told::Along(chunks.to_vec()))).len();
    assert_eq!(
        (along(&[1, 1]), along(&[2, 1]), along(&[2, 3]), along(&[100, 1]), along(&[u64::MAX, 9])),
        (25, 15, 6, 5, 1)
    );
}

#[test]
fn boxes_of_chunks_are_read_chunk_by_chunk() {
    let work = work(&layout(&[4, 40], &[2, 10], Some(Told::Along(vec![2, 2]))), None, 160);
    let starts: Vec<Vec<u64>> = boxes(&work).concat().into_iter().map(|region| region.start).collect();
    assert_eq!(starts, [[0, 0], [0, 10], [2, 0], [2, 10], [0, 20], [0, 30], [2, 20], [2, 30]]);
}

#[test]
fn small_chunks_are_read_together_within_a_partition() {
    let work = |chunks| work(&layout(&[1000], &[1], Some(Told::Chunks(chunks))), None, 8000);
    assert_eq!((work(10).total(), work(10).partitions().len()), (100, 100));
    assert_eq!((work(2000).total(), work(2000).partitions().len()), (1, 1));
}

#[test]
fn partitions_are_not_without_number() {
    let work = work(&layout(&[1 << 20], &[1], Some(Told::Chunks(1))), None, 8);
    let partitions = work.partitions();
    assert_eq!((partitions.len(), partitions[1023]), (1024, ((1 << 20) - 1024, 1 << 20)));
    let rows = WorkGrid { partitions_max: settings(8).for_rows().partitions_max, ..work };
    assert_eq!(rows.partitions().len(), 64);
}
