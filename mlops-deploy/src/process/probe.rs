//! Asks a replica whether it is ready.

use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use mlops_core::deploy::Probe;
use tokio::net::TcpStream;

/// One question: `Ok` for an answer of 200, otherwise what came instead.
pub(super) async fn ask(port: u16, probe: &Probe) -> Result<(), String> {
    match tokio::time::timeout(probe.timeout, get(port, &probe.path)).await {
        Ok(Ok(StatusCode::OK)) => Ok(()),
        Ok(Ok(status)) => Err(format!("the probe was answered with {status}")),
        Ok(Err(error)) => Err(format!("the probe failed: {error}")),
        Err(_) => Err(format!("the probe had no answer within {}", seconds(probe.timeout))),
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

async fn get(
    port: u16,
    path: &str,
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header("host", format!("127.0.0.1:{port}"))
        .header("connection", "close")
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        Ok::<_, hyper::Error>(response.status())
    };
    tokio::pin!(answer);
    // The connection is driven here rather than by a task of its own, so that nothing is left behind.
    let mut connection = std::pin::pin!(connection);
    let mut open = true;
    loop {
        tokio::select! {
            status = &mut answer => return Ok(status?),
            ended = &mut connection, if open => {
                ended?;
                open = false;
            }
        }
    }
}
