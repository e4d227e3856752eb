"use strict";
// Each button names its key. A key that is held down answers once.
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea")) return;
  const button = [...document.querySelectorAll("button[data-key]")].find((each) => each.dataset.key === event.key);
  if (button) {
    event.preventDefault();
    button.click();
  }
});
// One answer a page: a second click on the way out would answer the next case unseen.
document.addEventListener("submit", (event) => {
  if (document.body.dataset.sent) event.preventDefault();
  document.body.dataset.sent = "yes";
});
if (document.body.dataset.waits) {
  setInterval(async () => {
    const answer = await fetch("/status.json").catch(() => null);
    if (answer?.ok && (await answer.json()).state !== document.body.dataset.state) location.reload();
  }, 1000);
}
