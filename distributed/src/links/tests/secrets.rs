//! Secrets are long enough, and never shown.

use super::*;

#[test]
fn a_secret_has_its_length() -> TestResult {
    assert!(matches!(Secret::new(b"short"), Err(LinkError::SecretTooShort { found: 5, expected: 16 })));
    assert!(matches!(Secret::new(b"   0123456789abcde   \n"), Err(LinkError::SecretTooShort { found: 15, .. })));
    assert!(matches!(Secret::new(&[b'x'; 5000]), Err(LinkError::SecretTooLong { .. })));
    assert!(matches!(Secret::new(b"0123456789abcde\0f"), Err(LinkError::SecretWithZero)));
    assert!(Secret::new(b"0123456789abcdef\n")? == Secret::new(b"0123456789abcdef")?);
    Ok(())
}

#[test]
fn a_secret_is_not_shown() -> TestResult {
    let word = "correct horse battery staple";
    let secret = Secret::new(word.as_bytes())?;
    let identity = Identity::new(&secret)?;
    for shown in [format!("{secret:?}"), format!("{identity:?}"), format!("{:?}", identity.prover)] {
        assert!(!shown.contains("horse"), "{shown}");
        assert!(!shown.contains("104, 111, 114, 115, 101"), "{shown}");
    }
    let error = Secret::new(b"tiny horse").err().ok_or("it was taken")?;
    assert!(!format!("{error} {error:?}").contains("horse"));
    Ok(())
}

#[test]
fn a_secret_from_a_file() -> TestResult {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "0123456789abcdef\n")?;
    assert!(Secret::from_file(file.path())? == Secret::new(b"0123456789abcdef")?);
    std::fs::write(file.path(), vec![b'x'; 1 << 20])?;
    assert!(matches!(Secret::from_file(file.path()), Err(LinkError::SecretTooLong { .. })));
    let nowhere = file.path().with_extension("nowhere");
    let error = Secret::from_file(&nowhere).err().ok_or("it was read")?.to_string();
    assert!(error.starts_with("cannot read the secret of the cluster from "), "{error}");
    Ok(())
}
