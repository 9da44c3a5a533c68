/*
 * probe.js - uses the page as a person does, and tells the frame's owner what it found.
 *
 * Called by: page.bats, which puts it at the end of a copy of the page. One line a finding.
 */
"use strict";

const found = [];
const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const tell = (name, value) => found.push(name + ": " + value);
const barOf = (text) => all(".bar").find((bar) => bar.textContent.includes(text));

function useTimeline() {
  tell("rows", all(".row h2").map((h) => h.textContent).join(", "));
  tell("colours of", all("#legend button").map((b) => b.textContent + " " + b.className).join(", "));
  tell("different colours", new Set(all(".bar").map((bar) => getComputedStyle(bar).borderLeftColor)).size);
  tell("bars above their row's end", all(".bar").every((bar) =>
    bar.getBoundingClientRect().bottom <= bar.parentElement.getBoundingClientRect().bottom));
  barOf("Tasks/Start id=<img").dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
  tell("hovered", one("#peek").textContent);
  barOf("Tasks/Start id=<img").click();
  tell("opened", one("#detail h2").textContent + " | " + one("#detail pre").textContent);
  tell("answered by", one("#detail .link:last-of-type") && all("#detail .link").pop().textContent);
  all("#detail .link").pop().click();
  tell("followed", one("#detail h2").textContent + " | " + one("#detail .bad").textContent);
  tell("kernel", all("#detail li").map((li) => li.textContent).join(", "));
  tell("panel inside the window", one("#detail").getBoundingClientRect().right <= innerWidth);
}

function useKeys() {
  press("Escape");
  tell("closed", one("#detail").hidden);
  tell("focus is back on", document.activeElement.textContent);
  press("ArrowUp");
  tell("up", document.activeElement.textContent);
  press("ArrowRight");
  tell("right", document.activeElement.textContent);
  const before = one("#canvas").offsetWidth;
  press("+");
  tell("zoomed", one("#canvas").offsetWidth / before);
  press("-");
}

function useSequence() {
  one("#tab-timeline").focus();
  press("ArrowRight");
  tell("sequence shown", !one("#view-sequence").hidden && one("#view-timeline").hidden);
  tell("columns", all(".names span").map((s) => s.textContent).join(", "));
  tell("hops", all(".hop").map((hop) => hop.getAttribute("aria-label")).join(" | "));
  one(".hop").click();
  tell("opened", one("#detail pre").textContent);
}

try {
  useTimeline();
  useKeys();
  useSequence();
} catch (error) {
  tell("error", error.stack);
}
tell("wider than the window", document.documentElement.scrollWidth > innerWidth);
tell("width", innerWidth);
tell("dark", matchMedia("(prefers-color-scheme: dark)").matches + " " + getComputedStyle(document.body).backgroundColor);
tell("loaded", performance.getEntriesByType("resource").length);
tell("evil", document.documentElement.dataset.evil || all("img, b, i").length);
tell("title", document.title);
parent.postMessage(found.join("\n"), "*");
