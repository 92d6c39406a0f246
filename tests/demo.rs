//! placeholder
use marie_exporter::demo::server::Server;
#[test]
fn it_starts() {
    let s = Server::start().unwrap();
    println!("{} {}", s.url("x"), s.version());
}
