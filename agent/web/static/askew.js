"use strict";
// j and k or the arrow keys walk the rows of a table, so that Enter opens the row; / searches, [ and ] turn pages.
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input:not([type=checkbox]), select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...document.querySelectorAll("table.rows tbody th a")];
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (step && links.length) {
    const row = document.activeElement.closest("tr");
    const at = links.findIndex((link) => link.closest("tr") === row);
    const next = at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step));
    links[next].focus();
    event.preventDefault();
  } else if (event.key === "/") {
    document.querySelector("[role=search] input, input[type=search]")?.focus();
    event.preventDefault();
  } else if (event.key === "[" || event.key === "]") {
    const pages = [...document.querySelectorAll(".pages a")];
    const here = pages.findIndex((link) => link.getAttribute("aria-current"));
    const around = document.querySelector(event.key === "]" ? ".around a[rel=next]" : ".around a[rel=prev]");
    (pages[here + (event.key === "]" ? 1 : -1)] ?? around)?.click();
  }
});

// A filter works as soon as it is chosen; its button is there for whoever has no script.
document.querySelectorAll("form[data-filter] select").forEach((field) =>
  field.addEventListener("change", () => field.form.requestSubmit())
);

// A page about a run that isn't finished brings itself up to date: the same page is asked for, and its parts put in place.
// What a person is at stays: open details, ticked boxes, the scroll position, and the focus.
const body = document.body;

function key(element) {
  return element.getAttribute("href") ?? element.id ?? element.textContent;
}

function replaced(old, fresh) {
  const open = new Set([...old.querySelectorAll("details[open] > summary")].map((each) => key(each.parentElement) + each.textContent));
  const ticked = new Set([...old.querySelectorAll("input:checked")].map((each) => each.value));
  const scrolled = [...old.querySelectorAll(".wide")].map((each) => each.scrollLeft);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const place = focused ? `${focused.tagName} ${key(focused)}` : null;
  old.replaceWith(fresh);
  fresh.querySelectorAll("details > summary").forEach((each) => {
    if (open.has(key(each.parentElement) + each.textContent)) each.parentElement.open = true;
  });
  fresh.querySelectorAll("input[type=checkbox]").forEach((each) => (each.checked = ticked.has(each.value)));
  fresh.querySelectorAll(".wide").forEach((each, i) => (each.scrollLeft = scrolled[i] ?? 0));
  if (place) [...fresh.querySelectorAll(focused.tagName)].find((each) => `${each.tagName} ${key(each)}` === place)?.focus({ preventScroll: true });
}

async function refresh() {
  const status = await fetch(body.dataset.live);
  if (!status.ok) return false;
  const now = await status.json();
  if (String(now.seen) === body.dataset.seen) return now.finished;
  const answer = await fetch(location.href);
  if (!answer.ok) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const fresh of page.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${fresh.dataset.part}"]`);
    if (old && old.innerHTML !== fresh.innerHTML) replaced(old, document.adoptNode(fresh));
  }
  body.dataset.seen = page.body.dataset.seen ?? now.seen;
  const time = new Date().toLocaleTimeString();
  document.getElementById("news").textContent = now.finished ? "Finished." : `Live: brought up to date at ${time}.`;
  return now.finished;
}

if (body.dataset.live) {
  const wait = 2000;
  const again = async () => {
    const over = document.hidden ? false : await refresh().catch(() => false);
    if (!over) setTimeout(again, wait);
  };
  setTimeout(again, wait);
}
