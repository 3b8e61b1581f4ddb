//! The names in a piece of Rust's syntax.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Expr, Pat, Type};

/// Whether it is there for tests only.
pub(crate) fn is_test(attributes: &[syn::Attribute]) -> bool {
    let cfg = |it: &&syn::Attribute| it.path().is_ident("cfg");
    attributes.iter().filter(cfg).any(|it| it.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test")))
}

/// The names that a type is made of: `Arc<dyn Clock>` is `Arc` and `Clock`.
pub(crate) fn names(of: &Type) -> BTreeSet<String> {
    struct Names(BTreeSet<String>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
            self.0.insert(segment.ident.to_string());
            visit::visit_path_segment(self, segment);
        }
    }
    let mut names = Names(BTreeSet::new());
    names.visit_type(of);
    names.0
}

/// The names that a pattern binds.
pub(crate) fn idents_of(pat: &Pat) -> BTreeSet<String> {
    struct Idents(BTreeSet<String>);
    impl<'ast> Visit<'ast> for Idents {
        fn visit_pat_ident(&mut self, ident: &'ast syn::PatIdent) {
            self.0.insert(ident.ident.to_string());
        }
    }
    let mut idents = Idents(BTreeSet::new());
    idents.visit_pat(pat);
    idents.0
}

/// The plain names that an expression mentions.
pub(crate) fn idents_in(expr: &Expr) -> BTreeSet<String> {
    struct Idents(BTreeSet<String>);
    impl<'ast> Visit<'ast> for Idents {
        fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
            self.0.extend(path.path.get_ident().map(ToString::to_string));
        }
    }
    let mut idents = Idents(BTreeSet::new());
    idents.visit_expr(expr);
    idents.0
}
