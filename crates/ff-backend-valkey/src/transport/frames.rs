//! What the client library answers, in the words of this crate.

use fred::error::{Error, ErrorKind};
use fred::types::Resp3Frame;

use super::TransportError;
use crate::reply::Reply;

/// A server's answer. An error it answered is one here, too, wherever in the reply it stands.
pub(super) fn reply(frame: Resp3Frame) -> Result<Reply, TransportError> {
    Ok(match frame {
        Resp3Frame::BlobString { data, .. }
        | Resp3Frame::SimpleString { data, .. }
        | Resp3Frame::VerbatimString { data, .. } => Reply::Bytes(data),
        Resp3Frame::Number { data, .. } => Reply::Int(data),
        Resp3Frame::Boolean { data, .. } => Reply::Int(i64::from(data)),
        Resp3Frame::Array { data, .. } => {
            Reply::Array(data.into_iter().map(reply).collect::<Result<_, _>>()?)
        }
        Resp3Frame::Map { data, .. } => {
            let mut flat = Vec::with_capacity(data.len() * 2);
            for (key, value) in data {
                flat.push(reply(key)?);
                flat.push(reply(value)?);
            }
            Reply::Array(flat)
        }
        Resp3Frame::SimpleError { data, .. } => {
            return Err(TransportError::Server(data.to_string()));
        }
        Resp3Frame::BlobError { data, .. } => {
            let text = std::str::from_utf8(&data).unwrap_or("ERR an error that is no text");
            return Err(TransportError::Server(text.to_owned()));
        }
        _ => Reply::Nil,
    })
}

/// Why a request has no answer.
pub(super) fn failed(error: Error) -> TransportError {
    match error.kind() {
        ErrorKind::Timeout => TransportError::Timeout(Box::new(error)),
        // The only one of the kind: redirections are not followed by the client library, which
        // has looked up the slots again before it says so.
        ErrorKind::Routing if error.details().contains("redirections") => {
            TransportError::Redirected
        }
        _ if is_from_server(error.details()) => TransportError::Server(error.details().to_owned()),
        ErrorKind::Config | ErrorKind::Url => TransportError::Settings(error.to_string()),
        // The library has no other words for a request that it dropped with its connection.
        _ => TransportError::Disconnected(Box::new(error)),
    }
}

/// Why there is no connection in the first place. What is not going to change by itself is told
/// apart from what may.
pub(super) fn refused(error: Error) -> TransportError {
    let details = error.details();
    if details.contains("InvalidCertificate") {
        let problem = format!("the server's certificate is not trusted: {details}");
        return TransportError::Settings(problem);
    }
    if details.contains("InvalidMessage") {
        let problem = format!("the server speaks no TLS on this port: {details}");
        return TransportError::Settings(problem);
    }
    match failed(error) {
        TransportError::Server(text) if text.contains("max number of clients") => {
            TransportError::Disconnected(text.into())
        }
        // A database that is not there, a command that this server does not know.
        TransportError::Server(text) if text.starts_with("ERR ") => TransportError::Settings(text),
        other => other,
    }
}

/// Errors of a server start with a word in capitals, those of the client library do not.
fn is_from_server(details: &str) -> bool {
    let word = details.split_whitespace().next().unwrap_or("");
    word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_told_apart_from_what_the_client_says() {
        let error = |kind, details: &'static str| failed(Error::new(kind, details));
        for text in ["LOADING Redis is loading", "NOPERM no", "ERR unknown command", "WRONGPASS no"]
        {
            for kind in [ErrorKind::Unknown, ErrorKind::Auth, ErrorKind::Cluster] {
                let failed = error(kind, text);
                assert!(matches!(&failed, TransportError::Server(found) if found == text));
            }
        }
        for (kind, text) in [
            (ErrorKind::Unknown, "Failed to route command."),
            (ErrorKind::Unknown, "Too many failed write attempts."),
            (ErrorKind::Unknown, "Client is not initialized."),
            (ErrorKind::IO, "Unresponsive connection."),
            (ErrorKind::Canceled, "Canceled."),
            (ErrorKind::Backpressure, "Max in-flight commands reached."),
            (ErrorKind::Protocol, "Invalid frame"),
            (ErrorKind::Unknown, ""),
        ] {
            assert!(matches!(error(kind, text), TransportError::Disconnected(_)), "{text}");
        }
        let redirected = error(ErrorKind::Routing, "Too many redirections.");
        assert!(matches!(redirected, TransportError::Redirected));
        let late = error(ErrorKind::Timeout, "Request timed out.");
        assert!(matches!(late, TransportError::Timeout(_)));
    }

    #[test]
    fn what_will_not_change_by_itself_is_a_setting() {
        let error = |details: &'static str| refused(Error::new(ErrorKind::IO, details));
        for text in [
            "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }",
            "Custom { kind: InvalidData, error: InvalidMessage(InvalidContentType) }",
            "ERR DB index is out of range",
        ] {
            assert!(matches!(error(text), TransportError::Settings(_)), "{text}");
        }
        for text in ["ERR max number of clients reached", "Connection refused"] {
            assert!(matches!(error(text), TransportError::Disconnected(_)), "{text}");
        }
    }
}
