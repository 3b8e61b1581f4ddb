"use strict";
(() => {
 const $ = (q, r = document) => r.querySelector(q), all = (q, r = document) => [...r.querySelectorAll(q)];
 const kept = (k, v) => { try { return v === undefined ? localStorage[k] : localStorage[k] = v; } catch { return ""; } };
 // Times: the reader's own; the exact one on hovering.
 const times = r => all("time", r).forEach(t => {
  const d = new Date(t.title = t.dateTime), s = t.textContent, hm = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const o = /^\d+:/.test(s) ? { ...hm, second: "2-digit" } : /UTC$/.test(s) ? { weekday: "short", ...hm } : 0;
  if (o) t.textContent = d.toLocaleString([], o);
 });
 times(document);
 // Copy; find in the payload.
 all("[data-copy]").forEach(b => {
  b.hidden = !navigator.clipboard;
  b.onclick = () => navigator.clipboard.writeText(b.dataset.copy).then(() => { b.textContent = "copied"; });
 });
 const find = $("#find"), pre = $("#payload"), text = pre?.textContent;
 if (find && pre) {
  let at = 0;
  find.parentElement.hidden = false;
  find.oninput = () => {
   const parts = find.value ? text.split(find.value) : [text];
   pre.textContent = at = "";
   parts.forEach((p, i) => {
    if (i) pre.append(Object.assign(document.createElement("mark"), { textContent: find.value }));
    pre.append(p);
   });
   $("#found").textContent = find.value && `${parts.length - 1} found`;
   $("mark", pre)?.scrollIntoView({ block: "center" });
  };
  find.onkeydown = e => {
   const m = all("mark", pre);
   if (e.key === "Enter" && m.length) m[at = (+at + 1) % m.length].scrollIntoView({ block: "center" });
  };
 }
 // Live: a count; rows move only when asked to.
 const follow = $("#follow"), said = $("#said");
 let moved = Date.now(), told = 0;
 const fresh = async id => {
  const r = await fetch(location.href);
  if (!r.ok || r.redirected) return;
  const next = new DOMParser().parseFromString(await r.text(), "text/html").getElementById(id);
  if (next) { times(next); $("#" + id).replaceWith(next); }
 };
 const look = async () => {
  const rows = $("#rows[data-live]");
  if (document.hidden) return;
  if ($("#story[data-moving]")) return fresh("story");
  if (!rows) return;
  const r = await fetch(rows.dataset.live, { cache: "no-cache" });
  if (!r.ok) return;
  const n = (await r.json()).new, link = $("#new");
  link.hidden = !n;
  link.textContent = `${n > 99 ? "100 or more" : n} new - show`;
  if (!n) return;
  const still = !scrollY && !rows.contains(document.activeElement) && !`${getSelection()}`;
  if (follow.checked && still) { await fresh("rows"); link.hidden = true; }
  if (Date.now() - told > 3e4) { told = Date.now(); said.textContent = follow.checked && !still ? "Following paused" : `${n} new`; }
 };
 const tick = () => setTimeout(() => look().catch(() => {}).then(tick), Date.now() - moved > 3e5 ? 3e4 : 5e3);
 if ($("#rows[data-live],#story[data-moving]")) tick();
 for (const e of ["pointermove", "keydown", "scroll"]) addEventListener(e, () => { moved = Date.now(); }, { passive: true });
 for (const box of all("[data-kept]")) {
  box.parentElement.hidden = false;
  box.checked = (kept(box.id) ?? box.dataset.kept) === "1";
  box.onchange = () => kept(box.id, box.checked ? "1" : "0");
 }
 // A replay goes on by itself.
 const go = $("#go");
 if (go) setTimeout(() => go.requestSubmit(), 1500);
 // Keys.
 let g = 0, row = -1;
 addEventListener("keydown", e => {
  if (kept("keys") === "0" || e.ctrlKey || e.metaKey || e.altKey || /INPUT|SELECT|TEXTAREA/.test(e.target.tagName)) return;
  const k = e.key, rows = all("#rows tr"), to = g && Date.now() - g < 1500 && { o: "/", e: "/events", r: "/releases" }[k];
  g = k === "g" ? Date.now() : 0;
  if (to) location.href = to;
  else if (k === "/") { e.preventDefault(); $("#q")?.focus(); }
  else if (k === "?") location.href = "/help";
  else if (k === "n") $("#new:not([hidden])")?.click();
  else if (k === "r") $("[data-replay]")?.focus();
  else if (/^[jk]$/.test(k) && rows.length) {
   row = Math.max(0, Math.min(rows.length - 1, row + (k === "j" ? 1 : -1)));
   $("a", rows[row])?.focus();
  }
 });
})();
