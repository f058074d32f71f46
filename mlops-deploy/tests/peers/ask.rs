//! One request over HTTP/1.1, as small as it can be.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// The whole answer to one request, which has a body of JSON if it has any; its status and its body.
pub(crate) fn ask(address: &str, method: &str, path: &str, json: &str) -> (u16, String) {
    // HTTP/1.0 has neither chunks nor kept connections.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{json}",
        json.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// The body of what must be there.
pub(crate) fn get(address: &str, path: &str) -> String {
    let (status, body) = ask(address, "GET", path, "");
    assert_eq!(status, 200, "{path}: {body}");
    body
}
