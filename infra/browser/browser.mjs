// Chromium, watched: whatever a page complains about fails the test that opened it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };

/** The browser; root needs it without its sandbox. */
export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    chromiumSandbox: process.getuid?.() !== 0,
    args: ["--disable-gpu", "--disable-dev-shm-usage"],
  });

/** Runs a test in a window of its own, and looks afterwards whether anything was complained about. */
export async function inWindow(browser, options, test) {
  const context = await browser.newContext({ viewport: DESKTOP, locale: "en-GB", timezoneId: "UTC", ...options });
  const complaints = [];
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => complaints.push(`a dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.hostname !== "127.0.0.1") complaints.push(`a request to ${url.origin}`);
  });
  try {
    await test(page, complaints);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

/** Opens an address, which has to be there. */
export async function open(page, url) {
  const answer = await page.goto(url);
  assert.equal(answer.status(), 200, url);
  assert.match(answer.headers()["content-security-policy"], /^default-src 'none'; style-src 'self'; script-src 'self';/);
}

/** Nothing that axe-core objects to. */
export async function accessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const said = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(said, [], page.url());
}

/** Nothing is wider than the window. */
export async function fits(page) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `${page.url()} is ${wide} px wide in a window of ${window}`);
}
