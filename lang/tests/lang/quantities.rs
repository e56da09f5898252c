//! Sizes and durations to text and back.

use std::time::Duration;

use proptest::prelude::*;
use quarray_lang::quantity::{
    BYTES_MAX, DURATION_MAX, bytes_text, duration_text, parse_bytes, parse_duration, rounded_bytes_text,
};

#[test]
fn sizes_are_binary_or_decimal() {
    let cases = [
        ("2 GiB", 2 << 30),
        ("2gib", 2 << 30),
        ("400 MB", 400_000_000),
        ("400M", 400_000_000),
        ("1.5 gb", 1_500_000_000),
        ("0.5 KiB", 512),
        (".5kB", 500),
        ("1.9 B", 1),
        ("4096", 4096),
        (" 12  bytes ", 12),
        ("1 TiB", 1 << 40),
        ("0", 0),
        ("0.1 GiB", 107_374_182),
        ("9007199254740992", BYTES_MAX),
        ("8192 TiB", BYTES_MAX),
    ];
    for (text, bytes) in cases {
        assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
    }
}

#[test]
fn sizes_for_people_have_two_digits() {
    let cases = [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1_234_567, "1.2 MB"),
        (9_949_999, "9.9 MB"),
        (9_950_000, "10 MB"),
        (64_000_000, "64 MB"),
        (769_600, "770 kB"),
        (999_600, "1 MB"),
        (u64::MAX, "18 EB"),
    ];
    for (bytes, text) in cases {
        assert_eq!(rounded_bytes_text(bytes), text, "{bytes}");
    }
}

#[test]
fn durations_have_units_and_add_up() {
    let cases = [
        ("5 minutes", 300_000),
        ("1 MINUTE", 60_000),
        ("1.5h", 5_400_000),
        ("1 hour 30 minutes", 5_400_000),
        ("1h30m", 5_400_000),
        ("90", 90_000),
        ("0.25", 250),
        ("500 ms", 500),
        ("0.9 ms", 0),
        ("2 days", 172_800_000),
    ];
    for (text, milliseconds) in cases {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
}

#[test]
fn what_is_no_quantity_is_told() {
    let sizes = [
        ("", "expected a size such as '2 GiB', found ''"),
        ("GiB", "expected a size such as '2 GiB', found 'GiB'"),
        ("-1 GiB", "expected a size such as '2 GiB', found '-1 GiB'"),
        ("1 GiB 5 MiB", "expected a size such as '2 GiB', found '1 GiB 5 MiB'"),
        ("1.2.3 MB", "expected a size such as '2 GiB', found '1.2.3 MB'"),
        (".", "expected a size such as '2 GiB', found '.'"),
        ("1e9", "expected a size in TiB, TB, GiB, GB, MiB, MB, KiB, kB, B, found the unit `e`"),
        ("3 parsecs", "expected a size in TiB, TB, GiB, GB, MiB, MB, KiB, kB, B, found the unit `parsecs`"),
        (
            "2 GIBS",
            "expected a size in TiB, TB, GiB, GB, MiB, MB, KiB, kB, B, found the unit `GIBS`; did you mean `GiB`?",
        ),
        ("9007199254740993", "expected a size of at most 8192 TiB, found '9007199254740993'"),
        ("8193 TiB", "expected a size of at most 8192 TiB, found '8193 TiB'"),
        ("٣ GiB", "expected a size such as '2 GiB', found '٣ GiB'"),
    ];
    for (text, message) in sizes {
        assert_eq!(parse_bytes(text).unwrap_err().to_string(), message, "{text}");
    }
    let huge = "9".repeat(400);
    assert!(parse_bytes(&huge).unwrap_err().message.starts_with("expected a size of at most 8192 TiB"));
    let durations = [
        ("soon", "expected a duration such as '5 minutes', found 'soon'"),
        ("1 hour 30", "expected a duration such as '5 minutes', found '1 hour 30'"),
        (
            "5 minuts",
            "expected a duration in day, hour, minute, second, ms, found the unit `minuts`; did you mean `minutes`?",
        ),
        ("40000 days", "expected a duration of at most 36500 days, found '40000 days'"),
        ("36500 days 1 ms", "expected a duration of at most 36500 days, found '36500 days 1 ms'"),
    ];
    for (text, message) in durations {
        assert_eq!(parse_duration(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn the_largest_whole_unit_is_written() {
    let sizes = [
        (0, "0 B"),
        (1, "1 B"),
        (1_000, "1 kB"),
        (1_024, "1 KiB"),
        (1_536 << 20, "1536 MiB"),
        (2_000_000_000, "2 GB"),
        (BYTES_MAX, "8192 TiB"),
    ];
    for (bytes, text) in sizes {
        assert_eq!(bytes_text(bytes), text);
    }
    let durations = [
        (0, "0 seconds"),
        (1, "1 ms"),
        (1_000, "1 second"),
        (90_000, "90 seconds"),
        (300_000, "5 minutes"),
        (172_800_000, "2 days"),
    ];
    for (milliseconds, text) in durations {
        assert_eq!(duration_text(Duration::from_millis(milliseconds)), text);
    }
}

proptest! {
    #[test]
    fn every_size_survives(bytes in 0..=BYTES_MAX) {
        prop_assert_eq!(parse_bytes(&bytes_text(bytes)), Ok(bytes));
    }

    #[test]
    fn every_duration_survives(milliseconds in 0..=DURATION_MAX.as_secs() * 1_000) {
        let duration = Duration::from_millis(milliseconds);
        prop_assert_eq!(parse_duration(&duration_text(duration)), Ok(duration));
    }

    #[test]
    fn no_text_panics(text in "[0-9. a-zA-Zé-]{0,30}") {
        let _ = (parse_bytes(&text), parse_duration(&text));
    }
}
