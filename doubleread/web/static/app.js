// Drag and drop, paste, image tabs, completion, keyboard shortcuts, and the event stream's connection.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const desk = one(".desk");

  // -- theme ----------------------------------------------------------------------------------------------------
  const theme = () => {
    const root = document.documentElement, system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage disabled: lasts until the next page */ }
  };

  // -- images: chosen, dropped or pasted ------------------------------------------------------------------------
  const upload = one("#upload");
  const send = (files) => {
    const images = [...files].filter((file) => file.type.startsWith("image/") || /\.(jpe?g|png|webp|bmp|tiff?|gif|mpo|avif|hei[cf]|hif|jp2|p[gpbn]m|dcm)$/i.test(file.name));
    if (!upload || !images.length) return;
    const box = new DataTransfer();
    images.forEach((file) => box.items.add(file));
    const input = one("#files");
    input.files = box.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const pending = (files) => {
    const box = one("#pending");
    if (!box) return;
    for (const file of files) {
      const line = document.createElement("p"), picture = document.createElement("img"), name = document.createElement("span");
      picture.src = URL.createObjectURL(file);
      picture.alt = "";
      picture.onload = picture.onerror = () => URL.revokeObjectURL(picture.src);
      name.textContent = `${file.name} · sending …`;
      line.append(picture, name);
      box.append(line);
    }
  };
  let depth = 0;
  const drop = one("#drop");
  const carries = (event) => upload && event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => { if (carries(event)) { depth++; drop.hidden = false; } });
  document.addEventListener("dragleave", (event) => { if (carries(event) && --depth <= 0) { depth = 0; drop.hidden = true; } });
  document.addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    drop.hidden = true;
    send(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => { if (event.clipboardData?.files.length) send(event.clipboardData.files); });

  document.addEventListener("htmx:confirm", (event) => {  // refuse oversized uploads before sending
    if (event.target !== upload) return;
    const files = all("input[type=file]", upload).flatMap((input) => [...input.files]);
    const bytes = files.reduce((sum, file) => sum + file.size, 0), { dataset } = upload;
    if (files.length <= dataset.files && bytes <= dataset.bytes) return;
    event.preventDefault();
    upload.reset();
    tell(`At most ${dataset.files} images and ${dataset.bytes / 1e6} MB can be sent at once: send them in parts.`);
  });

  // -- the user's name -------------------------------------------------------------------------------------------
  const sign = () => all("input[name=reviewer]").forEach((input) => { if (input !== document.activeElement) input.value = one("#you").value; });
  document.addEventListener("change", ({ target }) => {
    if (!target.matches?.("input[name=reviewer]")) return;
    if (target.id !== "you") { one("#you").value = target.value; one("#you").dispatchEvent(new Event("change", { bubbles: true })); }
    sign();
  });

  // -- requests -------------------------------------------------------------------------------------------------
  let names = "";  // of the images being uploaded
  document.addEventListener("htmx:beforeRequest", ({ target }) => {
    if (target.id === "upload") {
      const files = all("input[type=file]", target).flatMap((input) => [...input.files]);
      names = files.map((file) => file.name).join(", ");
      pending(files);
    }
    if (target.matches?.(".decide")) one("button", target).disabled = true;
  });
  document.addEventListener("htmx:afterRequest", ({ target, detail }) => {
    if (target.id === "upload") { one("#pending").replaceChildren(); target.reset(); }
    if (target.id === "say" && detail.successful) { one("#text").value = ""; close(); }
    if (target.matches?.(".decide")) {
      one("button", target).disabled = false;
      if (detail.successful && !desk) target.closest("li").remove();
    }
    const { status } = detail.xhr;
    if (status === 401) tell("Your log-in has ended. Enter the token in another tab, then go on here: what you typed is kept.");
    else if (detail.failed && status && sent(detail) && !detail.xhr.getResponseHeader("HX-Retarget")) tell(`The server refused it (${status}).`);
    if (target.id === "lists" && !stream) document.body.classList.toggle("offline", !status);
    if (detail.successful && target.id !== "lists") htmx.trigger("#lists", "refresh");
  });
  const sent = (detail) => detail.requestConfig.verb === "post";  // other requests run in the background
  document.addEventListener("htmx:sendError", ({ target, detail }) => {
    if (target.matches?.(".result, .where, .of")) { one(".result", target.closest(".where"))?.replaceChildren("The server cannot be reached. Close and open this part to try again."); return; }
    if (!sent(detail)) return;  // the status at the top shows it, and the page recovers by itself
    const what = target.id === "upload" ? `Not sent: ${names}. Choose them again` : target.id === "say" ? "What you typed was not sent; it is kept: wait a moment" : "That was not sent: wait a moment";
    tell(`The server cannot be reached. ${what}, and try again.`);
  });
  const tell = (text) => {
    if (all("#notices .notice span").some((said) => said.textContent === `! ${text}`)) return;
    const line = document.createElement("p"), close = document.createElement("button"), words = document.createElement("span");
    line.className = "notice";
    words.textContent = `! ${text}`;
    close.dataset.do = "dismiss";
    close.ariaLabel = "Dismiss";
    close.textContent = "×";
    line.append(words, close);
    one("#notices").append(line);
  };

  // -- the images' tabs -----------------------------------------------------------------------------------------
  let shown = "";
  const show = (id) => {
    if (!one(`#shot-${id}`)) return;
    shown = id;
    one("#case").value = id;
    paint();
    one(`#tab-${id}`).scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const paint = () => {
    all(".shot").forEach((shot) => { shot.hidden = shot.id !== `shot-${shown}`; });
    all("#tabs [role=tab]").forEach((tab) => {
      tab.ariaSelected = String(tab.dataset.case === shown);
      tab.tabIndex = tab.dataset.case === shown ? 0 : -1;
    });
    one("#tabs").classList.toggle("single", all("#tabs [role=tab]").length < 2);
    one("#shots > .empty")?.remove();
  };

  // -- the stream -----------------------------------------------------------------------------------------------
  let seen = Number(desk?.dataset.after), stream = null;
  const connect = () => {
    if (!desk || stream || document.hidden) return;
    stream = document.createElement("div");
    stream.hidden = true;
    stream.setAttribute("hx-ext", "sse");
    stream.setAttribute("sse-connect", `/s/${desk.dataset.session}/events?after=${seen}`);
    stream.setAttribute("sse-swap", "message");
    stream.setAttribute("hx-swap", "none");
    desk.append(stream);
    htmx.process(stream);
  };
  const disconnect = () => {  // browsers allow six connections per server: hidden pages release theirs
    if (!stream) return;
    htmx.trigger(stream, "htmx:beforeCleanupElement");
    stream.remove();
    stream = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const seq = Number(event.detail.lastEventId);
    if (seq <= seen) event.preventDefault();  // repeated after a lost connection
    else seen = seq;
  });
  document.addEventListener("htmx:sseMessage", () => {
    const entry = one("#talk").lastElementChild;
    if (entry?.classList.contains("image")) show(entry.dataset.about);
    paint();
    sign();
    const talk = one("#talk");
    if (entry && entry !== last) {
      last = entry;
      entry.scrollIntoView({ block: entry.offsetHeight > Math.min(talk.clientHeight, innerHeight) - 160 ? "start" : "nearest" });
    }
    htmx.trigger("#lists", "refresh");
  });
  document.addEventListener("htmx:sseError", () => document.body.classList.add("offline"));
  document.addEventListener("htmx:sseOpen", () => document.body.classList.remove("offline"));
  let last = one("#talk")?.lastElementChild;

  // -- where the agents looked ----------------------------------------------------------------------------------
  document.addEventListener("toggle", ({ target }) => {  // loads on first opening, and again after a failure
    if (target.matches?.(".where[open]") && !one(".maps", target)) htmx.trigger(target, "look");
  }, true);
  document.addEventListener("input", ({ target }) => {
    const maps = target.closest?.(".maps");
    if (!maps) return;
    if (target.type === "range") maps.style.setProperty("--heat", target.value / 100);
    else all("[data-map]", maps).forEach((part) => { part.hidden = part.dataset.map !== target.value; });
  });

  // -- completion -----------------------------------------------------------------------------------------------
  const text = one("#text"), list = one("#completions");
  let turn = 0;
  const options = () => all("[role=option]", list);
  const chosen = () => options().find((option) => option.ariaSelected === "true");
  const close = () => {
    turn++;  // ignore responses to earlier requests
    if (!list) return;
    list.hidden = true;
    text.ariaExpanded = "false";
    text.removeAttribute("aria-activedescendant");
  };
  const mark = (option) => {
    options().forEach((other) => { other.ariaSelected = String(other === option); });
    text.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };
  const step = (by) => {
    const there = options(), at = there.indexOf(chosen());
    mark(there[at < 0 ? (by > 0 ? 0 : there.length - 1) : (at + by + there.length) % there.length]);
  };
  const pick = (option) => {
    const whole = option.dataset.completion;
    text.value = whole.includes(" ") || whole.endsWith("=") ? whole : `${whole} `;
    text.focus();
    complete();
  };
  const complete = async () => {
    close();
    const typed = text.value, mine = turn;
    if (!typed.startsWith("/")) return;
    const asked = new URLSearchParams({ text: typed, case: one("#case").value });
    const answer = await fetch(`/s/${desk.dataset.session}/complete?${asked}`).catch(() => null);
    const found = answer?.ok ? await answer.text() : "";
    if (mine !== turn) return;
    list.innerHTML = found;
    if (!options().length) return;
    list.hidden = false;
    list.scrollTop = 0;
    text.ariaExpanded = "true";
    if (!typed.includes(" ")) mark(options()[0]);  // arguments are optional: Enter sends the line as it is
  };
  text?.addEventListener("input", complete);
  text?.addEventListener("blur", close);
  list?.addEventListener("pointerdown", (event) => event.preventDefault());  // keep the focus, and the keyboard on phones
  text?.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    const marked = chosen();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") step(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Tab" && !event.shiftKey) pick(marked || options()[0]);
    else if (event.key === "Enter" && marked && marked.dataset.completion !== text.value.trim()) pick(marked);
    else if (event.key === "Escape") { close(); event.stopPropagation(); }
    else return;
    event.preventDefault();
  });

  // -- clicks and keys ------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-do], [data-case], [data-completion]");
    all("details.pop[open]").forEach((pop) => { if (!pop.contains(event.target)) pop.open = false; });
    if (!target) return;
    if (target.dataset.do === "theme") theme();
    else if (target.dataset.do === "dismiss") target.parentElement.remove();
    else if (target.dataset.completion) pick(target);
    else if (target.dataset.case) { show(target.dataset.case); one(".bench").scrollTop = 0; one(".bench").scrollIntoView({ block: "nearest" }); }
  });
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.("#tabs [role=tab]");
    if (tab && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      const tabs = all("#tabs [role=tab]"), next = tabs[(tabs.indexOf(tab) + (event.key === "ArrowRight" ? 1 : -1) + tabs.length) % tabs.length];
      next.focus();
      show(next.dataset.case);
    }
    if (event.key === "Escape") { all("details.pop[open]").forEach((pop) => { pop.open = false; }); event.target.blur?.(); }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
    if (event.key === "/" && text) { event.preventDefault(); text.focus(); }
    else if (event.key === "u" && upload) one("#files").click();
    else if (event.key === "t") theme();
  });

  // -- start ----------------------------------------------------------------------------------------------------
  const menu = one("#menu"), narrow = matchMedia("(max-width: 760px)");
  const fold = () => { if (menu) menu.open = !narrow.matches; };
  fold();
  narrow.addEventListener("change", fold);
  if (desk) {
    const asked = location.hash.startsWith("#shot-") ? location.hash.slice(6) : one("#case").value;
    show(asked);
    const talk = one("#talk");
    talk.scrollTo({ top: talk.scrollHeight, behavior: "instant" });
    connect();
  }
})();
