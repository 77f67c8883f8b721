//! A gibibyte each way, and the memory that it takes.

use moorline_tests::network::Route;
use moorline_tests::scenario::{self, Ends};
use moorline_tests::{turn, usage};

const GIBIBYTE: u64 = 1 << 30;
const MOST_MEMORY: u64 = 64 << 20;

#[test]
fn a_gibibyte_each_way_arrives_whole_and_memory_stays_small() {
    let _turn = turn::heavy();
    let route = Route::start();
    scenario::bulk(Ends { entry: route.entry, target: route.target }, GIBIBYTE).unwrap();
    for (name, process) in
        [("forward", &route.east.process), ("hub", &route.hub.process), ("binding", &route.west.process)]
    {
        let (peak, ticks) = (usage::peak_resident(process.id()), usage::processor_ticks(process.id()));
        println!("{name}: {} KiB resident at most, {ticks} ticks of processor time", peak / 1024);
        assert!(peak < MOST_MEMORY, "{name} had {peak} bytes resident");
    }
}

#[test]
fn both_directions_at_once_keep_memory_small() {
    let _turn = turn::heavy();
    let route = Route::start();
    let ends = Ends { entry: route.entry, target: route.target };
    scenario::bulk_both_ways(ends, 128 << 20).unwrap();
    for process in [&route.east.process, &route.hub.process, &route.west.process] {
        assert!(usage::peak_resident(process.id()) < MOST_MEMORY);
    }
}
