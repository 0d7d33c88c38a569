//! JSON merge patches, after RFC 7396, on the text of the documents: what a patch does not touch stays as
//! it was written, digit for digit.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Objects may lie this deep within each other.
const DEPTH_MAX: usize = 100;

type Object = BTreeMap<String, Box<RawValue>>;

/// The document that a patch makes of another; of `None` when there is none.
///
/// # Errors
/// What is wrong with the patch or the document, as text.
pub(crate) fn merge(document: Option<&str>, patch: &str) -> Result<String, String> {
    let parse = |text: &str| RawValue::from_string(text.to_owned()).map_err(|e| e.to_string());
    let document = document.map(parse).transpose()?;
    merged(document.as_deref(), &parse(patch)?, 0).map(|merged| merged.get().to_owned())
}

fn merged(
    document: Option<&RawValue>,
    patch: &RawValue,
    depth: usize,
) -> Result<Box<RawValue>, String> {
    let Some(patch) = object(patch)? else { return Ok(patch.to_owned()) };
    if depth == DEPTH_MAX {
        return Err(format!("objects lie more than {DEPTH_MAX} deep within each other"));
    }
    let mut result = document.map(object).transpose()?.flatten().unwrap_or_default();
    for (key, value) in patch {
        if value.get() == "null" {
            result.remove(&key);
        } else {
            let value = merged(result.get(&key).map(Box::as_ref), &value, depth + 1)?;
            result.insert(key, value);
        }
    }
    serde_json::value::to_raw_value(&result).map_err(|error| error.to_string())
}

/// The members of a value that is an object.
fn object(value: &RawValue) -> Result<Option<Object>, String> {
    if !value.get().starts_with('{') {
        return Ok(None);
    }
    serde_json::from_str(value.get()).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn the_examples_of_the_standard_hold() {
        for (document, patch, expected) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merge(Some(document), patch).unwrap(), expected, "{document} {patch}");
        }
        assert_eq!(merge(None, r#"{"a":null,"b":{"c":null}}"#).unwrap(), r#"{"b":{}}"#);
    }

    #[test]
    fn every_digit_stays() {
        let document = r#"{"big":123456789012345678901234567890,"list":[],"long":0.10000000000000000000001,"none":{},"text":"\u00e9 \\ \""}"#;
        assert_eq!(merge(Some(document), "{}").unwrap(), document);
        let patch = r#"{"more":18446744073709551616.0000001}"#;
        let merged = merge(Some(document), patch).unwrap();
        assert!(merged.contains("18446744073709551616.0000001"), "{merged}");
        assert!(merged.contains(r#""list":[],"long":0.10000000000000000000001"#), "{merged}");
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_refused() {
        for bad in ["", "{", "{\"a\":}", "nul", "{} {}"] {
            assert!(merge(Some("{}"), bad).is_err(), "{bad}");
            assert!(merge(Some(bad), "{}").is_err(), "{bad}");
        }
        let deep = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert_eq!(merge(None, &deep(DEPTH_MAX)).unwrap(), deep(DEPTH_MAX));
        for depth in [DEPTH_MAX + 1, 20_000] {
            assert!(merge(None, &deep(depth)).is_err(), "{depth}");
        }
    }
}
