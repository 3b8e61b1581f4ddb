// The pages in a real browser: what people do on them, in both themes, on a phone, with the keyboard, without script.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DESKTOP, PHONE, accessible, fits, inWindow, launch, open } from "./browser.mjs";
import { REPOSITORY, SHA, until, yard } from "./yard.mjs";

const EVIL = `"'><script>hacked=1</script><img src=x onerror=hacked=2><svg onload=hacked=3>javascript:hacked=4`;
const KEY = "the-key-of-these-tests";

let browser, here;
const ids = {};

before(async () => {
  browser = await launch();
  here = await yard();
  const status = (name, state, more) => ({ name, status: state, ...more });
  const pending = status("build", "pending", { message: "started", target_url: "https://ci.example/7" });
  here.server.answer(
    { code: 200, json: { statuses: [pending, status("lint", "success")] } },
    { code: 401 },
    { code: 401 },
    { code: 503 },
    { code: 200, json: { statuses: [status(EVIL, "failure", { message: EVIL, target_url: 'https://ci.example/"><script>' })] } },
    { code: 200 },
  );
  ids.done = await here.pullRequest(7);
  ids.failed = await here.pullRequest(8, "synchronize", SHA.replace("9", "8"));
  await here.deliver("push", { ref: "refs/heads/main", after: SHA, repository: { full_name: "octo-org/web" } });
  ids.retrying = await here.pullRequest(9, "reopened", SHA.replace("9", "7"));
  ids.evil = await here.deliver("pull_request", {
    agent: EVIL.replaceAll("\n", ""),
    action: EVIL,
    repository: { full_name: REPOSITORY, name: EVIL },
    sender: { login: EVIL },
    pull_request: { number: 13, title: EVIL, head: { sha: SHA.replace("9", "6") } },
  });
  await here.deliver("release", {
    action: "published",
    repository: { full_name: REPOSITORY },
    release: {
      id: 1, tag_name: "v1.2.0", name: EVIL, draft: false, prerelease: false, author: { login: EVIL },
      created_at: "2026-03-01T10:00:00Z", published_at: "2026-03-02T10:00:00Z", html_url: `javascript:${EVIL}`,
    },
  });
  await releases(here);
  await here.deliver("ping", { zen: EVIL, repository: { full_name: REPOSITORY } });
  await until(async () => here.github.length >= 3);
  const list = await (await fetch(`${here.pages}/events`)).text();
  const menu = list.split('<nav aria-label="Main">')[1].split("</nav>")[0];
  ids.menu = [...menu.matchAll(/href="([^"]+)"/g)].map(([, href]) => href);
});

/** Three months of releases of three repositories. */
async function releases(yard) {
  const hours = (n) => new Date(Date.now() - n * 3_600_000).toISOString();
  const release = (repository, n, ago, more) =>
    yard.deliver("release", {
      action: "published",
      repository: { full_name: repository },
      ...more,
      release: {
        id: 1_000 + n, tag_name: `v2.${n}.0`, name: `Release 2.${n}`, draft: false, prerelease: false, author: { login: "ana" },
        created_at: hours(ago + [2, 30, 90, 5, 400, 700][n % 6]), published_at: hours(ago),
        html_url: `https://github.com/${repository}/releases/tag/v2.${n}.0`, ...more?.release,
      },
    });
  for (let n = 0; n < 9; n += 1) await release("octo-org/web", n, 2_000 - n * 215 + (n % 3) * 50);
  for (let n = 9; n < 15; n += 1) await release("octo-org/cli", n, 1_900 - (n - 9) * 300, { release: { prerelease: n % 3 === 0 } });
  await release("octo-org/cli", 15, 40, { release: { created_at: null } });
  await release("octo-org/cli", 16, 20, { action: "created", release: { draft: true, published_at: null } });
  await release("octo-org/site", 17, 500, { action: "deleted" });
}

after(async () => {
  await browser?.close();
  await here?.close();
});

/** Every page there is, with something on it. */
const all = () => [
  ...ids.menu, "/events?status=errored", "/events?repository=octo-org/none", `/events/${ids.done}`, `/events/${ids.failed}`,
  `/events/${ids.retrying}`, `/events/${ids.evil}`, "/events/replay", `/commits/${REPOSITORY}/${SHA}`,
  `/commits/${REPOSITORY}/${SHA.replace("9", "6")}`, "/dead-letters", "/help",
];

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    test(`every page, ${colorScheme}, ${size}: nothing to object to`, async () => {
      await inWindow(browser, { colorScheme, viewport }, async (page) => {
        for (const path of all()) {
          await open(page, here.pages + path);
          await page.locator("details").evaluateAll((folded) => folded.forEach((it) => (it.open = true)));
          await accessible(page);
          await fits(page);
        }
      });
    });
  }
}

test("filters are a form, and stand in the address", async () => {
  await inWindow(browser, {}, async (page) => {
    await open(page, `${here.pages}/events`);
    await page.getByLabel("State").selectOption({ label: "Needs you" });
    await page.getByLabel("Repository").fill(REPOSITORY);
    await page.getByRole("button", { name: "Apply" }).click();
    await page.waitForURL(/status=errored/);
    assert.equal(await page.locator("#rows tr").count(), 1);
    await page.getByRole("rowheader").getByRole("link").click();
    await page.waitForURL(`**/events/${ids.failed}`);
    await page.getByRole("heading", { name: /401 or 403/ }).waitFor();
  });
});

for (const javaScriptEnabled of [true, false]) {
  test(`filters fold on a phone only, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    for (const [path, field] of [["/events?status=errored&type=push", "Repository"], ["/releases?state=published", "State"]]) {
      await inWindow(browser, { viewport: PHONE, javaScriptEnabled }, async (page) => {
        await open(page, here.pages + path);
        const [fold, form] = [page.locator(".fold summary"), page.getByLabel(field)];
        assert.equal(await fold.textContent(), path.startsWith("/events") ? "Filters 2 set" : "Filters 1 set", "and how many");
        assert.equal(await form.isVisible(), false);
        await fold.click();
        assert.equal(await form.isVisible(), true);
        await fold.press("Enter");
        assert.equal(await form.isVisible(), false);
      });
      await inWindow(browser, { javaScriptEnabled }, async (page) => {
        await open(page, here.pages + path);
        assert.deepEqual([await page.getByLabel(field).isVisible(), await page.locator(".fold summary").isVisible()], [true, false]);
      });
    }
    await inWindow(browser, { viewport: PHONE, javaScriptEnabled }, async (page, complaints) => {
      await page.goto(`${here.pages}/releases?repository=nobody`);
      assert.equal(await page.getByLabel("Repository").isVisible(), true, "open where something is wrong in it");
      complaints.length = 0; // Chromium names the 400.
    });
  });
}

test("charts of releases say what they show, and print with their numbers", async () => {
  await inWindow(browser, {}, async (page) => {
    await open(page, `${here.pages}/releases`);
    await page.getByRole("img", { name: /^Releases per week: at most \d/ }).waitFor();
    await page.getByRole("img", { name: /^From commit to release: median .* not known of the others\.$/ }).waitFor();
    const dots = (await page.locator("path.dots").evaluateAll((paths) => paths.map((path) => path.getAttribute("d")))).join("");
    assert.equal(dots.split("M").length - 1, 16, "one for each release that is out");
    const folded = page.locator("details:not(.fold) table");
    assert.deepEqual(await folded.evaluateAll((tables) => tables.map((table) => table.checkVisibility({ contentVisibilityAuto: true }))), [false, false]);
    await page.emulateMedia({ media: "print" });
    assert.deepEqual(await folded.evaluateAll((tables) => tables.map((table) => table.checkVisibility({ contentVisibilityAuto: true }))), [true, true]);
  });
});

test("the keyboard leads everywhere", async () => {
  await inWindow(browser, {}, async (page) => {
    await open(page, `${here.pages}/events`);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
    for (const key of ["j", "j", "k"]) await page.keyboard.press(key);
    const first = await page.locator("#rows tr a").first().getAttribute("href");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), first);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**${first}`);
    await page.keyboard.press("/");
    await page.keyboard.type(`${REPOSITORY}#7`);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/events/${ids.done}`);
    await page.keyboard.press("?");
    await page.waitForURL("**/help");
  });
});

test("what is new waits behind a count, or is followed", async () => {
  await inWindow(browser, {}, async (page) => {
    await page.clock.install();
    await open(page, `${here.pages}/events`);
    const rows = await page.locator("#rows tr").count();
    await here.pullRequest(21, "closed");
    await page.clock.runFor(6_000);
    const link = page.getByRole("link", { name: "1 new - show" });
    await link.waitFor();
    assert.equal(await page.locator("#rows tr").count(), rows, "nothing moves by itself");
    await link.click();
    await page.getByText("pull_request · closed").first().waitFor();
    assert.equal(await page.locator("#rows tr").count(), rows + 1);

    await page.getByLabel("Follow").check();
    await page.evaluate(() => document.activeElement.blur());
    await here.pullRequest(22, "labeled");
    await page.clock.runFor(6_000);
    await page.getByText("pull_request · labeled").first().waitFor();
    assert.equal(await page.locator("#rows tr").count(), rows + 2);
  });
});

test("an event is replayed with its button", async () => {
  await inWindow(browser, {}, async (page) => {
    const id = await (async () => {
      here.server.answer({ code: 401 }, { code: 200 });
      return here.pullRequest(31);
    })();
    await open(page, `${here.pages}/events/${id}`);
    await page.keyboard.press("r");
    // The page that is there has been loaded: what is meant is the one that the button leads to.
    const loaded = page.waitForEvent("load");
    await page.keyboard.press("Enter");
    await loaded;
    await until(async () => (await here.api(`/v1/events/${id}`)).status === "processed");
    await open(page, `${here.pages}/events/${id}`);
    await page.getByRole("heading", { name: /Run 2 · replayed by loopback, from the page/ }).waitFor();
  });
});

for (const javaScriptEnabled of [true, false]) {
  test(`many are replayed after a look at them, ${javaScriptEnabled ? "going on by itself" : "without script"}`, async () => {
    here.server.answer({ code: 401 });
    const repository = `octo-org/many-${javaScriptEnabled}`;
    for (let n = 0; n < 101; n += 1) {
      await here.deliver("push", { ref: "refs/heads/main", after: SHA, repository: { full_name: repository } });
    }
    here.server.answer({ code: 200 });
    await inWindow(browser, { javaScriptEnabled }, async (page) => {
      await open(page, `${here.pages}/events?repository=${repository}&status=errored`);
      await page.getByRole("link", { name: /^Replay/ }).click();
      await page.getByRole("heading", { name: "101 events would run again." }).waitFor();
      await page.getByRole("button", { name: "Replay these 101 events" }).click();
      await page.getByRole("heading", { name: /Replaying 100 of 101/ }).waitFor();
      if (!javaScriptEnabled) await page.getByRole("button", { name: "Continue" }).click();
      await page.getByRole("heading", { name: /Done\. 101 of 101: 101 run again/ }).waitFor();
      if (javaScriptEnabled) await accessible(page);
    });
    await until(async () => (await here.api(`/v1/events?repository=${repository}&status=errored`)).events.length === 0);
  });
}

test("without script everything can be read", async () => {
  await inWindow(browser, { javaScriptEnabled: false }, async (page) => {
    for (const path of all()) {
      await open(page, here.pages + path);
      assert.ok((await page.locator("main").innerText()).length > 40, path);
    }
    await open(page, `${here.pages}/events`);
    await page.getByLabel("Event", { exact: true }).fill("release");
    await page.getByLabel("Repository").fill(REPOSITORY);
    await page.getByRole("button", { name: "Apply" }).click();
    assert.equal(await page.locator("#rows tr").count(), 1);
    await page.getByText("release · published").click();
    await page.getByText(/^Payload/).click();
    assert.match(await page.locator("#payload").innerText(), /"tag_name": "v1.2.0"/);
  });
});

test("markup from a webhook never runs", async () => {
  await inWindow(browser, {}, async (page, complaints) => {
    const query = encodeURIComponent(EVIL);
    const places = [...all(), `/events?action=${query}`, `/events?cursor=${query}`, `/go?q=${query}`, `/sign-in?next=${query}`];
    for (const path of places) {
      await page.goto(here.pages + path);
      const [hacked, foreign] = await page.evaluate(() => [
        typeof hacked,
        document.querySelectorAll("img, main script, [onload], [onerror], [href^='javascript:' i]").length,
      ]);
      assert.deepEqual([hacked, foreign], ["undefined", 0], path);
    }
    // Chromium names every answer of 400 and 404, which some of these addresses deserve.
    const others = complaints.filter((complaint) => !/responded with a status of 40[04]/.test(complaint));
    complaints.splice(0, complaints.length, ...others);
  });
});

test("the find box counts in the payload", async () => {
  await inWindow(browser, {}, async (page) => {
    await open(page, `${here.pages}/events/${ids.done}`);
    await page.getByText(/^Payload/).click();
    await page.getByLabel("Find").fill("Change 7");
    await page.getByText("1 found").waitFor();
    assert.equal(await page.locator("#payload mark").count(), 1);
  });
});

test("a gateway with a key asks for it once", async () => {
  const there = await yard({ key: KEY });
  try {
    const id = await there.pullRequest(7);
    await inWindow(browser, {}, async (page, complaints) => {
      await page.goto(`${there.pages}/events/${id}`);
      await page.waitForURL(/\/sign-in\?next=/);
      await accessible(page);
      await page.getByLabel(/Enter the gateway's key/).fill("another");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("That key does not fit.").waitFor();
      complaints.length = 0; // Chromium names the 403.
      await page.getByLabel(/Enter the gateway's key/).fill(KEY);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL(`**/events/${id}`);
      assert.deepEqual(await page.evaluate(() => [document.cookie, Object.keys(sessionStorage)]), ["", []]);
      const json = page.waitForResponse(`**/v1/events/${id}`);
      await page.getByRole("link", { name: "JSON" }).click();
      assert.equal((await json).status(), 200);
      await page.goBack();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.waitForURL("**/sign-in");
      await page.goto(`${there.pages}/events`);
      await page.waitForURL(/\/sign-in\?next=/);
    });
  } finally {
    await there.close();
  }
});

test("pictures of the pages", { skip: !process.env.PICTURES }, async () => {
  const shot = async (options, path, name) => {
    await inWindow(browser, options, async (page) => {
      await open(page, here.pages + path);
      await page.screenshot({ path: `${process.env.PICTURES}/${name}.png` });
    });
  };
  const wide = (height) => ({ viewport: { width: 1100, height } });
  for (const [theme, colorScheme] of [["", "light"], ["-dark", "dark"]]) {
    await shot({ ...wide(620), colorScheme }, `/events?repository=${REPOSITORY}`, `events${theme}`);
    await shot({ ...wide(700), colorScheme }, `/events/${ids.failed}`, `event-failed${theme}`);
    await shot({ ...wide(700), colorScheme }, `/events/${ids.done}`, `event${theme}`);
    await shot({ ...wide(700), colorScheme }, "/events/replay", `replay${theme}`);
    await shot({ ...wide(500), colorScheme }, `/commits/${REPOSITORY}/${SHA}`, `commit${theme}`);
    await shot({ ...wide(900), colorScheme }, "/", `overview${theme}`);
    await shot({ ...wide(900), colorScheme }, "/releases", `releases${theme}`);
    for (const [path, name] of [["/", "overview"], ["/events?status=errored", "events"], [`/events/${ids.failed}`, "event"], ["/releases", "releases"]]) {
      await shot({ viewport: PHONE, colorScheme }, path, `${name}-phone${theme}`);
    }
  }
});
