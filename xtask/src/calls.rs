//! What an adapter asks of AWS: read from its source, by following the calls that begin at a port.
//!
//! Types decide where a call leads: those of `self` and its fields, of parameters, and of what a constructor returns. What
//! is awaited on a value of unknown type counts as a call of every method of that name and arity in the crate: rather
//! one permission asked for too many, which somebody sees, than one too few, which only AWS would tell.

use std::collections::{BTreeMap, BTreeSet};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall, FnArg, ImplItem, Item, Pat, Signature, Token};

use crate::names::{idents_in, idents_of, is_test, names};

/// Methods of the SDK's requests that say which resource is meant.
const RESOURCE: [&str; 6] = ["topic_arn", "queue_url", "bucket", "table_name", "name", "source_arn"];

/// A call of the SDK.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The operation, as the SDK's client has it: `get_item`.
    pub operation: String,
    /// The field of the calling type that names the resource, and that type; none when something else names it.
    pub field: Option<(String, String)>,
}

/// One function: where it stands, its type if it has one, its parameters and its body.
struct Function {
    file: String,
    owner: Option<String>,
    sig: Signature,
    block: syn::Block,
}

/// The code of one crate, without its tests.
#[derive(Default)]
pub struct Code {
    functions: Vec<Function>,
    /// Fields of each type, with the names that their types are made of.
    fields: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Which types implement a trait, and with which methods.
    implementors: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    public: BTreeSet<String>,
}

/// What was found on the way.
#[derive(Default)]
pub struct Reached {
    /// Calls of the SDK.
    pub calls: BTreeSet<Call>,
    /// Names in upper case that were mentioned: constants.
    pub constants: BTreeSet<String>,
    /// The functions that were gone through, `file: name`.
    pub functions: BTreeSet<String>,
}

impl Code {
    /// Reads files, by path and text.
    ///
    /// # Errors
    /// A finding, for the first file that is no Rust.
    pub fn of<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut code = Self::default();
        for (path, text) in files {
            let file = syn::parse_file(text).map_err(|error| format!("{path}: {error}"))?;
            code.items(path, &file.items);
        }
        Ok(code)
    }

    fn items(&mut self, path: &str, items: &[Item]) {
        for item in items {
            match item {
                Item::Mod(module) if !is_test(&module.attrs) => {
                    self.items(path, module.content.as_ref().map(|(_, items)| items.as_slice()).unwrap_or_default());
                }
                Item::Struct(item) if !is_test(&item.attrs) => {
                    if matches!(item.vis, syn::Visibility::Public(_)) {
                        self.public.insert(item.ident.to_string());
                    }
                    let fields =
                        item.fields.iter().filter_map(|it| Some((it.ident.as_ref()?.to_string(), names(&it.ty))));
                    self.fields.insert(self.key(path, &item.ident.to_string()), fields.collect());
                }
                Item::Fn(item) if !is_test(&item.attrs) => self.functions.push(Function {
                    file: path.to_owned(),
                    owner: None,
                    sig: item.sig.clone(),
                    block: (*item.block).clone(),
                }),
                Item::Impl(item) if !is_test(&item.attrs) => self.implementation(path, item),
                _ => {}
            }
        }
    }

    fn implementation(&mut self, path: &str, item: &syn::ItemImpl) {
        let Some(owner) = names(&item.self_ty).into_iter().next() else { return };
        for part in &item.items {
            let ImplItem::Fn(method) = part else { continue };
            if let Some((_, port, _)) = &item.trait_ {
                let port = port.segments.last().map(|it| it.ident.to_string()).unwrap_or_default();
                let methods = self.implementors.entry(port).or_default().entry(owner.clone()).or_default();
                methods.insert(method.sig.ident.to_string());
            }
            self.functions.push(Function {
                file: path.to_owned(),
                owner: Some(owner.clone()),
                sig: method.sig.clone(),
                block: method.block.clone(),
            });
        }
    }

    /// Two files may have a type of one name: the second then goes by its file too.
    fn key(&self, path: &str, name: &str) -> String {
        if self.fields.contains_key(name) { format!("{path}::{name}") } else { name.to_owned() }
    }

    /// The types that other crates can make.
    pub fn has_public(&self, name: &str) -> bool {
        self.public.contains(name)
    }

    /// The methods with which a type is that port; none when it is not.
    pub fn port_of(&self, port: &str, owner: &str) -> BTreeSet<String> {
        self.implementors.get(port).and_then(|types| types.get(owner)).cloned().unwrap_or_default()
    }

    /// Whether a type has a method of that name that belongs to no trait.
    pub fn has_own(&self, owner: &str, method: &str) -> bool {
        let of_trait = self.implementors.values().filter_map(|types| types.get(owner)).any(|it| it.contains(method));
        !of_trait && self.functions.iter().any(|it| it.owner.as_deref() == Some(owner) && it.sig.ident == method)
    }

    /// The place of the parameter that a constructor puts into a field.
    pub fn parameter_of(&self, owner: &str, constructor: &str, field: &str) -> Option<usize> {
        let is = |it: &&Function| it.owner.as_deref() == Some(owner) && it.sig.ident == constructor;
        let function = self.functions.iter().find(is)?;
        let mut literal = Literal { field, idents: BTreeSet::new() };
        literal.visit_block(&function.block);
        let parameters = function.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(it) => Some(idents_of(&it.pat)),
            FnArg::Receiver(_) => None,
        });
        parameters.enumerate().find(|(_, idents)| !literal.idents.is_disjoint(idents)).map(|(place, _)| place)
    }

    /// Follows the calls from these methods of a type.
    pub fn reach(&self, owner: &str, methods: impl IntoIterator<Item = String>) -> Reached {
        let mut reached = Reached::default();
        let mut open: Vec<usize> =
            methods.into_iter().flat_map(|method| self.methods(&BTreeSet::from([owner.to_owned()]), &method)).collect();
        let mut seen = BTreeSet::new();
        while let Some(place) = open.pop() {
            if !seen.insert(place) {
                continue;
            }
            let function = &self.functions[place];
            reached.functions.insert(format!("{}: {}", function.file, function.sig.ident));
            let mut body = Body::new(self, function);
            body.visit_block(&function.block);
            reached.calls.append(&mut body.calls);
            reached.constants.append(&mut body.constants);
            open.append(&mut body.leads_to);
        }
        reached
    }

    /// Functions, `file: name`, that call the SDK themselves.
    pub fn callers(&self) -> BTreeSet<String> {
        let calls = |function: &Function| {
            let mut body = Body::new(self, function);
            body.visit_block(&function.block);
            !body.calls.is_empty()
        };
        let callers = self.functions.iter().filter(|function| calls(function));
        callers.map(|function| format!("{}: {}", function.file, function.sig.ident)).collect()
    }

    /// Methods of that name of these types, or of whatever implements these traits.
    fn methods(&self, types: &BTreeSet<String>, method: &str) -> Vec<usize> {
        let behind = types.iter().filter_map(|name| self.implementors.get(name)).flat_map(BTreeMap::keys);
        let types: BTreeSet<&str> = types.iter().map(String::as_str).chain(behind.map(String::as_str)).collect();
        let fits = |it: &Function| it.sig.ident == method && it.owner.as_deref().is_some_and(|it| types.contains(it));
        (0..self.functions.len()).filter(|place| fits(&self.functions[*place])).collect()
    }
}

/// One body, as it is gone through.
struct Body<'a> {
    code: &'a Code,
    function: &'a Function,
    /// What is known of the types of names.
    known: BTreeMap<String, BTreeSet<String>>,
    calls: BTreeSet<Call>,
    constants: BTreeSet<String>,
    leads_to: Vec<usize>,
}

impl<'a> Body<'a> {
    fn new(code: &'a Code, function: &'a Function) -> Self {
        let mut known = BTreeMap::new();
        for input in &function.sig.inputs {
            if let FnArg::Typed(it) = input {
                known.extend(idents_of(&it.pat).into_iter().map(|ident| (ident, names(&it.ty))));
            }
        }
        known.extend(function.owner.iter().map(|owner| ("self".to_owned(), BTreeSet::from([owner.clone()]))));
        Self { code, function, known, calls: BTreeSet::new(), constants: BTreeSet::new(), leads_to: Vec::new() }
    }

    /// The types that an expression may have; none when nothing is known.
    fn types(&self, expr: &Expr) -> Option<BTreeSet<String>> {
        match expr {
            Expr::Path(path) => self.known.get(&path.path.get_ident()?.to_string()).cloned(),
            Expr::Reference(it) => self.types(&it.expr),
            Expr::Paren(it) => self.types(&it.expr),
            Expr::Await(it) => self.types(&it.base),
            Expr::Try(it) => self.types(&it.expr),
            Expr::Field(it) => {
                let syn::Member::Named(member) = &it.member else { return None };
                let of = self.types(&it.base)?;
                let fields =
                    of.iter().flat_map(|name| self.code.fields.iter().filter(move |(key, _)| is_named(key, name)));
                let types: BTreeSet<_> =
                    fields.filter_map(|(_, it)| it.get(&member.to_string())).flatten().cloned().collect();
                Some(types)
            }
            // What a type's own function returns is taken for that type, wrapped in others or not.
            Expr::Call(call) => {
                let Expr::Path(path) = &*call.func else { return None };
                let owner = path.path.segments.iter().rev().nth(1).map(|it| self.own(&it.ident.to_string()));
                let within = call.args.iter().filter_map(|argument| self.types(argument)).flatten();
                owner.map(|owner| owner.into_iter().chain(within).collect())
            }
            _ => None,
        }
    }

    fn own(&self, name: &str) -> BTreeSet<String> {
        let name = if name == "Self" { self.function.owner.clone().unwrap_or_default() } else { name.to_owned() };
        BTreeSet::from([name])
    }

    /// Whether an expression is a client of the SDK.
    fn is_client(&self, expr: &Expr) -> bool {
        let called = match expr {
            Expr::Field(it) => matches!(&it.member, syn::Member::Named(name) if name == "client"),
            Expr::Path(it) => it.path.is_ident("client"),
            _ => false,
        };
        called || self.types(expr).is_some_and(|types| types.contains("Client"))
    }

    /// A chain of calls: `root.first(…).second(…)`.
    fn chain(&mut self, root: &Expr, chain: &[&ExprMethodCall], awaited: bool) {
        let Some(first) = chain.first() else { return };
        if self.is_client(root) {
            let names = chain.iter().find(|it| RESOURCE.iter().any(|word| it.method == word));
            let field = names.and_then(|it| it.args.first()).and_then(own_field);
            let field = field.zip(self.function.owner.clone()).map(|(field, owner)| (owner, field));
            self.calls.insert(Call { operation: first.method.to_string(), field });
            return;
        }
        match self.types(root) {
            Some(types) => {
                for call in chain {
                    self.leads_to.extend(self.code.methods(&types, &call.method.to_string()));
                }
            }
            None if awaited => {
                let Some(last) = chain.last() else { return };
                let named = |it: &Function| {
                    // The first parameter is `self`.
                    it.owner.is_some() && it.sig.ident == last.method && it.sig.inputs.len() == last.args.len() + 1
                };
                let functions = &self.code.functions;
                self.leads_to.extend((0..functions.len()).filter(|place| named(&functions[*place])));
            }
            None => {}
        }
    }

    fn follow(&mut self, expr: &Expr, awaited: bool) -> bool {
        let mut chain = Vec::new();
        let mut root = expr;
        while let Expr::MethodCall(call) = root {
            chain.insert(0, call);
            root = &call.receiver;
        }
        if chain.is_empty() {
            return false;
        }
        self.chain(root, &chain, awaited);
        self.visit_expr(root);
        for call in chain {
            call.args.iter().for_each(|argument| self.visit_expr(argument));
        }
        true
    }
}

impl<'ast> Visit<'ast> for Body<'_> {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Await(it) if self.follow(&it.base, true) => {}
            Expr::MethodCall(_) => {
                self.follow(expr, false);
            }
            _ => visit::visit_expr(self, expr),
        }
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(path) = &*call.func {
            let mut segments = path.path.segments.iter().rev().map(|it| it.ident.to_string());
            let name = segments.next().unwrap_or_default();
            let owner = segments.next();
            let of_type = owner.as_deref().map(|owner| self.code.methods(&self.own(owner), &name)).unwrap_or_default();
            let functions = &self.code.functions;
            let free = |it: &Function| it.owner.is_none() && it.sig.ident == name;
            let free = (0..functions.len()).filter(|place| free(&functions[*place])).collect();
            self.leads_to.extend(if of_type.is_empty() { free } else { of_type });
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        visit::visit_local(self, local);
        let (pat, annotated) = match &local.pat {
            Pat::Type(it) => (&*it.pat, Some(names(&it.ty))),
            pat => (pat, None),
        };
        let types = annotated.or_else(|| self.types(&local.init.as_ref()?.expr));
        for ident in idents_of(pat) {
            match &types {
                Some(types) => self.known.insert(ident, types.clone()),
                None => self.known.remove(&ident),
            };
        }
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let last = path.path.segments.last().map(|it| it.ident.to_string()).unwrap_or_default();
        if last.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
            self.constants.insert(last);
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // Most macros take expressions; what does not read as such is none.
        if let Ok(arguments) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            for argument in arguments {
                let mut inner = Body { known: self.known.clone(), ..Body::new(self.code, self.function) };
                inner.visit_expr(&argument);
                self.calls.append(&mut inner.calls);
                self.constants.append(&mut inner.constants);
                self.leads_to.append(&mut inner.leads_to);
            }
        }
    }
}

/// The identifiers in what a literal gives to one field.
struct Literal<'a> {
    field: &'a str,
    idents: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Literal<'_> {
    fn visit_field_value(&mut self, value: &'ast syn::FieldValue) {
        if matches!(&value.member, syn::Member::Named(name) if name == self.field) {
            self.idents.append(&mut idents_in(&value.expr));
        }
        visit::visit_field_value(self, value);
    }
}

/// `&self.queue` is `queue`.
fn own_field(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Reference(it) => own_field(&it.expr),
        Expr::MethodCall(it) => own_field(&it.receiver),
        Expr::Field(it) => match (&*it.base, &it.member) {
            (Expr::Path(base), syn::Member::Named(name)) if base.path.is_ident("self") => Some(name.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a key of [`Code::fields`] is a type of that name.
fn is_named(key: &str, name: &str) -> bool {
    key == name || key.rsplit("::").next() == Some(name)
}
