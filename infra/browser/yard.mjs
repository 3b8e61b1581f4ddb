// A real gateway on free ports with a stand-in for GitHub and one for your server, all on loopback.
import { spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

export const REPOSITORY = "octo-org/hello";
export const SHA = "9fceb02aa0f3c9d3a77be310b3c6a8e4f2d1c0b9";
const SECRET = "secret-of-the-browser-tests";

async function listen(answer) {
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray().catch(() => []));
    const { code, json, headers } = await answer(request, body);
    response.writeHead(code, { "content-type": "application/json", ...headers });
    response.end(json === undefined ? "" : JSON.stringify(json));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

/** GitHub, as far as statuses go. */
async function github() {
  const statuses = [];
  const { server, url } = await listen((request, body) => {
    if (request.method !== "POST") return { code: 200, json: [...statuses].reverse() };
    statuses.push({ id: statuses.length + 1, created_at: new Date().toISOString(), ...JSON.parse(body) });
    return { code: 201, json: statuses.at(-1) };
  });
  return { server, url, statuses };
}

/** Your server: answers as it is told, the last answer for ever. */
async function ci() {
  const answers = [{ code: 200 }];
  const { server, url } = await listen(() => (answers.length > 1 ? answers.shift() : answers[0]));
  return { server, url, answer: (...next) => answers.splice(0, answers.length, ...next) };
}

/** A gateway that is ready; with a key it asks for it. */
export async function yard({ key } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "hookyard-browser-"));
  const [hub, server] = await Promise.all([github(), ci()]);
  const settings = {
    HOOKYARD_DATA: join(folder, "data"),
    GITHUB_API_PORT: "0",
    STATUS_API_PORT: "0",
    GITHUB_SECRET: SECRET,
    GITHUB_TOKEN: "token-of-the-browser-tests",
    GITHUB_API_URL: hub.url,
    YOUR_SERVER_URL: `${server.url}/hook`,
    ...(key && { HOOKYARD_API_KEY: key }),
  };
  await writeFile(join(folder, ".env"), "");
  const child = spawn(process.env.HOOKYARD, ["serve", "--quiet"], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...settings },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = [];
  await new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      if (line.includes(" Ready ")) resolve();
    });
    child.on("exit", () => reject(new Error(`the gateway does not start:\n${said.join("\n")}`)));
  });
  const address = (word) => said.map((line) => line.match(new RegExp(`${word} +(http://[^/ ]+)`))?.[1]).find(Boolean);
  const [webhooks, pages] = [address("webhooks"), address("(?:pages|API)")];
  const bearer = key ? { authorization: `Bearer ${key}` } : {};

  const api = async (path) => (await fetch(pages + path, { headers: bearer })).json();

  /** Delivers an event and waits until it has come to something; its id. */
  async function deliver(type, payload, { rests = ["processed", "errored", "ignored", "unhandled", "unprocessed"] } = {}) {
    const body = JSON.stringify(payload);
    const answer = await fetch(`${webhooks}/github`, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "user-agent": payload.agent ?? "GitHub-Hookshot/1a2b3c4",
        "x-github-event": type,
        "x-github-delivery": randomUUID(),
        "x-github-hook-id": "48211900",
        "x-hub-signature-256": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`,
      },
    });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    const { event } = await answer.json();
    await until(async () => rests.includes((await api(`/v1/events/${event}`)).status));
    return event;
  }

  return {
    pages,
    server,
    api,
    deliver,
    github: hub.statuses,
    pullRequest: (number, action = "opened", sha = SHA) =>
      deliver("pull_request", {
        action,
        repository: { full_name: REPOSITORY },
        sender: { login: "ana" },
        pull_request: { number, title: `Change ${number}`, head: { sha } },
      }),
    async close() {
      child.removeAllListeners("exit");
      const gone = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGTERM");
      await gone;
      for (const end of [hub, server]) {
        end.server.closeAllConnections();
        end.server.close();
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Returns once it is true; after twenty seconds it never will be. */
export async function until(question) {
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(25)) {
    if (await question()) return;
  }
  throw new Error(`not within 20 s: ${question}`);
}
