"""An AWS on loopback: ministack, with functions that stay warm and with what it lacks and this test needs.

It keeps one process per function and invocation at once, as Lambda does, where ministack starts one for each
invocation: what a function remembers between two of them (secrets, pauses, connections) is part of the test.
The other corrections stand at their places. Control, for the test, on a port of its own:

    GET  /state          {"due": messages that could be received now, "busy": batches under way}
    POST /kill?name=…    kill -9 of the functions with this in their name that are working; how many
    POST /again?queue=…  the next batch of this queue is delivered a second time, as SQS may
    POST /hold, /go-on   nothing is received for functions in between, so that messages gather to one batch
    POST /cold           ends every idle function, so that the next invocation starts one afresh
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

from ministack import app
from ministack.services import lambda_svc, sqs

LOGS = Path(os.environ["E2E_LOGS"])
# A first invocation may take so much longer (AWS Lambda: "Lambda execution environment lifecycle").
INIT_SECONDS = 10
# AWS Lambda: "Lambda quotas", synchronous invocation payload.
LARGEST_EVENT = 6 * 1024 * 1024
INVOCATION = "/2018-06-01/runtime/invocation/"


class Environment:
    """One process of a function, and the runtime API that it asks for work."""

    def __init__(self, name, code, variables):
        self.name, self.work, self.answered = name, queue.Queue(), threading.Event()
        self.request = self.answer = self.failed = None
        self.fresh, self.working = True, False
        handler = type("Handler", (RuntimeApi,), {"environment": self})
        self.api = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.api.daemon_threads = True
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        variables = {**variables, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.server_address[1]}"}
        with lambda_svc._provided_code_lock, open(LOGS / f"{name}.log", "ab") as log:
            self.process = subprocess.Popen([code + "/bootstrap"], cwd=code, env=variables, stdout=log, stderr=log)
        threading.Thread(target=self.see_it_end, daemon=True).start()

    def see_it_end(self):
        status = self.process.wait()
        self.failed = {"errorType": "Runtime.ExitError", "errorMessage": f"exited with {status}"}
        self.answered.set()
        self.work.put(None)
        self.api.shutdown()
        self.api.server_close()

    def invoke(self, event, seconds):
        self.answered.clear()
        if self.process.poll() is not None:
            return {"body": {"errorType": "Runtime.ExitError", "errorMessage": "gone"}, "error": True}
        self.answer, self.failed = None, None
        self.work.put((lambda_svc.new_uuid(), event, seconds))
        allowed = seconds + (INIT_SECONDS if self.fresh else 0)
        self.fresh = False
        if not self.answered.wait(allowed):
            self.process.kill()
            return {"body": {"errorType": "Sandbox.Timedout", "errorMessage": f"{seconds} s are over"}, "error": True}
        if self.failed is not None:
            return {"body": self.failed, "error": True}
        return {"body": self.answer}


class RuntimeApi(BaseHTTPRequestHandler):
    """AWS Lambda: "Using the Lambda runtime API"."""

    protocol_version = "HTTP/1.1"
    environment = None

    def log_message(self, *_):
        pass

    def say(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        work = self.environment.work.get()
        if work is None:
            self.close_connection = True
            return
        self.environment.request, event, seconds = work
        deadline = str(int((time.time() + seconds) * 1000))
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{self.environment.name}"
        self.say(
            200, event, Content_Type="application/json", Lambda_Runtime_Aws_Request_Id=self.environment.request,
            Lambda_Runtime_Deadline_Ms=deadline, Lambda_Runtime_Invoked_Function_Arn=arn,
        )

    def do_POST(self):
        body = self.read()
        environment = self.environment
        if self.path == f"{INVOCATION}{environment.request}/response":
            environment.answer = json.loads(body) if body else None
        else:
            environment.failed = json.loads(body) if body else {}
        self.say(202)
        environment.answered.set()

    def read(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)


warm, warm_lock = [], threading.Lock()


def execute(func, event):
    """In the place of ministack's `_execute_function_provided`."""
    config = func.get("config") or func
    name, seconds = config["FunctionName"], config.get("Timeout", 3)
    text = json.dumps(event).encode()
    if len(text) > LARGEST_EVENT:
        # What API Gateway makes of Lambda's refusal.
        return {"body": {"statusCode": 413, "body": '{"message":"Request Too Long"}'}}
    # A function is as many processes as it has invocations at once; each knows the settings it was started with.
    identity = json.dumps([name, config.get("CodeSha256"), lambda_svc._runtime_env_vars(config)], sort_keys=True)
    with warm_lock:
        warm[:] = [one for one in warm if one.process.poll() is None]
        found = next((one for one in warm if one.identity == identity and not one.working), None)
        if found:
            found.working = True
    if not found:
        found = start(config, func["code_zip"])
        found.identity, found.working = identity, True
        with warm_lock:
            warm.append(found)
    result = found.invoke(text, seconds)
    found.working = False
    return result


def start(config, code_zip):
    variables = dict(os.environ)
    variables |= {
        "AWS_REGION": lambda_svc.get_region(),
        "AWS_DEFAULT_REGION": lambda_svc.get_region(),
        "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_LOG_GROUP_NAME": (config.get("LoggingConfig") or {}).get("LogGroup", ""),
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "_HANDLER": "bootstrap",
    }
    variables |= lambda_svc._runtime_env_vars(config)
    # The functions' way to AWS leads past the test, which may break it.
    variables["AWS_ENDPOINT_URL"] = os.environ["E2E_FUNCTIONS_ENDPOINT"]
    return Environment(config["FunctionName"], lambda_svc._provided_runtime_code_dir(code_zip), variables)


# Batches under way. Counted together with the receive that makes one, so that "nothing due, nobody busy" is true
# of one moment.
busy, busy_lock = 0, threading.Lock()
mine = threading.local()
again, held = set(), threading.Event()
receive, poll, all_mappings, filtered = (
    sqs._receive_messages_for_esm, lambda_svc._poll_sqs, lambda_svc._iter_all_esms, lambda_svc._apply_filter_criteria
)


def receive_and_count(url, most):
    global busy
    with busy_lock:
        batch = [] if held.is_set() else receive(url, most)
        if batch:
            busy += 1
            mine.counted = True
    return batch


def poll_for_ever(identity):
    """One of a mapping's pollers: ministack has a single one for all mappings, so that a slow function held up every
    other, and nothing ever ran twice at once."""
    global busy
    mine.mapping, mine.counted = identity, False
    while True:
        try:
            worked = poll()
        finally:
            if mine.counted:
                mine.counted = False
                with busy_lock:
                    busy -= 1
        if not worked:
            time.sleep(0.02)


def start_pollers():
    started = set()

    def look():
        while True:
            for account, region, mapping in list(all_mappings()):
                if mapping["UUID"] in started:
                    continue
                started.add(mapping["UUID"])
                for _ in range(int((mapping.get("ScalingConfig") or {}).get("MaximumConcurrency", 5))):
                    threading.Thread(target=poll_for_ever, args=[mapping["UUID"]], daemon=True).start()
            time.sleep(0.2)

    threading.Thread(target=look, daemon=True).start()


def with_what_is_missing(records, mapping):
    """SQS tells a function the group of each message; ministack does not. And SQS may deliver a batch twice."""
    source = sqs._queue_by_arn(mapping["EventSourceArn"])
    known = {message["receipt_handle"]: message for message in source["messages"]}
    for record in records:
        message = known.get(record["receiptHandle"]) or {}
        for attribute, field in [("MessageGroupId", "group_id"), ("MessageDeduplicationId", "dedup_id"),
                                 ("SequenceNumber", "seq")]:
            if message.get(field):
                record["attributes"][attribute] = message[field]
    name = mapping["EventSourceArn"].rsplit(":", 1)[1]
    if name in again:
        again.discard(name)
        func, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
        lambda_svc._execute_function(func, {"Records": json.loads(json.dumps(records))})
    return filtered(records, mapping)


def delete_in_place(url, handles):
    """ministack builds the list anew, while another thread may just add a message to the old one: it would be lost."""
    with sqs._queues_lock:
        messages = sqs._get_q(url)["messages"]
        for message in [m for m in list(messages) if m.get("receipt_handle") in handles]:
            messages.remove(message)


issued = {}
collect, create, delete = sqs._collect_msgs, sqs._act_create_queue, sqs._act_delete_message


def create_as_today(data, *more):
    """New queues take a MiB, no longer a quarter of it (Amazon SQS: "Message quotas")."""
    made = create(data, *more)
    if "MaximumMessageSize" not in (data.get("Attributes") or {}):
        sqs._get_q(made["QueueUrl"])["attributes"]["MaximumMessageSize"] = str(1024 * 1024)
    return made


def collect_and_remember(source, most, hidden):
    came = collect(source, most, hidden)
    issued.update({message["receipt_handle"]: message for message in came})
    return came


def delete_again(data, url):
    """Deleting what is deleted is no error (Amazon SQS: "DeleteMessage"); nor is an old handle on a standard queue."""
    source, message = sqs._get_q(data.get("QueueUrl", url)), issued.get(data.get("ReceiptHandle"))
    if message and message["receipt_handle"] != data["ReceiptHandle"] and not source["is_fifo"]:
        return {}
    if message and not any(one is message for one in source["messages"]):
        return {}
    return delete(data, url)


def sweep_in_place(source):
    """As above, at every receive."""
    policy = source["attributes"].get("RedrivePolicy")
    if not policy:
        return
    policy, now = json.loads(policy), time.time()
    for message in list(source["messages"]):
        if message["receive_count"] >= int(policy["maxReceiveCount"]) and message["visible_at"] <= now:
            source["messages"].remove(message)
            sqs._queue_by_arn(policy["deadLetterTargetArn"])["messages"].append(
                {**message, "receipt_handle": None, "visible_at": now}
            )


def due():
    count = 0
    for _, _, mapping in all_mappings():
        source, now = sqs._queue_by_arn(mapping["EventSourceArn"]), time.time()
        messages = list(source["messages"])
        held = {m["group_id"] for m in messages if m["group_id"] and m["visible_at"] > now and m["receive_count"]}
        count += sum(1 for m in messages if m["visible_at"] <= now and m["group_id"] not in held)
    return count


class Control(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def say(self, answer):
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with busy_lock:
            self.say({"due": due(), "busy": busy})

    def do_POST(self):
        url = urlparse(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        with warm_lock:
            if url.path == "/kill":
                chosen = [one for one in warm if one.working and asked["name"] in one.name]
            else:
                chosen = [one for one in warm if not one.working] if url.path == "/cold" else []
        for one in chosen:
            one.process.kill()
        for one in chosen:
            one.process.wait()
        if url.path == "/again":
            again.add(asked["queue"])
        elif url.path == "/hold":
            held.set()
        elif url.path == "/go-on":
            held.clear()
        self.say(len(chosen))


def main():
    lambda_svc._execute_function_provided = execute
    # AWS waits a little after a failure of the function as well; the clock of this test is not AWS's.
    lambda_svc._ESM_BACKOFF_SECONDS = 0
    lambda_svc._poll_sqs = lambda: False
    lambda_svc._iter_all_esms = lambda: [one for one in all_mappings() if one[2]["UUID"] == mine.mapping]
    lambda_svc._ensure_poller = lambda: None
    lambda_svc._apply_filter_criteria = with_what_is_missing
    sqs._receive_messages_for_esm = receive_and_count
    sqs._delete_messages_for_esm = delete_in_place
    sqs._dlq_sweep = sweep_in_place
    sqs._collect_msgs = collect_and_remember
    sqs._HANDLERS |= {"CreateQueue": create_as_today, "DeleteMessage": delete_again}
    start_pollers()
    control = ThreadingHTTPServer(("127.0.0.1", int(os.environ["E2E_CONTROL_PORT"])), Control)
    control.daemon_threads = True
    threading.Thread(target=control.serve_forever, daemon=True).start()
    try:
        app.main()
    finally:
        for one in warm:
            one.process.kill()


sys.exit(main())
