// Keeps the page up to date. All of it can be read, and done, without: links are links and forms are forms.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const served = new Map();
  const said = () => [...document.querySelectorAll("[data-say]")].map((it) => it.textContent.trim()).join(". ");
  let heard = said();
  let isStale = false;
  let running = null;

  document.querySelectorAll("[data-live]").forEach((part) => served.set(part.id, part.innerHTML));

  // Puts in what has changed, and keeps the focus where it was.
  const take = (text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    document.title = page.title;
    for (const next of page.querySelectorAll("[data-live]")) {
      const part = $(next.id);
      if (!part || served.get(next.id) === next.innerHTML) continue;
      served.set(next.id, next.innerHTML);
      const focused = part.contains(document.activeElement) ? document.activeElement : null;
      const values = [...part.querySelectorAll("input[id],select[id]")].map((it) => [it.id, it.value]);
      const open = [...part.querySelectorAll("details[open][id]")].map((it) => it.id);
      const { scrollTop, scrollLeft } = part;
      part.replaceChildren(...next.cloneNode(true).childNodes);
      Object.assign(part, { scrollTop, scrollLeft });
      for (const [id, value] of values) if ($(id) && $(id).type !== "hidden") $(id).value = value;
      for (const id of open) if ($(id)) $(id).open = true;
      if (focused) again(part, focused)?.focus({ preventScroll: true });
    }
    ready();
    const now = said();
    if (now !== heard) {
      heard = now;
      $("spoken").textContent = now;
    }
  };

  // What stands in the place of something that had the focus.
  const again = (part, old) => {
    if (old.id) return $(old.id);
    const href = old.getAttribute("href");
    return href && [...part.querySelectorAll("a")].find((it) => it.getAttribute("href") === href && it.checkVisibility());
  };

  // Whoever waits for it sees what is there now, though one before it is still on its way.
  const refresh = () => {
    isStale = true;
    running ??= reload().finally(() => (running = null));
    return running;
  };

  const reload = async () => {
    try {
      while (isStale) {
        isStale = false;
        const from = location.href;
        const answer = await fetch(from, { headers: { accept: "text/html" } });
        const text = await answer.text();
        if (from === location.href) take(text);
      }
    } catch {
      connected(false);
    }
  };

  const connected = (isThere, why = $("connection").dataset.gone) => {
    $("connection").hidden = isThere;
    $("connection").textContent = isThere ? "" : why;
  };

  // What only makes sense with a script.
  const ready = () => document.querySelectorAll("button[data-copy]").forEach((button) => (button.hidden = false));

  // On a long ladder, what is selected may be far down.
  const reveal = () =>
    [...document.querySelectorAll(".rung.selected")].find((it) => it.checkVisibility())?.scrollIntoView({ block: "nearest" });

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("button[data-copy]");
    if (copy) {
      const text = $(copy.dataset.copy).textContent;
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
        $("spoken").textContent = "Copied";
      } catch {
        copy.closest(".acts").querySelector("details").open = true;
        getSelection().selectAllChildren($(copy.dataset.copy));
      }
      return;
    }
    const link = event.target.closest("a[data-in-place]");
    // On a page that shows something else there is no place for it.
    if (!link || !$("ladder") || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    $("notice").replaceChildren();
    history.pushState(null, "", link.getAttribute("href"));
    await refresh();
    if (!link.classList.contains("rung")) return;
    const title = $("detail-title");
    // Without a mouse the focus goes where the text is.
    if (event.detail === 0) title?.focus();
    title?.scrollIntoView({ block: "nearest" });
    if (innerWidth >= 1100) reveal();
  });
  addEventListener("popstate", refresh);

  // Back to the message that one has read.
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !$("detail")?.contains(document.activeElement)) return;
    [...document.querySelectorAll(".rung.selected")].find((it) => it.checkVisibility())?.focus();
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.matches("[data-keep]")) {
      sessionStorage.setItem(form.id, JSON.stringify([...new FormData(form)]));
    }
    if (!form.matches("[data-quiet]")) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form, event.submitter));
    try {
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body });
      const text = await answer.text();
      const notice = new DOMParser().parseFromString(text, "text/html").getElementById("notice");
      $("notice").replaceChildren(...(notice?.childNodes ?? []));
      // Whoever refuses it may not know what a page looks like.
      if (!notice && !answer.ok) {
        const told = { className: "notice", textContent: `${answer.status}: ${text}` };
        $("notice").append(Object.assign(document.createElement("p"), told));
      }
    } catch {
      connected(false);
    }
    await refresh();
  });

  for (const form of document.querySelectorAll("[data-keep]")) {
    for (const [name, value] of JSON.parse(sessionStorage.getItem(form.id) ?? "[]")) {
      const control = form.elements.namedItem(name);
      const isOffered = control?.tagName !== "SELECT" || [...control.options].some((it) => it.value === value);
      if (control && isOffered) control.value = value;
    }
  }

  ready();
  if (innerWidth >= 1100) reveal();
  // A browser opens six connections to a server: a page that nobody sees holds none, and asks for itself when it is seen again.
  let events = null;
  const follow = () => {
    events?.close();
    events = document.hidden ? null : new EventSource("/events");
    events?.addEventListener("change", refresh);
    events?.addEventListener("error", ({ target }) =>
      target.readyState === EventSource.CLOSED ? connected(false, "not kept up to date: load it again") : connected(false));
    events?.addEventListener("open", () => {
      connected(true);
      refresh();
    });
  };
  follow();
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => events?.close());
  addEventListener("pageshow", (event) => event.persisted && follow());
})();
