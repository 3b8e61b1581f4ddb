// The colours, recomputed from the style sheet: WCAG 2.2 wants 4.5 for text and 3 for lines and shapes.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const css = await readFile(process.env.STYLES, "utf8");

const schemes = (() => {
  const read = (text) => Object.fromEntries([...text.matchAll(/--([a-z]+):(#[0-9a-f]{6}|\d+%)/g)].map((m) => [m[1], m[2]]));
  const [light, dark] = css.split("@media (prefers-color-scheme:dark)");
  return { light: read(light), dark: read(dark.split("}}")[0]) };
})();

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
const linear = (channel) => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4);
const luminance = (rgb) => {
  const [r, g, b] = rgb.map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
/** What `color-mix(in srgb, colour share, page)` gives. */
const tint = (colour, share, page) => colour.map((channel, at) => channel * share + page[at] * (1 - share));

for (const [name, scheme] of Object.entries(schemes)) {
  const [page, surface] = [channels(scheme.page), channels(scheme.surface)];
  const share = parseInt(scheme.tint, 10) / 100;

  test(`${name}: every text can be read on whatever it stands on`, () => {
    for (const role of ["text", "muted", "ok", "bad", "wait", "busy", "quiet", "act"]) {
      const colour = channels(scheme[role]);
      const own = ["text", "muted"].includes(role) ? [] : [tint(colour, share, page)];
      for (const ground of [page, surface, ...own]) {
        const is = contrast(colour, ground);
        assert.ok(is >= 4.5, `--${role} ${scheme[role]} has ${is.toFixed(2)}`);
      }
    }
    // A verdict's words stand on the tint of its state.
    for (const role of ["ok", "bad", "wait", "busy", "quiet"]) {
      for (const words of ["text", "act"]) {
        const is = contrast(channels(scheme[words]), tint(channels(scheme[role]), share, page));
        assert.ok(is >= 4.5, `--${words} on the tint of --${role} has ${is.toFixed(2)}`);
      }
    }
  });

  test(`${name}: lines can be seen`, () => {
    for (const ground of [page, surface]) assert.ok(contrast(channels(scheme.line), ground) >= 3);
  });

  test(`${name}: the words of a button can be read on it`, () => {
    assert.ok(contrast(page, channels(scheme.act)) >= 4.5);
  });

  test(`${name}: states differ also for who sees fewer colours`, () => {
    // Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
    const views = {
      protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
      deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
      tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
    };
    for (const [view, matrix] of Object.entries(views)) {
      const seen = ["ok", "bad", "wait", "busy", "quiet"].map((role) => {
        const rgb = channels(scheme[role]).map(linear);
        return lab(matrix.map((row) => Math.min(1, Math.max(0, row.reduce((sum, k, at) => sum + k * rgb[at], 0)))));
      });
      for (const [at, one] of seen.entries()) {
        for (const other of seen.slice(at + 1)) {
          const apart = Math.hypot(...one.map((value, axis) => value - other[axis]));
          assert.ok(apart >= 13, `${view}: two states are ${apart.toFixed(1)} apart`);
        }
      }
    }
  });
}

/** CIE L*a*b* under D65, of linear RGB. */
function lab([r, g, b]) {
  const xyz = [
    (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047,
    0.2126729 * r + 0.7151522 * g + 0.072175 * b,
    (0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883,
  ];
  const [x, y, z] = xyz.map((value) => (value > 216 / 24389 ? Math.cbrt(value) : (24389 / 27 * value + 16) / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
