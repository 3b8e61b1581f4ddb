// A CI server in one file: says "pending" at once, checks in the background, calls back with the result.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.YOUR_SERVER_SECRET.replace(/^whsec_/, ""), "base64");

function isGenuine(headers, body) {
  const stamp = headers["webhook-timestamp"];
  const mac = createHmac("sha256", key).update(`${headers["webhook-id"]}.${stamp}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${mac}`);
  // Old requests are refused, or whoever recorded one could send it again for ever.
  const fresh = Math.abs(Date.now() / 1000 - Number(stamp)) <= 300;
  // Several entries stand there while the secret is being changed; one that fits is enough.
  const entries = (headers["webhook-signature"] ?? "").split(" ").map((entry) => Buffer.from(entry));
  return fresh && entries.some((entry) => entry.length === expected.length && timingSafeEqual(entry, expected));
}

/** The place for your tests. Whatever takes longer than 10 s belongs here, not before the answer. */
async function check(pullRequest, url, token) {
  const wip = pullRequest.title.startsWith("WIP");
  const [status, message] = wip ? ["failure", "the title still says WIP"] : ["success", "ready for review"];
  const answer = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({
      pull_request_url: pullRequest.url,
      sha: pullRequest.head.sha,
      statuses: [{ name: "example-ci", status, message }],
    }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`the call-back was answered ${answer.status}`);
}

const server = createServer(async (request, response) => {
  // The signature is over these bytes: verify them before anything parses or decodes them.
  // A sender that hangs up half way leaves nothing that could verify.
  const body = Buffer.concat(await request.toArray().catch(() => []));
  if (request.method !== "POST" || request.url !== "/hook") return response.writeHead(404).end();
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  if (request.headers["x-github-event"] !== "pull_request") return response.writeHead(200).end();
  // A webhook set up with form encoding arrives in it, because Hookyard passes GitHub's bytes on: set it to JSON.
  if (!request.headers["content-type"]?.startsWith("application/json")) return response.writeHead(415).end();
  const event = JSON.parse(body);
  if (!["opened", "synchronize", "reopened"].includes(event.action)) return response.writeHead(200).end();
  // The call-back may overtake this answer: Hookyard ranks a result above the "pending" of its own delivery.
  const { "x-hookyard-callback-url": url, "x-hookyard-callback-token": token } = request.headers;
  check(event.pull_request, url, token).catch(console.error);
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ statuses: [{ name: "example-ci", status: "pending", message: "started" }] }));
});

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/hook`);
});
