//! The rules hold for this very tree.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use xtask::{RULES, Tree};

/// One test per rule, so that a failure says in its name what is wrong.
macro_rules! hold {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                let (_, rule) = RULES.iter().find(|(name, _)| *name == $name).expect("a rule of that name");
                let findings = rule(&Tree::of_repository().unwrap());
                assert!(findings.is_empty(), "{}", findings.join("\n"));
            }
        )*

        #[test]
        fn every_rule_has_its_test() {
            assert_eq!(RULES.map(|(name, _)| name), [$($name),*]);
        }
    };
}

hold! {
    domain: "the domain is pure",
    mains: "mains are short",
    configuration: "configuration is read in settings only",
    files: "files are short",
    architecture: "the architecture's paths exist",
    samples: "every sample is described",
    readme: "the README names each function",
    texts: "no paths of a machine, no registry hosts",
    functions: "each function has its resource",
    settings: "each setting is in the template",
    table: "the template's table is the store's",
    permissions: "no permission for everything",
    roles: "each role permits what its ports need",
    stars: "stars are explained",
    alarms: "alarms are explained",
    watched: "what can fail has its alarm",
    deliveries: "deliveries are not limited",
    unwinding: "functions unwind",
    costs: "costs add up",
    invocations: "invocations are real",
    queues: "queues keep their promises",
}
