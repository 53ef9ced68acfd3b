// Keeps the page as it is on the server: whenever the queue changes it asks for this page again and changes what
// differs. Buttons are forms; here they are sent without leaving the page. Everything works without this script, too.

const base = document.body.dataset.base;
const SHORTEST_MS = 100; // between two looks, however busy the queue is
const SHARE = 10; // a look that took long is followed by a rest of so many times as long
const NOTICE_MS = 8000;
const AGAIN_MS = 2000;

let due = false;
let looking = false;

async function look() {
  if (looking || document.hidden || document.querySelector("dialog[open]")) { due = true; return; }
  looking = true;
  due = false;
  const began = performance.now();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html", "x-live": "1" } });
    if (answer.status === 401) { location.reload(); return; }
    if (answer.headers.get("content-type")?.startsWith("text/html")) show(await answer.text()); // that it failed, too
  } catch { /* the stream says when the server is back */ }
  const rest = Math.max(SHORTEST_MS, SHARE * (performance.now() - began));
  setTimeout(() => { looking = false; if (due) look(); }, rest);
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  morph(document.getElementById("main"), fresh.getElementById("main"));
  document.title = fresh.title;
  for (const notice of fresh.querySelectorAll("#notices > *")) notify(notice);
  for (const form of document.querySelectorAll("form[data-select]")) tellSelected(form);
  dress(document);
}

// Changes `old` into `fresh` with as little as possible, so that focus, selection and scrolling stay where they are.
export function morph(old, fresh) {
  if (old.isEqualNode(fresh) || (old.hasAttribute?.("data-keep") && fresh.hasAttribute?.("data-keep"))) return;
  if (old.nodeName !== fresh.nodeName || old.nodeType !== Node.ELEMENT_NODE) { old.replaceWith(fresh); return; }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const known = new Map([...old.children].filter(idOf).map((one) => [idOf(one), one]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const alike = place && !idOf(place) && place.nodeType === wanted.nodeType && place.nodeName === wanted.nodeName;
    const same = idOf(wanted) ? known.get(idOf(wanted)) : alike ? place : null;
    if (!same) { old.insertBefore(wanted, place); continue; }
    if (same === place) place = place.nextSibling; else old.insertBefore(same, place);
    morph(same, wanted);
  }
  while (place) { const next = place.nextSibling; place.remove(); place = next; }
}

// Not `node.id`: in a form with a field named "id" that is the field.
function idOf(node) { return node.getAttribute?.("id"); }

function notify(notice) {
  document.getElementById("notices").append(notice);
  setTimeout(() => notice.remove(), NOTICE_MS);
}

// Buttons: ask where something can't be undone, send, and show the page that comes back.

const sure = document.getElementById("sure");

function isSure(question) {
  document.getElementById("sure-question").textContent = question;
  sure.returnValue = "no";
  sure.showModal();
  return new Promise((answer) => {
    sure.addEventListener("close", () => answer(sure.returnValue === "yes"), { once: true });
  });
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  if ((button?.getAttribute("formmethod") ?? form.method) !== "post") return;
  event.preventDefault();
  const question = button?.dataset.confirm ?? form.dataset.confirm;
  if (question && !(await isSure(question))) return;
  const body = new URLSearchParams(new FormData(form, button));
  if (question) body.set("sure", "true");
  button?.setAttribute("disabled", "");
  try {
    const answer = await fetch(button?.hasAttribute("formaction") ? button.formAction : form.action, {
      method: "POST", body, headers: { accept: "text/html" },
    });
    if (answer.status === 401) { location.reload(); return; }
    if (answer.headers.get("content-type")?.startsWith("text/html")) {
      if (answer.redirected && answer.url !== location.href) history.pushState(null, "", answer.url);
      if (form.matches("[data-select]")) form.reset();
      show(await answer.text());
    } else notify(said("bad", (await answer.json()).detail));
  } catch { notify(said("bad", "The dashboard does not answer; nothing may have happened.")); }
  button?.removeAttribute("disabled");
});

window.addEventListener("popstate", () => location.reload());

function said(kind, text) {
  const notice = document.createElement("p");
  notice.className = `notice ${kind}`;
  notice.textContent = text;
  return notice;
}

// Times: how long ago, and the exact one in the viewer's zone on hover.

const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function dress(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const seconds = (at - Date.now()) / 1000;
    const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS[3];
    const text = time.hasAttribute("data-exact") ? exact.format(at) : relative.format(Math.trunc(seconds / length), unit);
    if (time.textContent !== text) time.textContent = text;
    time.hidden = time.hasAttribute("data-exact") && at.getTimezoneOffset() === 0;
    time.title = `${exact.format(at)} = ${time.dateTime}`;
  }
}

// Tables: one box selects all rows; the buttons below say how many.

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (event.target.matches("[data-all]")) {
    for (const box of form.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
  }
  if (form?.matches("[data-select]")) tellSelected(form);
  if (event.target.matches("[data-submit]")) form.requestSubmit();
});

function tellSelected(form) {
  const count = form.querySelectorAll("input[name=id]:checked").length;
  form.classList.toggle("has-selected", count > 0);
  for (const place of form.querySelectorAll("[data-selected]")) place.textContent = count;
}

// Keys: / to the filter, j and k through the rows, x selects, g and a letter goes to a page.

const GO = { o: "", j: "jobs", s: "specs", d: "dead", w: "workers", t: "settings" };
let going = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea") || sure.open) return;
  const rows = [...document.querySelectorAll("tr[data-row]")];
  const at = rows.indexOf(document.activeElement?.closest("tr[data-row]"));
  const step = { j: 1, k: -1 }[event.key];
  if (going && event.key in GO) location.href = `${base}/${GO[event.key]}`;
  else if (event.key === "/") document.querySelector("[type=search]")?.focus();
  else if (step && rows.length) rows[Math.min(rows.length - 1, Math.max(0, at + step))].querySelector("a")?.focus();
  else if (event.key === "x" && at >= 0) rows[at].querySelector("input[name=id]")?.click();
  else { going = event.key === "g"; return; }
  going = false;
  event.preventDefault();
});

// Live.

const live = document.getElementById("live");

function listen() {
  const stream = new EventSource(`${base}/live`);
  stream.addEventListener("changed", look);
  stream.onopen = () => { live.textContent = "live"; live.classList.remove("lost"); look(); };
  stream.onerror = () => {
    live.textContent = "no connection";
    live.classList.add("lost");
    if (stream.readyState === EventSource.CLOSED) setTimeout(again, AGAIN_MS);
  };
}

// Where the answer was no stream (a proxy whose server is away, a session that has ended) browsers don't ask again.
function again() { look(); listen(); }

listen();
document.addEventListener("visibilitychange", () => { if (!document.hidden && due) look(); });
sure.addEventListener("close", () => { if (due) look(); });

dress(document);
setInterval(() => dress(document), 1000);
for (const notice of document.querySelectorAll("#notices > *")) setTimeout(() => notice.remove(), NOTICE_MS);
