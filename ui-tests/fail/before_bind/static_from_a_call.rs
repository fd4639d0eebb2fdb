use brokered_runtime::{Bound, brokered_daemon};

struct Index(Vec<String>);

impl Index {
    fn open() -> Self {
        println!("before bind");
        Self(vec!["word".to_owned()])
    }
}

static INDEX: Index = Index::open();

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| {
        println!("{}", INDEX.0.len());
        Ok(())
    })
}
