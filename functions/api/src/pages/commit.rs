//! The statuses of one commit.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::ids::{BadId, Repository, Sha};
use lambda::http::problem::Problem;
use pages::Shell;
use pages::commit::Commit;

use super::{page, trouble};
use crate::events::of_commit;
use crate::{Api, bad_request, not_text};

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    Extension(shell): Extension<Shell>,
) -> Response {
    let told = async {
        let Path((owner, name, sha)) = path.map_err(|_| not_text())?;
        let bad = |bad: BadId| bad_request(format!("{bad}."));
        let repository = Repository::parse(&format!("{owner}/{name}")).map_err(bad)?;
        let sha = Sha::of(&sha).map_err(bad)?;
        let rows = of_commit(&api, &repository, &sha).await?;
        Ok::<_, Problem>((repository, sha, rows))
    };
    match told.await {
        Ok((repository, sha, rows)) => {
            page(&Commit::new(shell, &repository, &sha, &rows, api.site.github.as_deref(), api.clock.now()))
        }
        Err(problem) => trouble(shell, &problem),
    }
}
