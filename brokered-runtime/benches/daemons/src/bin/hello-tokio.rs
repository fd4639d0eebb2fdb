//! `hello-tokio ENDPOINT`: a hello daemon on `#[tokio::main]`, written as in tokio's documentation.
#![forbid(unsafe_code)]

#[cfg(unix)]
#[tokio::main]
async fn main() -> std::io::Result<()> {
    use std::io;
    use tokio::io::AsyncWriteExt as _;

    let endpoint = std::env::args_os()
        .nth(1)
        .ok_or(io::ErrorKind::InvalidInput)?;
    match std::fs::remove_file(&endpoint) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = tokio::net::UnixListener::bind(&endpoint)?;
    loop {
        let (mut client, _) = listener.accept().await?;
        tokio::spawn(async move { client.write_all(b"hello\n").await });
    }
}

#[cfg(not(unix))]
fn main() {
    eprintln!("hello-tokio: Unix only");
}
