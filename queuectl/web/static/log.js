// <job-log>: reads an output on while it is written, searches in it, wraps its lines. Without this it is a page of text.

const LONGEST = 8_000_000; // characters kept in the page; what is older is a link again
const MOST_FOUND = 10_000;
const NEAR_END = 32;
const AGAIN_MS = 2000;

customElements.define("job-log", class extends HTMLElement {
  connectedCallback() {
    this.box = this.querySelector(".log");
    this.pre = this.querySelector("pre");
    this.found = [];
    this.at = -1;
    this.querySelector("[data-tools]").hidden = false;
    this.field.addEventListener("input", () => this.search());
    this.field.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); this.step(event.shiftKey ? -1 : 1); } });
    for (const button of this.querySelectorAll("[data-step]")) button.addEventListener("click", () => this.step(Number(button.dataset.step)));
    this.querySelector("[data-wrap]").addEventListener("change", (event) => this.box.classList.toggle("wrap", event.target.checked));
    this.earlier.addEventListener("click", (event) => { event.preventDefault(); this.loadEarlier(); });
    this.box.addEventListener("scroll", () => { if (this.stream) this.follow.checked = this.isAtEnd(); });
    this.follow.addEventListener("change", () => { if (this.follow.checked) this.toEnd(); });
    if (this.hasAttribute("data-to-end")) this.toEnd();
    if (this.hasAttribute("data-running") || this.hasAttribute("data-blank")) this.listen();
  }

  disconnectedCallback() { this.stream?.close(); CSS.highlights?.clear(); }

  get field() { return this.querySelector("input[type=search]"); }
  get follow() { return this.querySelector("[data-follow]"); }
  get earlier() { return this.querySelector("[data-earlier]"); }

  listen() {
    const from = this.hasAttribute("data-blank") ? "" : `&after=${this.dataset.end}`;
    this.stream = new EventSource(this.dataset.live + from);
    this.stream.addEventListener("written", (event) => { this.dataset.end = event.lastEventId; this.append(event.data); });
    this.stream.onerror = ({ target }) => {
      // Browsers ask again by themselves, but not where the answer was no stream: the server is away, or has no room.
      if (target.readyState === EventSource.CLOSED) setTimeout(() => { if (this.stream === target && this.isConnected) this.listen(); }, AGAIN_MS);
    };
    this.stream.addEventListener("over", () => this.end());
  }

  append(data) {
    const cut = data.indexOf("\n");
    const chunk = document.createElement("code");
    chunk.dataset.start = data.slice(0, cut);
    chunk.innerHTML = data.slice(cut + 1); // spans that the server made, all else in it escaped
    if (this.hasAttribute("data-blank")) { this.removeAttribute("data-blank"); this.pre.replaceChildren(); this.linkEarlier(chunk.dataset.start); }
    this.pre.append(chunk);
    this.dropOldest();
    if (this.follow.checked) this.toEnd();
    this.search({ stay: true });
  }

  end() {
    this.stream.close();
    this.stream = null;
    this.querySelector("[data-follow-box]").hidden = true;
    this.querySelector("[data-said]").textContent = this.pre.textContent ? "It has ended." : "It wrote nothing.";
  }

  dropOldest() {
    let length = this.pre.textContent.length;
    while (length > LONGEST && this.pre.children.length > 1 && this.follow.checked) {
      length -= this.pre.firstElementChild.textContent.length;
      this.pre.firstElementChild.remove();
      this.linkEarlier(this.pre.firstElementChild.dataset.start);
    }
  }

  linkEarlier(start) {
    const link = new URL(this.earlier.href);
    link.searchParams.set("before", start);
    this.earlier.href = link;
    this.earlier.parentElement.hidden = start === "0";
  }

  async loadEarlier() {
    const answer = await fetch(this.earlier.href, { headers: { accept: "text/html" } });
    if (!answer.ok) { location.href = this.earlier.href; return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const chunk = document.adoptNode(page.querySelector("job-log code"));
    const height = this.box.scrollHeight;
    this.follow.checked = false;
    this.pre.prepend(chunk);
    this.linkEarlier(chunk.dataset.start);
    this.box.scrollTop += this.box.scrollHeight - height;
    if (chunk.dataset.start === "0") this.box.focus();
    this.search({ stay: true });
  }

  isAtEnd() { return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR_END; }
  toEnd() { this.box.scrollTop = this.box.scrollHeight; }

  // Search: ranges that are marked without touching the text.

  search({ stay = false } = {}) {
    this.found = this.field.value ? this.rangesOf(this.field.value) : [];
    if (!stay) this.at = -1;
    globalThis.CSS.highlights?.set("found", new Highlight(...this.found));
    this.tell();
    if (!stay && this.found.length) this.step(1);
  }

  rangesOf(wanted) {
    const walker = document.createTreeWalker(this.pre, NodeFilter.SHOW_TEXT);
    const nodes = [];
    let text = "";
    for (let node = walker.nextNode(); node; node = walker.nextNode()) { nodes.push([text.length, node]); text += node.data; }
    let lower = text.toLowerCase();
    if (lower.length === text.length) wanted = wanted.toLowerCase();
    else lower = text; // some letters change their length, and places would be wrong: as it is written, then
    const ranges = [];
    let at = 0;
    const place = (offset) => {
      while (at + 1 < nodes.length && nodes[at + 1][0] <= offset) at += 1;
      return [nodes[at][1], offset - nodes[at][0]];
    };
    for (let from = lower.indexOf(wanted); from >= 0 && ranges.length < MOST_FOUND; from = lower.indexOf(wanted, from + wanted.length)) {
      const range = new Range();
      range.setStart(...place(from));
      const [node, offset] = place(from + wanted.length - 1);
      range.setEnd(node, offset + 1);
      ranges.push(range);
    }
    return ranges;
  }

  step(by) {
    if (!this.found.length) return;
    this.at = (this.at + by + this.found.length + (this.at < 0 && by < 0 ? 1 : 0)) % this.found.length;
    const range = this.found[this.at];
    globalThis.CSS.highlights?.set("found-now", new Highlight(range));
    const there = range.getBoundingClientRect(), box = this.box.getBoundingClientRect();
    if (there.top < box.top || there.bottom > box.bottom) this.box.scrollTop += there.top - box.top - box.height / 2;
    if (there.left < box.left || there.right > box.right) this.box.scrollLeft += there.left - box.left - box.width / 2;
    this.follow.checked = this.stream ? this.isAtEnd() : this.follow.checked;
    this.tell();
  }

  tell() {
    const count = this.found.length === MOST_FOUND ? `${MOST_FOUND}+` : this.found.length;
    const text = !this.field.value ? "" : this.found.length ? `${this.at + 1} of ${count}` : "not found";
    this.querySelector("[data-found]").textContent = text;
    if (!this.found.length) globalThis.CSS.highlights?.delete("found-now");
  }
});
