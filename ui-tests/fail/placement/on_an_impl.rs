use brokered_runtime::brokered_daemon;

struct App;

#[brokered_daemon("indexd")]
impl App {
    pub fn serve(&self) {}
}

fn main() {
    App.serve();
}
