//! Programs that measure Quarray beside its peers. The checker of the ten queries is `benches/check.py`.

fn main() {
    println!("run `python benches/check.py --help`");
}
