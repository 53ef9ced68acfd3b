// Keeps the page as it is on the server: whenever the queue changes it asks for this page again and changes what differs.

const base = document.body.dataset.base;
const SHORTEST_MS = 500; // between two looks, however busy the queue is

let due = false;
let looking = false;

async function look() {
  if (looking || document.hidden) { due = true; return; }
  looking = true;
  due = false;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.status === 401) { location.reload(); return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    morph(document.getElementById("main"), fresh.getElementById("main"));
    tellTimes(document);
  } catch { /* the stream says when the server is back */ }
  setTimeout(() => { looking = false; if (due) look(); }, SHORTEST_MS);
}

// Changes `old` into `fresh` with as little as possible, so that focus, selection and scrolling stay where they are.
export function morph(old, fresh) {
  if (old.isEqualNode(fresh) || old.hasAttribute?.("data-keep")) return;
  if (old.nodeName !== fresh.nodeName || old.nodeType !== Node.ELEMENT_NODE) { old.replaceWith(fresh); return; }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const known = new Map([...old.children].filter((one) => one.id).map((one) => [one.id, one]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const same = wanted.id ? known.get(wanted.id) : place && !place.id && place.nodeName === wanted.nodeName ? place : null;
    if (!same) { old.insertBefore(wanted, place); continue; }
    if (same === place) place = place.nextSibling; else old.insertBefore(same, place);
    morph(same, wanted);
  }
  while (place) { const next = place.nextSibling; place.remove(); place = next; }
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function tellTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const seconds = (at - Date.now()) / 1000;
    const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS[3];
    const text = relative.format(Math.trunc(seconds / length), unit);
    if (time.textContent !== text) time.textContent = text;
    time.title = `${exact.format(at)} = ${time.dateTime}`;
  }
}

const live = document.getElementById("live");
const stream = new EventSource(`${base}/live`);
stream.addEventListener("changed", look);
stream.onopen = () => { live.textContent = "live"; live.classList.remove("lost"); look(); };
stream.onerror = () => { live.textContent = "no connection"; live.classList.add("lost"); };
document.addEventListener("visibilitychange", () => { if (!document.hidden && due) look(); });

tellTimes(document);
setInterval(() => tellTimes(document), 1000);
