"use strict";
(async () => {
  const BATCH = 60;
  const ANSWERS = { show: "", true: "", said: "", by: "panel", from: "", to: "", missed: "", took: "", paid: "", q: "" };
  const LOOKS = { sort: "chance", view: "tiles" };
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;

  // ---- what the file holds: facts now, cards and pictures when they are wanted

  async function unpack(id) {
    const letters = atob($(id).textContent);
    const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  const facts = await unpack("facts");
  const n = facts.names.length;
  const bit = Object.fromEntries(facts.marks.map((mark, i) => [mark, 1 << i]));
  const chips = [...document.querySelectorAll(".chip")];
  const signs = ["referred", "disagree", "looked", "helped", "harmed", "unfamiliar", "leaked", "silent", "unlabelled"];
  const named = Object.fromEntries(chips.map((chip) => [chip.dataset.mark, chip.childNodes[1].textContent.trim()]));
  const opened = new Map();
  const lines = new Map();
  let words = null;

  function block(number) {
    if (!opened.has(number)) opened.set(number, unpack(`cards-${number}`));
    return opened.get(number);
  }

  function picture(number) {
    const of = Math.floor(number / facts.pictures_a_block);
    if (!lines.has(of)) lines.set(of, $(`pictures-${of}`).textContent.split("\n"));
    return lines.get(of)[number % facts.pictures_a_block];
  }

  async function card(i) {
    const { cards } = await block(Math.floor(facts.cards[i] / facts.cards_a_block));
    const made = document.createElement("template");
    made.innerHTML = cards[facts.cards[i] % facts.cards_a_block];
    for (const image of made.content.querySelectorAll('img[src^="#picture-"]'))
      image.src = picture(Number(image.getAttribute("src").slice(9)));
    return made.content;
  }

  async function readWords() {
    const last = Math.max(-1, ...facts.cards);
    const blocks = await Promise.all(
      Array.from({ length: Math.ceil((last + 1) / facts.cards_a_block) }, (_, number) => unpack(`cards-${number}`)));
    const all = blocks.flatMap((one) => one.words);
    words = facts.cards.map((number) => all[number].toLowerCase());
  }

  // ---- the address is the state

  let state = null;
  let found = [];
  let shown = 0;
  let travelling = false;

  function parse(fragment) {
    const given = new URLSearchParams(fragment.replace(/^#/, ""));
    const keep = state ?? LOOKS;
    const read = { columns: {}, case: given.get("case") ?? "" };
    for (const [key, usual] of Object.entries(ANSWERS)) read[key] = given.get(key) ?? usual;
    for (const key of Object.keys(LOOKS)) read[key] = given.get(key) ?? keep[key];
    if (!facts.readers.includes(read.by)) read.by = ANSWERS.by;
    const values = given.getAll("value");
    given.getAll("column").forEach((column, i) => {
      if (column in facts.columns) read.columns[column] = values[i] ?? "";
    });
    return read;
  }

  function address(of) {
    const made = new URLSearchParams();
    for (const [key, usual] of Object.entries({ ...ANSWERS, ...LOOKS, case: "" }))
      if (of[key] !== usual) made.set(key, of[key]);
    for (const [column, value] of Object.entries(of.columns)) {
      made.append("column", column);
      made.append("value", value);
    }
    return `#${made}`;
  }

  function go(changes, { replace = false } = {}) {
    const next = { ...state, ...changes };
    history[replace ? "replaceState" : "pushState"](null, "", address(next));
    apply(next);
  }

  function isPlace(fragment) {
    return fragment.length > 1 && !fragment.includes("=");
  }

  function apply(next) {
    const before = state;
    state = next;
    const same = before && address({ ...before, case: "" }) === address({ ...next, case: "" });
    if (!same) {
      filter();
      controls();
      draw();
    }
    showCase();
  }

  // ---- filtering and order

  function span(text) {
    const [low, high] = text.split("~").map(Number);
    return text && Number.isFinite(low) && Number.isFinite(high) ? [low, high] : null;
  }

  function tests() {
    const made = [];
    const by = facts.readers.indexOf(state.by);
    const label = (name) => facts.labels.indexOf(name);
    if (state.true) { const is = label(state.true); made.push((i) => facts.truth[i] === is); }
    if (state.said) { const is = label(state.said); made.push((i) => facts.said[by][i] === is); }
    if (state.from || state.to) {
      const low = Number(state.from || 0), high = Number(state.to || 1), sure = facts.sure[by];
      made.push((i) => sure[i] > low - 1e-9 * (low === 0 ? 1 : 0) && sure[i] <= high); // bins hold their upper end
    }
    if (state.missed) {
      const of = facts.said[facts.readers.indexOf(state.missed)] ?? [];
      made.push((i) => of[i] >= 0 && facts.truth[i] >= 0 && of[i] !== facts.truth[i]);
    }
    for (const [key, values] of [["took", facts.seconds], ["paid", facts.cost]]) {
      const range = span(state[key]);
      if (range) made.push((i) => values[i] >= range[0] * (1 - 1e-7) && values[i] <= range[1] * (1 + 1e-7));
    }
    for (const [column, value] of Object.entries(state.columns)) {
      const { values, of } = facts.columns[column];
      const is = values.indexOf(value);
      made.push((i) => of[i] === is);
    }
    const wanted = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    if (wanted.length) made.push((i) => { const text = told(i); return wanted.every((word) => text.includes(word)); });
    return made;
  }

  function told(i) {
    const by = facts.said.map((said) => facts.labels[said[i]] ?? "");
    return [facts.names[i], facts.ids[i], facts.labels[facts.truth[i]] ?? "", ...by, words ? words[i] : ""]
      .join(" ").toLowerCase();
  }

  function key(i) {
    const by = facts.readers.indexOf(state.by);
    if (state.sort === "chance") {
      if (facts.chance[i] >= 0) return facts.chance[i];
      return facts.bits[i] & bit.unread ? 3 : 1 + facts.sure[by][i];
    }
    return { sure: facts.sure[by], seconds: facts.seconds, cost: facts.cost }[state.sort.replace("-", "")]?.[i] ?? i;
  }

  function marksAsked() {
    return state.show.split(",").filter((mark) => mark in bit);
  }

  function marksRefused() {
    return state.show.split(",").filter((mark) => mark.startsWith("-")).map((mark) => mark.slice(1));
  }

  function bits(marks) {
    return marks.reduce((sum, mark) => sum | (bit[mark] ?? 0), 0);
  }

  function filter() {
    const all = tests();
    const mask = bits(marksAsked());
    const none = bits(marksRefused());
    const counts = facts.marks.map(() => 0);
    found = [];
    for (let i = 0; i < n; i++) {
      if ((facts.bits[i] & mask) !== mask || facts.bits[i] & none || !all.every((test) => test(i))) continue;
      found.push(i);
      for (let b = 0; b < counts.length; b++) counts[b] += (facts.bits[i] >> b) & 1;
    }
    if (state.sort === "name") found.sort((a, b) => facts.names[a].localeCompare(facts.names[b], undefined, { numeric: true }));
    else if (state.sort !== "place") {
      const keys = found.map(key);
      const way = state.sort.startsWith("-") ? -1 : 1;
      found = found.map((i, at) => [keys[at] * way, i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
    }
    for (const chip of chips) {
      const left = counts[facts.marks.indexOf(chip.dataset.mark)];
      chip.lastElementChild.textContent = left;
      chip.classList.toggle("none", left === 0);
    }
    if (state.q && words === null) readWords().then(() => { if (state.q) { filter(); draw(); count(); } });
  }

  // ---- drawing

  function element(tag, css, text = "") {
    const made = document.createElement(tag);
    if (css) made.className = css;
    if (text) made.textContent = text;
    return made;
  }

  function percent(share) {
    return share > 0.995 && share < 1 ? ">99 %" : `${Math.round(share * 100)} %`;
  }

  function frame(i) {
    const made = element("span", "frame");
    if (facts.pictures[i] < 0) { made.textContent = facts.bits[i] & bit.unread ? "∅" : "no picture"; return made; }
    const image = element("img");
    image.alt = "";
    image.src = picture(facts.pictures[i]);
    made.append(image);
    return made;
  }

  function answer(i, reader, css) {
    const made = element("span", css);
    const said = facts.said[reader][i];
    if (said < 0) { made.textContent = facts.bits[i] & bit.unread ? "not read" : "no answer"; return made; }
    const good = facts.truth[i] < 0 ? null : said === facts.truth[i];
    if (good !== null) made.append(element("span", good ? "good" : "bad", good ? "✓ " : "✗ "));
    made.append(element("span", "name", facts.labels[said]));
    return made;
  }

  function marksOf(i) {
    return signs.filter((mark) => facts.bits[i] & bit[mark]);
  }

  function icons(i) {
    const made = element("span", "signs", marksOf(i).map((mark) => facts.icons[facts.marks.indexOf(mark)]).join(""));
    made.title = marksOf(i).map((mark) => named[mark] ?? mark).join(", ");
    return made;
  }

  function plain(name) {
    return name.split("/").pop();
  }

  // No probability is shown for an image unlike the calibration images.
  function trusted(i) {
    return !(facts.bits[i] & bit.unfamiliar);
  }

  function tile(i) {
    const made = element("button", "one-case");
    const by = facts.readers.indexOf(state.by);
    made.type = "button";
    made.classList.toggle("wrong", Boolean(facts.bits[i] & bit.wrong));
    made.classList.toggle("referred", Boolean(facts.bits[i] & bit.referred));
    const first = answer(i, by, "answer");
    if (trusted(i) && facts.sure[by][i] >= 0) first.append(element("span", "share", ` ${percent(facts.sure[by][i])}`));
    const truth = facts.labels[facts.truth[i]];
    const wrong = truth && facts.said[by][i] !== facts.truth[i];
    made.append(frame(i), icons(i), first, element("span", "under", wrong ? `true: ${truth}` : plain(facts.names[i])));
    made.title = facts.names[i];
    made.setAttribute("aria-label", [plain(facts.names[i]), first.textContent, wrong ? `true: ${truth}` : "",
      ...marksOf(i).map((mark) => named[mark] ?? mark)].filter(Boolean).join(", "));
    return made;
  }

  function line(i) {
    const made = element("tr", "line");
    made.tabIndex = 0;
    const cell = (...inside) => { const td = element("td"); td.append(...inside); made.append(td); return td; };
    cell(frame(i));
    cell(plain(facts.names[i])).title = facts.names[i];
    cell(facts.labels[facts.truth[i]] ?? "–");
    facts.readers.forEach((_, reader) => {
      const td = cell(answer(i, reader, ""));
      if (trusted(i) && facts.sure[reader][i] >= 0) td.append(element("span", "soft", ` ${percent(facts.sure[reader][i])}`));
    });
    cell(marksOf(i).map((mark) => facts.icons[facts.marks.indexOf(mark)]).join(" ")).title =
      marksOf(i).map((mark) => named[mark] ?? mark).join(", ");
    cell(facts.seconds[i] >= 0 ? facts.seconds[i].toFixed(2) : "–").className = "num";
    return made;
  }

  function holder() {
    return state.view === "table" ? $("lines") : $("gallery");
  }

  function grow(least = 0) {
    const upto = Math.min(found.length, Math.max(shown + BATCH, least));
    const made = document.createDocumentFragment();
    for (; shown < upto; shown++) {
      const one = state.view === "table" ? line(found[shown]) : tile(found[shown]);
      one.dataset.place = shown;
      made.append(one);
    }
    holder().append(made);
  }

  function draw() {
    $("gallery").replaceChildren();
    $("lines").replaceChildren();
    $("gallery").hidden = state.view === "table";
    $("table").hidden = state.view !== "table";
    shown = 0;
    grow();
    if (!found.length) { $("gallery").hidden = false; $("gallery").append(element("p", "empty", "No case matches these filters.")); }
  }

  function count() {
    $("count").textContent = found.length === n ? `${n} cases` : `${found.length} of ${n} cases`;
    const said = marksRefused().map((mark) => `not ${named[mark] ?? mark}`);
    if (state.from || state.to) said.push(`confidence of ${state.by} from ${state.from || 0} to ${state.to || 1}`);
    for (const [key, what] of [["took", "seconds"], ["paid", "US $"]]) {
      const range = span(state[key]);
      if (range) said.push(`${Number(range[0].toPrecision(3))} to ${Number(range[1].toPrecision(3))} ${what}`);
    }
    $("told").textContent = said.join(" · ");
  }

  function controls() {
    count();
    for (const chip of chips) chip.setAttribute("aria-pressed", String(marksAsked().includes(chip.dataset.mark)));
    for (const id of ["true", "said", "by", "missed", "sort"]) $(id).value = state[id];
    for (const select of document.querySelectorAll("[data-column]")) {
      const { values } = facts.columns[select.dataset.column];
      const chosen = state.columns[select.dataset.column];
      select.value = chosen === undefined ? "" : String(values.indexOf(chosen));
    }
    if (document.activeElement !== $("q")) $("q").value = state.q;
    $("as-tiles").setAttribute("aria-pressed", String(state.view !== "table"));
    $("as-table").setAttribute("aria-pressed", String(state.view === "table"));
    $("clear").hidden = address({ ...state, ...LOOKS, case: "" }) === "#";
  }

  // ---- one case

  async function showCase() {
    const dialog = $("case");
    const i = state.case ? facts.ids.indexOf(state.case) : -1;
    if (i < 0) { if (dialog.open) dialog.close(); return; }
    const place = found.indexOf(i);
    $("case-place").textContent = `${place < 0 ? "" : `${place + 1} of ${found.length} · `}${facts.names[i]}`;
    $("previous").disabled = place <= 0;
    $("next").disabled = place < 0 || place === found.length - 1;
    const made = await card(i);
    if (state.case !== facts.ids[i]) return;
    $("card").replaceChildren(made);
    if (!dialog.open) { dialog.showModal(); $("card").focus(); }
    dialog.scrollTop = 0;
  }

  function open(place) {
    go({ case: facts.ids[found[place]] }, { replace: $("case").open });
  }

  function step(by) {
    const place = found.indexOf(facts.ids.indexOf(state.case)) + by;
    if (place >= 0 && place < found.length) open(place);
  }

  function focusOn(place) {
    if (place < 0 || place >= found.length) return;
    grow(place >= shown ? place + 1 : 0);
    const one = holder().children[place];
    one.focus({ preventScroll: true });
    one.scrollIntoView({ block: "nearest" });
  }

  function focused() {
    const one = document.activeElement?.closest?.("[data-place]");
    return one ? Number(one.dataset.place) : -1;
  }

  function clear() {
    go({ ...ANSWERS, columns: {}, case: "" });
  }

  function toggleTheme() {
    const now = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  }

  // ---- what a reader does

  function options(select, first, names, values = names) {
    select.append(new Option(first, ""), ...names.map((name, i) => new Option(name || "(none)", values[i])));
  }

  function wire() {
    options($("true"), "any", facts.labels);
    options($("said"), "any", facts.labels);
    options($("missed"), "–", facts.readers.slice(1));
    $("by").append(...facts.readers.map((reader) => new Option(reader, reader)));
    const head = document.querySelector(".cases thead tr");
    head.replaceChildren(...["", "case", "true label", ...facts.readers, "", "seconds"].map((name) => element("th", "", name)));
    for (const id of ["true", "said", "by", "missed", "sort"])
      $(id).addEventListener("change", () => go({ [id]: $(id).value }));
    for (const select of document.querySelectorAll("[data-column]")) {
      const { values } = facts.columns[select.dataset.column];
      options(select, "any", values, values.map((_, i) => String(i)));
      select.addEventListener("change", () => {
        const columns = { ...state.columns };
        if (select.value === "") delete columns[select.dataset.column];
        else columns[select.dataset.column] = values[Number(select.value)];
        go({ columns });
      });
    }
    for (const chip of chips) chip.addEventListener("click", () => {
      const marks = new Set(state.show.split(",").filter(Boolean));
      if (!marks.delete(chip.dataset.mark)) marks.add(chip.dataset.mark);
      go({ show: [...marks].join(",") });
    });
    $("q").addEventListener("input", () => go({ q: $("q").value.trim() }, { replace: true }));
    $("as-tiles").addEventListener("click", () => go({ view: "tiles" }));
    $("as-table").addEventListener("click", () => go({ view: "table" }));
    $("clear").addEventListener("click", clear);
    for (const list of [$("gallery"), $("lines")]) list.addEventListener("click", (event) => {
      const one = event.target.closest("[data-place]");
      if (one) open(Number(one.dataset.place));
    });
    $("previous").addEventListener("click", () => step(-1));
    $("next").addEventListener("click", () => step(1));
    $("close").addEventListener("click", () => $("case").close());
    $("case").addEventListener("close", () => {
      const place = found.indexOf(facts.ids.indexOf(state.case));
      if (state.case) go({ case: "" });
      focusOn(place);
    });
    $("theme").addEventListener("click", toggleTheme);
    $("help-open").addEventListener("click", () => $("help").showModal());
    $("help-close").addEventListener("click", () => $("help").close());
    for (const dialog of document.querySelectorAll("dialog"))
      dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    document.addEventListener("click", (event) => {
      const target = event.target.closest?.("a")?.getAttribute("href") ?? "";
      travelling = target.startsWith("#") && target.includes("=");
      if (isPlace(target)) $(target.slice(1))?.closest("details")?.setAttribute("open", "");
      if (travelling && target === location.hash) travel();
    });
    addEventListener("hashchange", () => {
      if (isPlace(location.hash)) return;
      apply(parse(location.hash));
      if (travelling) travel();
    });
    addEventListener("popstate", () => { if (!isPlace(location.hash)) apply(parse(location.hash)); });
    document.addEventListener("keydown", keys);
    let theme;
    addEventListener("beforeprint", () => { theme = root.dataset.theme; root.dataset.theme = "light"; });
    addEventListener("afterprint", () => { if (theme) root.dataset.theme = theme; else delete root.dataset.theme; });
    new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting) && shown < found.length) grow(); },
      { rootMargin: "900px" }).observe($("end"));
  }

  function travel() {
    travelling = false;
    $("cases").scrollIntoView();
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
    const typing = event.target.matches?.("input, select, textarea");
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else if (!$("case").open) clear();
      return;
    }
    if (typing) return;
    const inside = $("case").open;
    const does = {
      "/": () => { if (!inside) { $("q").focus(); $("q").select(); } },
      j: () => (inside ? step(1) : focusOn(focused() + 1)),
      k: () => (inside ? step(-1) : focusOn(Math.max(0, focused() - 1))),
      Enter: () => { if (!inside && focused() >= 0) open(focused()); },
      t: toggleTheme,
      "?": () => { if (!inside) $("help").showModal(); },
    }[event.key];
    if (!does || (event.key === "Enter" && (inside || focused() < 0))) return;
    event.preventDefault();
    does();
  }

  wire();
  root.classList.add("ready");
  apply(parse(isPlace(location.hash) ? "" : location.hash));
  if (location.hash.includes("=")) $("cases").scrollIntoView({ behavior: "instant" });
  root.dataset.ready = String(Math.round(performance.now()));
})().catch((error) => {
  document.documentElement.classList.add("ready");
  const said = document.createElement("p");
  said.className = "empty";
  said.textContent = `The cases cannot be shown in this browser: ${error.message}`;
  document.getElementById("gallery").replaceChildren(said);
});
