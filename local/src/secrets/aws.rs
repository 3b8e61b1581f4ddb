//! The AWS command line: reads and writes one parameter. Whoever has it set up has credentials, profiles and single
//! sign-on with it, and this program needs none of them.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};

use clap::Args;
use domain::secrets::SecretList;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::terminal::printable;

/// What the AWS command line is told; what is not given comes from its own settings.
#[derive(Debug, Args)]
pub(crate) struct Aws {
    /// Profile of the AWS command line
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// AWS region
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Another address of the AWS API, such as an emulator's
    #[arg(long, value_name = "URL", value_hint = clap::ValueHint::Url)]
    endpoint_url: Option<String>,
}

/// A parameter as it is.
pub(crate) struct Present {
    pub(crate) text: SecretString,
    pub(crate) version: u64,
}

impl Aws {
    /// Reads a parameter. Its value comes through a pipe and is shown nowhere.
    pub(crate) async fn get(&self, parameter: &str) -> Result<Present, Failure> {
        let ended = self.run(&["get-parameter", "--name", parameter, "--with-decryption"]).await?;
        let answer = ended.answer(parameter, &[])?;
        let found = &answer["Parameter"];
        if found["Type"] != "SecureString" {
            let what = format!("{parameter} is no SecureString: whoever may read parameters has seen it");
            return Err(Failure::new(what, "delete it, then hookyard secrets set"));
        }
        match (found["Value"].as_str(), found["Version"].as_u64()) {
            (Some(text), Some(version)) => Ok(Present { text: SecretString::from(text), version }),
            _ => Err(unreadable()),
        }
    }

    /// Writes a parameter; the version it then has. `list` is what the text is made of.
    pub(crate) async fn put(
        &self,
        parameter: &str,
        text: &SecretString,
        list: &SecretList,
        overwrite: bool,
        key_id: Option<&str>,
    ) -> Result<u64, Failure> {
        let mut input = json!({
            "Name": parameter, "Value": text.expose_secret(), "Type": "SecureString", "Overwrite": overwrite,
            "Tier": "Intelligent-Tiering",
        });
        if let Some(key) = key_id {
            input["KeyId"] = key.into();
        }
        let input = SecretString::from(input.to_string());
        let no_file = |error: io::Error| Failure::new(format!("no temporary file can be made: {error}"), "set TMPDIR");
        // Made with mode 0600, and gone when this returns, or is dropped.
        let mut file = tempfile::Builder::new().prefix("hookyard-").suffix(".json").tempfile().map_err(no_file)?;
        file.write_all(input.expose_secret().as_bytes()).and_then(|()| file.flush()).map_err(no_file)?;
        // The AWS command line expands variables in the name.
        let path = file.path().to_str().filter(|path| !path.contains(['$', '%', '~']));
        let path = path.ok_or_else(|| no_file(io::Error::other("its folder has an odd name")))?;
        let ended = self.run(&["put-parameter", "--cli-input-json", &format!("file://{path}")]).await?;
        let mut hidden = vec![text];
        hidden.extend(list.secrets());
        ended.answer(parameter, &hidden)?["Version"].as_u64().ok_or_else(unreadable)
    }

    async fn run(&self, arguments: &[&str]) -> Result<Ended, Failure> {
        let mut command = Command::new("aws");
        command.arg("ssm").args(arguments).args(["--output", "json"]);
        let options =
            [("--profile", &self.profile), ("--region", &self.region), ("--endpoint-url", &self.endpoint_url)];
        for (name, value) in options {
            command.args(value.iter().flat_map(|value| [name, value.as_str()]));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Running(command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::new(
                "there is no aws on the PATH".to_owned(),
                "install the AWS command line: https://aws.amazon.com/cli/",
            ),
            _ => Failure::new(format!("aws cannot be started: {error}"), "see whether aws --version works"),
        })?);
        let (out, err) = (read(child.0.stdout.take()), read(child.0.stderr.take()));
        let (out, err) = (out.await.unwrap_or_default(), err.await.unwrap_or_default());
        let ended = child.0.wait().map_err(|error| Failure::new(format!("aws was lost: {error}"), "try again"))?;
        Ok(Ended { out: ended.success().then_some(out), err })
    }
}

/// A program that ends with us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a pipe to its end, in a thread of its own.
fn read(pipe: Option<impl Read + Send + 'static>) -> oneshot::Receiver<SecretString> {
    let (sender, text) = oneshot::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read until then says more than the error.
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(SecretString::from(String::from_utf8_lossy(&bytes).into_owned()));
    });
    text
}

/// What it came to; `out` only when it ended well.
struct Ended {
    out: Option<SecretString>,
    err: SecretString,
}

impl Ended {
    /// What it answered. No error holds any of `hidden`.
    fn answer(&self, parameter: &str, hidden: &[&SecretString]) -> Result<Value, Failure> {
        match &self.out {
            Some(out) => serde_json::from_str(out.expose_secret()).map_err(|_| unreadable()),
            None => Err(refusal(self.err.expose_secret(), parameter, hidden)),
        }
    }
}

fn unreadable() -> Failure {
    Failure::new("the answer of aws cannot be read".to_owned(), "see whether aws ssm get-parameter works by itself")
}

/// What the AWS command line complained of, in its words where they are safe to show.
fn refusal(said: &str, parameter: &str, hidden: &[&SecretString]) -> Failure {
    let code = said.split_once("An error occurred (").and_then(|(_, rest)| rest.split_once(')')).map(|(code, _)| code);
    match code {
        Some("ParameterNotFound") => Failure::not_found(
            format!("there is no {parameter}"),
            "make it with hookyard secrets set, or see whether profile and region are right",
        ),
        Some("ParameterAlreadyExists") => Failure::new(
            format!("{parameter} is there already"),
            "replace it with hookyard secrets rotate, or with --force, which loses the present one",
        ),
        // Its message quotes what it was given.
        Some(code @ ("ValidationException" | "ParamValidation")) => {
            Failure::new(format!("AWS does not take {parameter}: {code}"), "see what its name and its size may be")
        }
        Some("AccessDeniedException") => {
            Failure::new(shown(said, hidden), "ask for ssm:GetParameter and ssm:PutParameter on it")
        }
        Some("ExpiredTokenException" | "UnrecognizedClientException" | "InvalidClientTokenId") => {
            Failure::new(shown(said, hidden), "sign in again, or choose another profile with --profile")
        }
        _ if said.contains("credentials") || said.contains("Token has expired") || said.contains("SSO") => {
            Failure::new(shown(said, hidden), "run aws configure or aws sso login, or choose a profile with --profile")
        }
        _ if said.contains("region") => Failure::new(shown(said, hidden), "give --region, or set it in the profile"),
        _ => Failure::new(shown(said, hidden), "see whether the same works with aws ssm describe-parameters"),
    }
}

/// The last line that says something, without any secret.
fn shown(said: &str, hidden: &[&SecretString]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for secret in hidden {
        let plain = secret.expose_secret();
        let quoted = Value::from(plain).to_string();
        texts.push(quoted.trim_matches('"').to_owned());
        texts.push(plain.to_owned());
    }
    // The longest first: a list holds its secrets.
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let mut said = said.to_owned();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        said = said.replace(text.as_str(), "…");
    }
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("aws said nothing").trim();
    let line: String = printable(line).chars().take(400).collect();
    format!("aws: {}", line.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_says_is_told_without_any_secret() {
        let secret = SecretString::from("hush \"quoted\" hush");
        let list = SecretString::from(r#"[{"secret":"hush \"quoted\" hush"}]"#);
        let hidden = [&list, &secret];
        for (said, what, code) in [
            ("An error occurred (ParameterNotFound) when calling the GetParameter operation: ", "there is no /p", 3),
            ("\nAn error occurred (ParameterAlreadyExists) when calling: x", "/p is there already", 1),
            ("An error occurred (ValidationException) when calling: Value 'hu' at 'value'", "AWS does not take /p", 1),
            (
                "An error occurred (AccessDeniedException) when calling the PutParameter operation: User: x is not authorized.\n",
                "aws: An error occurred (AccessDeniedException) when calling the PutParameter operation: User: x is not authorized",
                1,
            ),
            (
                "Unable to locate credentials. You can configure credentials by running \"aws configure\".",
                "aws: Unable to locate",
                1,
            ),
            ("You must specify a region. You can also configure", "aws: You must specify a region", 1),
            (r#"Invalid JSON: [{"secret":"hush \"quoted\" hush"}]"#, "aws: Invalid JSON: …", 1),
            (r#"Invalid JSON: {"Value": "[{\"secret\":\"hush \\\"quoted\\\" hush\"}]"}"#, "aws: Invalid JSON: ", 1),
            ("got hush \"quoted\" hush\u{1b}[31m", "aws: got …\u{fffd}[31m", 1),
            ("", "aws: aws said nothing", 1),
        ] {
            let failure = refusal(said, "/p", &hidden);
            assert!(failure.what().starts_with(what), "{}", failure.what());
            assert!(!failure.what().contains("hush") && !failure.hint().is_empty(), "{}", failure.what());
            assert_eq!(failure.code(), code, "{said}");
        }
    }
}
