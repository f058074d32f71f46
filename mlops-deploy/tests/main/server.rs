//! A small HTTP server for revisions to run: this test binary itself, started with `TEST_SERVER`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use mlops_core::deploy::Process;

/// The command that serves `version`; see [`Settings`] for more of its environment.
pub(crate) fn process(version: &str) -> Process {
    let program = std::env::current_exe().unwrap();
    let argv = [program.to_str().unwrap(), "server::serves", "--exact", "--nocapture"];
    Process::new(argv).unwrap().with_variable("TEST_SERVER", version)
}

/// One request, one answer.
pub(crate) fn get(address: &str, path: &str) -> std::io::Result<String> {
    get_with(address, path, String::new())
}

/// The same with further header lines.
pub(crate) fn get_with(address: &str, path: &str, headers: String) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let answer = std::io::read_to_string(stream)?;
    Ok(answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

struct Settings {
    version: String,
    /// Milliseconds until it is ready.
    ready_after: u64,
    /// Milliseconds until it ends by itself.
    exit_after: Option<u64>,
}

impl Settings {
    fn read() -> Option<Self> {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
        Some(Self {
            version: std::env::var("TEST_SERVER").ok()?,
            ready_after: number("READY_AFTER").unwrap_or(0),
            exit_after: number("EXIT_AFTER"),
        })
    }
}

#[test]
fn serves() {
    if let Some(settings) = Settings::read() {
        let listener = listenfd::ListenFd::from_env().take_tcp_listener(0).unwrap();
        let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
        serve(
            &settings,
            &listener.unwrap_or_else(|| TcpListener::bind(("127.0.0.1", port)).unwrap()),
        );
    }
    // Without the variable: the server's own test.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let settings = Settings { version: "v1".to_owned(), ready_after: 0, exit_after: None };
    std::thread::spawn(move || serve(&settings, &listener));
    assert_eq!(get(&address, "/").unwrap(), format!("v1 {}", std::process::id()));
}

fn serve(settings: &Settings, listener: &TcpListener) -> ! {
    let begin = std::time::Instant::now();
    println!("serving {}", settings.version);
    if let Some(millis) = settings.exit_after {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(millis));
            eprintln!("ending as asked");
            std::process::exit(7);
        });
    }
    loop {
        let (stream, _) = listener.accept().unwrap();
        let ready = begin.elapsed() >= Duration::from_millis(settings.ready_after);
        let (version, ready) = (settings.version.clone(), ready);
        std::thread::spawn(move || answer(stream, &version, ready));
    }
}

fn answer(stream: TcpStream, version: &str, ready: bool) {
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
        line.clear();
    }
    let status = if ready { "200 OK" } else { "503 Service Unavailable" };
    let body = format!("{version} {}", std::process::id());
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close", body.len());
    // A client that has gone away wants no answer.
    write!(&stream, "{head}\r\n\r\n{body}").ok();
}
