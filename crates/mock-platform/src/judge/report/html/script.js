"use strict";
(() => {
  // What only works with a script is shown by it.
  for (const element of document.querySelectorAll("[hidden]")) element.hidden = false;

  const filter = document.querySelector(".filter");
  const search = filter?.querySelector("input");
  const chips = [...(filter?.querySelectorAll("button") ?? [])];
  let verdict = "";
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const section of document.querySelectorAll(".group")) {
      let shown = 0;
      for (const check of section.querySelectorAll(".check")) {
        const text = check.querySelector("summary").textContent.toLowerCase();
        const fits = (!verdict || check.dataset.verdict === verdict) && words.every((word) => text.includes(word));
        check.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      section.hidden = shown === 0;
    }
  };
  search?.addEventListener("input", apply);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      verdict = chip.dataset.verdict;
      for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
      apply();
    });
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("pre").textContent;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        // A page from a file may not use the clipboard: the old way does.
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  // A link to a check opens it, in browsers too that do not do so by themselves.
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target?.closest("details.check");
    if (details) {
      details.open = true;
      details.scrollIntoView();
    }
  };
  addEventListener("hashchange", follow);
  follow();

  for (const time of document.querySelectorAll("time[data-ms]")) {
    time.title = new Date(Number(time.dataset.ms)).toLocaleString();
  }
})();
