//! The stories that are told on one machine and on AWS alike. Their names are what they tell.
//!
//! Each takes a fresh yard, which it may leave in any state. [`every_story`](crate::every_story) names them all, so
//! that no gateway can leave one out.
#![allow(missing_docs)]

pub mod github_faults;
pub mod line;
pub mod server_faults;
pub mod statuses;

/// Hands every story to a macro, file by file: `$each! { file: [story, story,] }`.
#[macro_export]
macro_rules! every_story {
    ($each:ident) => {
        $each! { line: [
            a_signed_webhook_becomes_statuses_on_the_commit,
            the_servers_request_holds_githubs_headers_and_nothing_of_ours_but_the_promised,
            a_form_is_the_same_event_and_reaches_the_server_as_it_came,
            a_redelivery_runs_again_and_the_event_tells_of_both,
            two_hooks_share_a_guid_and_are_two_events,
            an_event_that_nobody_has_heard_of_is_sent_and_recorded,
            a_ping_is_a_pong_and_on_record,
            our_own_status_comes_back_as_an_echo_and_goes_nowhere,
        ] }
        $each! { statuses: [
            an_answer_with_two_statuses_writes_both,
            a_call_back_that_comes_before_the_answer_it_belongs_to_wins,
            a_pending_after_a_result_is_superseded_in_its_run_and_written_in_a_new_one,
            reopen_lets_a_pending_follow_a_result,
            what_github_shows_already_is_not_sent_again,
            a_token_holds_for_its_own_commit_only,
            a_token_expires_and_says_so_and_a_forged_one_says_less,
            an_answer_may_name_another_commit_but_not_another_repository,
            an_idempotency_key_makes_a_repeat_safe,
            results_come_in_the_order_sent_and_none_accepted_is_a_422,
            the_ancestors_address_and_body_still_work,
        ] }
        $each! { server_faults: [
            down_for_three_attempts_and_then_back,
            retries_keep_the_webhook_id,
            final_answers_end_the_event_with_their_reason,
            answers_that_ask_for_patience_are_tried_again,
            retry_after_is_kept,
            answers_that_cannot_be_used_are_taken_and_noted,
            a_dead_server_rests_and_is_probed_by_one_event_at_a_time,
            final_answers_do_not_put_a_server_to_rest,
        ] }
        $each! { github_faults: [
            applied_and_then_reset_is_found_and_not_written_again,
            applied_and_then_502_is_found_and_not_written_again,
            applied_and_then_cut_short_is_found_and_not_written_again,
            a_502_that_applied_nothing_is_written_after_a_look,
            a_reset_that_applied_nothing_is_written_after_a_look,
            what_comes_behind_an_unknown_write_waits_for_its_settling,
            nobody_listening_is_certain_and_needs_no_look,
            what_waits_out_a_pause_behind_a_newer_one_is_skipped,
            a_primary_limit_is_waited_out_until_its_reset,
            what_stands_behind_a_waiting_status_says_that_it_waits,
        ] }
    };
}
