//! The small part of URL syntax (RFC 3986) that a connection needs. What it does not know it
//! refuses: a misspelt parameter is an error, not a surprise in production.

use std::fmt;
use std::net::Ipv6Addr;

use super::valkey::ValkeyConnection;
use crate::check;
use crate::error::ValueError;
use crate::limits::BACKEND_URL_MAX_BYTES;

const FIELD: &str = "url";
const DEFAULT_PORT: u16 = 6379;
/// The longest name the DNS can carry.
const HOST_MAX_BYTES: usize = 253;

const fn malformed(expected: &'static str) -> ValueError {
    ValueError::Malformed { field: FIELD, expected }
}

pub(super) fn parse(url: &str) -> Result<ValkeyConnection, ValueError> {
    check::bytes(FIELD, BACKEND_URL_MAX_BYTES, url.len())?;
    let (scheme, rest) = url.split_once("://").ok_or(malformed("scheme://host"))?;
    let tls = match scheme {
        "valkey" | "redis" => false,
        "valkeys" | "rediss" => true,
        _ => {
            return Err(malformed("a scheme of valkey, valkeys, redis, rediss or mem"));
        }
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, address) = authority.rsplit_once('@').unwrap_or(("", authority));

    let (host, port) = parse_address(address)?;
    let mut connection = ValkeyConnection::new(host, port)
        .with_tls(tls)
        .with_database(parse_database(path)?)
        .with_cluster(parse_cluster(query)?);
    let (username, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    if !username.is_empty() {
        connection = connection.with_username(percent_decode(username)?);
    }
    if !password.is_empty() {
        connection = connection.with_password(percent_decode(password)?);
    }
    Ok(connection)
}

fn parse_address(address: &str) -> Result<(&str, u16), ValueError> {
    let (host, port) = if let Some(bracketed) = address.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(malformed("a closing bracket"))?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(malformed("an IPv6 address within brackets"));
        }
        match rest {
            "" => (host, None),
            _ => (host, Some(rest.strip_prefix(':').ok_or(malformed("a port after the host"))?)),
        }
    } else {
        let (host, port) = match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        };
        let is_host_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if !(1..=HOST_MAX_BYTES).contains(&host.len()) || !host.bytes().all(is_host_byte) {
            return Err(malformed("a host of 1..=253 of [A-Za-z0-9._-]"));
        }
        (host, port)
    };
    let port = port.map_or(Ok(DEFAULT_PORT), |port| {
        digits(port).filter(|port| *port != 0).ok_or(malformed("a port of 1..=65535"))
    })?;
    Ok((host, port))
}

fn parse_database(path: &str) -> Result<u32, ValueError> {
    if path.is_empty() {
        return Ok(0);
    }
    digits(path).ok_or(malformed("a database number as path"))
}

fn parse_cluster(query: &str) -> Result<bool, ValueError> {
    match query {
        "" | "cluster=false" => Ok(false),
        "cluster=true" => Ok(true),
        _ => Err(malformed("no parameter but cluster=true or cluster=false")),
    }
}

/// A decimal number without sign.
fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn percent_decode(text: &str) -> Result<String, ValueError> {
    let refused = malformed("credentials in UTF-8, percent-encoded");
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (Some(high), Some(low)) =
            (bytes.next().and_then(hex_digit), bytes.next().and_then(hex_digit))
        else {
            return Err(refused);
        };
        decoded.push(high << 4 | low);
    }
    String::from_utf8(decoded).map_err(|_| refused)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Percent-encodes all but unreserved bytes, so that what is shown can be read in one way only.
pub(super) fn write_encoded(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            write!(f, "{}", char::from(byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        let plain = |host: &str, port| ValkeyConnection::new(host, port);
        let cases = [
            ("valkey://db", plain("db", 6379)),
            ("redis://db/", plain("db", 6379)),
            ("rediss://db", plain("db", 6379).with_tls(true)),
            ("valkeys://10.0.0.1:1/7", plain("10.0.0.1", 1).with_tls(true).with_database(7)),
            ("valkey://db?cluster=true", plain("db", 6379).with_cluster(true)),
            ("valkey://db/0?cluster=false", plain("db", 6379)),
            ("valkey://[::1]", plain("::1", 6379)),
            ("valkey://[2001:db8::2]:7000", plain("2001:db8::2", 7000)),
            ("valkey://u@db", plain("db", 6379).with_username("u")),
            ("valkey://:p@db", plain("db", 6379).with_password("p")),
            ("valkey://u:@db", plain("db", 6379).with_username("u")),
            (
                "valkey://u%3A1:p%40%2f%C3%A9:x@db:65535",
                plain("db", 65_535).with_username("u:1").with_password("p@/é:x"),
            ),
            ("valkey://u:p@w@db", plain("db", 6379).with_username("u").with_password("p@w")),
        ];

        for (url, expected) in cases {
            assert_eq!(parse(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for bad in [
            "",
            "db",
            "db:6379",
            "http://db",
            "VALKEY://db",
            "valkey://",
            "valkey://:6379",
            "valkey://u:p@",
            "valkey://d b",
            "valkey://dü",
            "valkey://db:",
            "valkey://db:0x1",
            "valkey://db:+1",
            "valkey://db:0",
            "valkey://db:65536",
            "valkey://::1",
            "valkey://[::1",
            "valkey://[::1]7000",
            "valkey://[db]",
            "valkey://db/x",
            "valkey://db/-1",
            "valkey://db/4294967296",
            "valkey://db/1/2",
            "valkey://db?cluster",
            "valkey://db?cluster=yes",
            "valkey://db?replicas=true",
            "valkey://db#x",
            "valkey://u:%@db",
            "valkey://u:%4@db",
            "valkey://u:%zz@db",
            "valkey://u:%ff@db",
        ] {
            assert!(matches!(parse(bad), Err(ValueError::Malformed { field: "url", .. })), "{bad}");
        }
        let long = format!("valkey://u:{}@db", "p".repeat(4_096));
        assert!(matches!(parse(&long), Err(ValueError::TooLong { field: "url", .. })));
    }

    #[test]
    fn a_shown_url_reads_back_but_for_its_password() {
        let url = "valkeys://a%40b@[::1]:7000/2?cluster=true";
        let connection = parse(url).unwrap();
        assert_eq!(connection.to_string(), url);

        let secret = connection.with_password("hunter2");
        assert_eq!(secret.to_string(), "valkeys://a%40b:***@[::1]:7000/2?cluster=true");
    }
}
