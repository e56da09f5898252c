//! What the parts of a query take, each by itself: `cargo bench --workspace --bench parts -- [kernel|decode|language]`.
//! Throughputs are of decoded bytes; `memcpy` beside them is what copying as many takes.

mod decode;
mod kernel;
mod language;

fn main() {
    divan::main();
}
