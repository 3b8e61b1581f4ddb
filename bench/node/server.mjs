// The well-known middleware, storing nothing: verifies, parses, answers.
import { createServer } from "node:http";
import { Webhooks, createNodeMiddleware } from "@octokit/webhooks";

const webhooks = new Webhooks({ secret: process.env.GITHUB_SECRET });
let seen = 0;
webhooks.onAny(() => {
  seen += 1;
});
const middleware = createNodeMiddleware(webhooks, { path: "/github", log: { debug() {}, info() {}, warn() {}, error: console.error } });
const server = createServer((request, response) => middleware(request, response));
server.listen(0, "127.0.0.1", () => console.log(`ready ${server.address().port}`));
