//! How one function is put together: which ports it holds, which adapters it makes, and what each of them is told.

use std::collections::{BTreeMap, BTreeSet};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Item, Token};

use crate::Tree;
use crate::names::{idents_in, idents_of, is_test};

/// An adapter, made with settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its type.
    pub adapter: String,
    /// The function of the type that makes it.
    pub constructor: String,
    /// The variables of the environment behind each argument, by its place.
    pub variables: Vec<BTreeSet<String>>,
}

/// What a function's sources say.
#[derive(Debug, Default)]
pub struct Wiring {
    /// Every trait of a `dyn`, those of what it calls in `shared/lambda` and of the adapters that AWS has no part in
    /// among them.
    pub ports: BTreeSet<String>,
    /// What it makes.
    pub made: Vec<Made>,
    /// The names of all methods that are called where adapters are made.
    pub methods: BTreeSet<String>,
}

/// Rooms whose types hold ports for a function that names them: they call them in its stead.
const BETWEEN: [&str; 2] = ["github", "server"];

/// Reads `functions/<name>`.
///
/// # Errors
/// A finding, for the first file that is no Rust.
pub fn of_function(tree: &Tree, name: &str, is_adapter: &dyn Fn(&str) -> bool) -> Result<Wiring, String> {
    let own = format!("functions/{name}/src/");
    let settings = settings(&parsed(tree, &format!("{own}settings.rs"))?);
    let mut wiring = Wiring::default();
    let mut called = BTreeSet::new();
    let mut named = BTreeSet::new();
    let mut owners = BTreeSet::new();
    for (path, _) in tree.rust().filter(|(path, _)| path.starts_with(&own) && !path.ends_with("tests.rs")) {
        let file = parsed(tree, path)?;
        let mut reader = Reader {
            settings: &settings,
            is_adapter,
            bound: BTreeMap::new(),
            found: Wiring::default(),
            called: BTreeSet::new(),
            named: BTreeSet::new(),
            owners: BTreeSet::new(),
        };
        reader.visit_file(&file);
        let Reader { found, called: calls, named: names, owners: types, .. } = reader;
        owners.extend(types);
        wiring.ports.extend(found.ports);
        if !found.made.is_empty() {
            wiring.methods.extend(found.methods);
        }
        wiring.made.extend(found.made);
        called.extend(calls);
        named.extend(names);
    }
    // The batch loop, what else it makes of shared/lambda, and the adapters between hold ports for the function.
    for (path, _) in tree.rust().filter(|(path, _)| path.starts_with("shared/lambda/src/")) {
        for item in parsed(tree, path)?.items {
            if let Item::Fn(function) = &item
                && called.contains(&function.sig.ident.to_string())
            {
                let mut ports = Ports(BTreeSet::new());
                ports.visit_signature(&function.sig);
                wiring.ports.extend(ports.0);
            } else if let Item::Struct(held) = &item
                && owners.contains(&held.ident.to_string())
            {
                let mut ports = Ports(BTreeSet::new());
                ports.visit_item_struct(held);
                wiring.ports.extend(ports.0);
            }
        }
    }
    for room in BETWEEN.into_iter().filter(|room| named.contains(*room)) {
        let folder = format!("shared/{room}/src/");
        for (path, _) in tree.rust().filter(|(path, _)| path.starts_with(&folder)) {
            let mut ports = Ports(BTreeSet::new());
            ports.visit_file(&parsed(tree, path)?);
            wiring.ports.extend(ports.0);
        }
    }
    Ok(wiring)
}

/// The supertraits of the ports: whoever holds the one holds the other.
///
/// # Errors
/// A finding, when the file is no Rust.
pub fn supertraits(tree: &Tree) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let items = parsed(tree, "shared/domain/src/ports.rs")?.items;
    let traits = items.into_iter().filter_map(|item| if let Item::Trait(item) = item { Some(item) } else { None });
    Ok(traits
        .map(|item| {
            let above = item.supertraits.iter().filter_map(|bound| match bound {
                syn::TypeParamBound::Trait(bound) => bound.path.get_ident().map(ToString::to_string),
                _ => None,
            });
            (item.ident.to_string(), above.collect())
        })
        .collect())
}

fn parsed(tree: &Tree, path: &str) -> Result<syn::File, String> {
    syn::parse_file(tree.text(path).unwrap_or_default()).map_err(|error| format!("{path}: {error}"))
}

/// Which variables of the environment each field of the settings comes from.
fn settings(file: &syn::File) -> BTreeMap<String, BTreeSet<String>> {
    struct Lets {
        variables: BTreeMap<String, BTreeSet<String>>,
        fields: BTreeMap<String, BTreeSet<String>>,
    }
    impl<'ast> Visit<'ast> for Lets {
        fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
            if !is_test(&module.attrs) {
                visit::visit_item_mod(self, module);
            }
        }
        fn visit_local(&mut self, local: &'ast syn::Local) {
            if let Some(init) = &local.init {
                let mut texts = Texts(BTreeSet::new());
                texts.visit_expr(&init.expr);
                let names = texts.0.into_iter().filter(|text| crate::stack::is_setting(text));
                let names: BTreeSet<String> = names.collect();
                self.variables.extend(idents_of(&local.pat).into_iter().map(|ident| (ident, names.clone())));
            }
            visit::visit_local(self, local);
        }
        fn visit_field_value(&mut self, value: &'ast syn::FieldValue) {
            if let syn::Member::Named(name) = &value.member {
                self.fields.insert(name.to_string(), idents_in(&value.expr));
            }
            visit::visit_field_value(self, value);
        }
    }
    let mut lets = Lets { variables: BTreeMap::new(), fields: BTreeMap::new() };
    lets.visit_file(file);
    let Lets { variables, fields } = lets;
    let of =
        |idents: &BTreeSet<String>| idents.iter().filter_map(|ident| variables.get(ident)).flatten().cloned().collect();
    fields.iter().map(|(field, idents)| (field.clone(), of(idents))).collect()
}

struct Texts(BTreeSet<String>);

impl<'ast> Visit<'ast> for Texts {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.0.insert(text.value());
    }
}

/// The traits of every `dyn`.
struct Ports(BTreeSet<String>);

impl<'ast> Visit<'ast> for Ports {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }
    fn visit_type_trait_object(&mut self, object: &'ast syn::TypeTraitObject) {
        self.0.extend(object.bounds.iter().filter_map(|bound| match bound {
            syn::TypeParamBound::Trait(bound) => bound.path.segments.last().map(|it| it.ident.to_string()),
            _ => None,
        }));
        visit::visit_type_trait_object(self, object);
    }
}

struct Reader<'a> {
    settings: &'a BTreeMap<String, BTreeSet<String>>,
    is_adapter: &'a dyn Fn(&str) -> bool,
    /// Names that stand for what a setting holds.
    bound: BTreeMap<String, BTreeSet<String>>,
    found: Wiring,
    /// Functions that are called, by their last name.
    called: BTreeSet<String>,
    /// The first names of paths: crates among them.
    named: BTreeSet<String>,
    /// The types whose functions are called.
    owners: BTreeSet<String>,
}

impl Reader<'_> {
    /// The variables behind an expression: those of the settings it mentions, also by another name.
    fn variables(&self, expr: &Expr) -> BTreeSet<String> {
        struct Fields<'a>(&'a BTreeMap<String, BTreeSet<String>>, BTreeSet<String>);
        impl<'ast> Visit<'ast> for Fields<'_> {
            fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
                if let (Expr::Path(base), syn::Member::Named(name)) = (&*field.base, &field.member)
                    && base.path.is_ident("settings")
                {
                    self.1.extend(self.0.get(&name.to_string()).cloned().unwrap_or_default());
                }
                visit::visit_expr_field(self, field);
            }
        }
        let mut fields = Fields(self.settings, BTreeSet::new());
        fields.visit_expr(expr);
        fields.1.extend(idents_in(expr).iter().filter_map(|ident| self.bound.get(ident)).flatten().cloned());
        fields.1
    }

    fn bind(&mut self, idents: BTreeSet<String>, expr: &Expr) {
        let variables = self.variables(expr);
        self.bound.extend(idents.into_iter().map(|ident| (ident, variables.clone())));
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_type_trait_object(&mut self, object: &'ast syn::TypeTraitObject) {
        let mut ports = Ports(BTreeSet::new());
        ports.visit_type_trait_object(object);
        self.found.ports.extend(ports.0);
    }

    fn visit_use_path(&mut self, path: &'ast syn::UsePath) {
        self.named.insert(path.ident.to_string());
        visit::visit_use_path(self, path);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.named.extend(path.segments.first().map(|it| it.ident.to_string()));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(path) = &*call.func {
            let mut names = path.path.segments.iter().rev().map(|it| it.ident.to_string());
            let (last, owner) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
            if (self.is_adapter)(&owner) {
                let variables = call.args.iter().map(|argument| self.variables(argument)).collect();
                self.found.made.push(Made { adapter: owner.clone(), constructor: last.clone(), variables });
            }
            self.called.insert(last);
            self.owners.insert(owner);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.found.methods.insert(call.method.to_string());
        for closure in call.args.iter().filter_map(|it| if let Expr::Closure(it) = it { Some(it) } else { None }) {
            closure.inputs.iter().for_each(|input| self.bind(idents_of(input), &call.receiver));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_match(&mut self, it: &'ast syn::ExprMatch) {
        it.arms.iter().for_each(|arm| self.bind(idents_of(&arm.pat), &it.expr));
        visit::visit_expr_match(self, it);
    }

    fn visit_expr_let(&mut self, it: &'ast syn::ExprLet) {
        self.bind(idents_of(&it.pat), &it.expr);
        visit::visit_expr_let(self, it);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        visit::visit_local(self, local);
        if let Some(init) = &local.init {
            self.bind(idents_of(&local.pat), &init.expr);
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Ok(arguments) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            for argument in arguments {
                let mut inner = Reader {
                    settings: self.settings,
                    is_adapter: self.is_adapter,
                    bound: self.bound.clone(),
                    found: Wiring::default(),
                    called: BTreeSet::new(),
                    named: BTreeSet::new(),
                    owners: BTreeSet::new(),
                };
                inner.visit_expr(&argument);
                self.found.ports.extend(inner.found.ports);
                self.found.made.extend(inner.found.made);
                self.found.methods.extend(inner.found.methods);
                self.called.extend(inner.called);
                self.named.extend(inner.named);
                self.owners.extend(inner.owners);
            }
        }
    }
}
