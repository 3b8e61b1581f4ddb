//! The stories that AWS is told too.

use crate::yard::Local;

macro_rules! on_one_machine {
    ($file:ident: [$($story:ident,)*]) => {
        mod $file {
            $(
                #[tokio::test]
                async fn $story() {
                    let yard = super::Local::start().await;
                    testkit::stories::$file::$story(&yard).await;
                }
            )*
        }
    };
}

testkit::every_story!(on_one_machine);
