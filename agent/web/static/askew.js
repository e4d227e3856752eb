"use strict";
// j/k or the arrow keys walk the rows of a table, Enter opens the row; / goes to the search field.
let row = -1;
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...document.querySelectorAll("table.rows tbody tr")];
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (step && rows.length) {
    rows[row]?.classList.remove("here");
    row = Math.min(rows.length - 1, Math.max(0, row + step));
    rows[row].classList.add("here");
    rows[row].scrollIntoView({ block: "nearest" });
    event.preventDefault();
  } else if (event.key === "Enter" && rows[row]) {
    rows[row].querySelector("a")?.click();
  } else if (event.key === "/") {
    document.querySelector("input[type=search]")?.focus();
    event.preventDefault();
  }
});
// A run that isn't finished tells when there is more to see; the page never moves by itself.
const body = document.body;
if (body.dataset.status) {
  const timer = setInterval(async () => {
    const answer = await fetch(body.dataset.status).catch(() => null);
    if (!answer || !answer.ok) return;
    const now = await answer.json();
    const more = now.events - Number(body.dataset.events);
    if (more > 0) {
      const link = document.createElement("a");
      link.href = location.href;
      link.textContent = `${more} new events${now.finished ? ", finished" : ""}: reload`;
      document.getElementById("news").replaceChildren(link);
    }
    if (now.finished) clearInterval(timer);
  }, 2000);
}
