/*
 * page.js - draws the recording that stands in #data: a time line, a sequence, and one hop opened.
 *
 * Called by: page.html. All text of the recording becomes text nodes and attributes, never HTML.
 * The data (show_html.c): times in microseconds from the start; roles, processes, spans and events
 * refer to each other by index; a span's `parent` and a hop's `asker` may be -1.
 */
"use strict";

const LANE = 22, STRIP = 14, HEAD = 22;
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

/* An element. Children are elements or strings; a string is text, whatever stands in it. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function drawing(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const ms = (us) => (us / 1000).toFixed(us < 10000 ? 2 : 1) + " ms";
const percent = (us) => 100 * us / data.us;
const colour = (process) => "p" + (process % 8);
const end = (span) => span.end < 0 ? data.us : span.end;
const took = (span) => span.end < 0 ? "goes on" : ms(span.end - span.begin);
const roleOf = (span) => data.roles[span.role].name;
const title = (span) => roleOf(span) + ": " + span.step;
const answers = (index) => data.hops.filter((hop) => hop.kind === "message" && hop.asker === index);

/* ---- the time line ---- */

/* Each span of a role in the first lane that is free: what runs inside another stands below it. */
function packLanes(role) {
  const ends = [];
  for (const span of data.spans) {
    if (span.role !== role) continue;
    let lane = ends.findIndex((free) => free <= span.begin);
    if (lane < 0) lane = ends.push(0) - 1;
    ends[lane] = end(span);
    span.lane = lane;
  }
  return ends.length;
}

function drawBar(span, index) {
  const waits = answers(index).length > 0;
  const text = span.step + ": " + span.message;
  const bar = make("button", {
    class: ["bar", colour(span.process), waits && "waits", span.error && "failed", span.end < 0 && "open",
      span.process >= 8 && "hatched"].filter(Boolean).join(" "),
    "aria-label": title(span) + ": " + span.message + ", " + took(span) + (span.error ? ", failed: " + span.error : ""),
    "aria-expanded": "false", tabindex: "-1", "data-span": index, "data-process": span.process,
  }, (span.error ? "✗ " : "") + text);
  bar.style.left = percent(span.begin) + "%";
  bar.style.width = percent(end(span) - span.begin) + "%";
  bar.style.top = HEAD + span.lane * LANE + "px";
  return bar;
}

function drawStrip(role, top) {
  const events = data.events.filter((event) => event.role === role && !event.wait);
  if (!events.length) return [];
  const paths = new Map();
  for (const event of events) {
    paths.set(event.process, (paths.get(event.process) || "") + "M" + event.at + " 0V1");
  }
  const lines = [...paths].map(([process, d]) => drawing("path", { class: colour(process), d }));
  const strip = make("button", { class: "strip", "aria-label": events.length + " kernel events of " + data.roles[role].name,
    "data-role": role, tabindex: "0" },
    drawing("svg", { viewBox: "0 0 " + data.us + " 1", preserveAspectRatio: "none", "aria-hidden": "true" }, ...lines));
  strip.style.top = top + "px";
  return [strip];
}

function drawRow(role, index) {
  const lanes = packLanes(index);
  const note = role.untold ? " not recorded" : lanes ? "" : " (kernel events only)";
  const row = make("div", { class: "row", role: "group", "aria-label": role.title },
    make("h2", {}, role.name, make("small", {}, note)));
  data.spans.forEach((span, number) => { if (span.role === index) row.append(drawBar(span, number)); });
  row.append(...drawStrip(index, HEAD + lanes * LANE));
  role.height = HEAD + lanes * LANE + STRIP + 4;
  row.style.height = role.height + "px";
  return row;
}

/* Down (or up) from whoever asks to whoever answers, at the moment when he begins. */
function drawLines(axisHeight) {
  let y = axisHeight;
  for (const role of data.roles) { role.top = y; y += role.height; }
  const at = (span) => data.roles[span.role].top + HEAD + span.lane * LANE;
  const lines = [];
  for (const hop of data.hops) {
    if (hop.kind !== "message") continue;
    const from = data.spans[hop.asker], to = data.spans[hop.span];
    const x = percent(to.begin) + "%", down = at(to) > at(from);
    lines.push(drawing("line", { x1: x, x2: x, y1: at(from) + (down ? 20 : 0), y2: at(to) + (down ? 0 : 20) }));
  }
  return drawing("svg", { class: "lines", "aria-hidden": "true" }, ...lines);
}

function drawAxis() {
  const width = $("canvas").clientWidth || 800;
  const wanted = data.us / Math.max(2, width / 90);
  const unit = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= wanted);
  const marks = [];
  for (let us = 0; us < data.us; us += step) {
    const mark = make("span", {}, step < 1000 ? (us / 1000).toFixed(2) + " ms" : us / 1000 + " ms");
    mark.style.left = percent(us) + "%";
    marks.push(mark);
  }
  document.querySelector(".axis").replaceChildren(...marks);
}

function drawTimeline() {
  const axis = make("div", { class: "axis", "aria-hidden": "true" });
  $("canvas").append(axis, ...data.roles.map(drawRow));
  $("canvas").append(drawLines(axis.offsetHeight));
  const first = document.querySelector(".bar");
  if (first) first.tabIndex = 0;
  drawAxis();
}

function zoom(by) {
  const timeline = $("view-timeline");
  const middle = (timeline.scrollLeft + timeline.clientWidth / 2) / $("canvas").offsetWidth;
  $("zoom").value = Number($("zoom").value) + by;
  $("canvas").style.width = 100 * 2 ** $("zoom").value + "%";
  timeline.scrollLeft = middle * $("canvas").offsetWidth - timeline.clientWidth / 2;
  drawAxis();
}

/* ---- the sequence ---- */

function drawHop(line, columns) {
  const { hop, from, to, text, kind } = line;
  const right = columns.indexOf(to) > columns.indexOf(from);
  const first = Math.min(columns.indexOf(from), columns.indexOf(to)), last = Math.max(columns.indexOf(from), columns.indexOf(to));
  const arrow = make("span", { class: "arrow" });
  const words = make("span", { class: "words" }, make("span", {}, make("time", {}, ms(line.at) + " "), text));
  arrow.style.gridColumn = first + 1 + " / " + (last + 2);
  arrow.style.setProperty("--w", last - first + 1);
  const half = columns.length / 2;
  words.style.paddingLeft = first < half ? 100 * (first + .5) / columns.length + "%" : "0";
  words.style.paddingRight = first < half ? "0" : 100 * (columns.length - last - .5) / columns.length + "%";
  words.style.textAlign = first < half ? "left" : "right";
  const button = make("button", { class: ["hop", kind, right ? "right" : "left", colour(line.process)].join(" "),
    "aria-expanded": "false", "data-span": hop.span >= 0 ? hop.span : undefined,
    "data-event": hop.span < 0 ? hop.event : undefined,
    "aria-label": data.roles[from].name + " to " + data.roles[to].name + ", " + kind + ": " + text }, words, arrow);
  return make("li", {}, button);
}

/* What crosses a border, and where it was a message that came back, the answer. */
function sequenceLines() {
  const lines = [];
  for (const hop of data.hops) {
    if (hop.from === hop.to) continue;
    const span = data.spans[hop.span], event = data.events[hop.event];
    lines.push({ hop, from: hop.from, to: hop.to, at: hop.at, kind: hop.kind, process: span ? span.process : event.process,
      text: (hop.kind === "call" ? "call: " : "") + (span ? span.message || span.step : event.text) });
    if (hop.kind === "message" && span.end >= 0 && span.end <= data.us) {
      lines.push({ hop, from: hop.to, to: hop.from, at: span.end, kind: "reply", process: span.process,
        text: (span.error ? "✗ " + span.error : "done") + ", after " + took(span) });
    }
  }
  return lines.sort((a, b) => a.at - b.at);
}

function drawSequence() {
  const lines = sequenceLines();
  const columns = data.roles.map((_, index) => index).filter((role) => lines.some((l) => l.from === role || l.to === role));
  $("view-sequence").style.setProperty("--n", Math.max(1, columns.length));
  $("view-sequence").append(
    make("div", { class: "names", "aria-hidden": "true" }, ...columns.map((role) => make("span", {}, data.roles[role].name))),
    make("ol", { "aria-label": "Messages in the order of time" }, ...lines.map((line) => drawHop(line, columns))));
  if (!lines.length) $("view-sequence").append(make("p", {}, "Nothing crossed a border."));
}

/* ---- one hop, opened ---- */

let opener = null;

function link(index) {
  const span = data.spans[index];
  const button = make("button", { class: "link" }, title(span) + ": " + span.message);
  button.addEventListener("click", () => openSpan(index));
  return button;
}

function list(events) {
  const shown = events.slice(0, 400).map((event) =>
    make("li", {}, make("time", {}, ms(event.at)), " " + event.text + (event.dur >= 1000 ? " (" + ms(event.dur) + ")" : "")));
  if (events.length > 400) shown.push(make("li", {}, "… and " + (events.length - 400) + " more"));
  return make("ol", {}, ...shown);
}

function open(heading, kind, ...children) {
  const close = make("button", { class: "close", "aria-label": "Close" }, "×");
  close.addEventListener("click", closeDetail);
  document.querySelectorAll("[aria-expanded=true]").forEach((e) => e.setAttribute("aria-expanded", "false"));
  $("detail").className = kind;
  $("detail").replaceChildren(close, make("h2", { id: "detail-title", tabindex: "-1" }, heading), ...children);
  $("detail").hidden = false;
  $("detail").scrollTop = 0;
  $("peek").hidden = true;
  $("detail-title").focus({ preventScroll: true });
  drawAxis(); /* the panel takes of its width */
}

function facts(pairs) {
  return make("dl", {}, ...pairs.flatMap(([name, ...what]) => [make("dt", {}, name), make("dd", {}, ...what)]));
}

function processName(index) {
  const process = data.processes[index];
  return process.name + " [" + process.pid + "]";
}

function openSpan(index) {
  const span = data.spans[index];
  const asked = data.hops.find((hop) => hop.kind === "message" && hop.span === index);
  const pairs = [["process", processName(span.process)], ["begins", ms(span.begin)], ["took", took(span)]];
  if (asked) pairs.push(["asked by", link(asked.asker)]);
  else if (span.parent >= 0) pairs.push(["inside", link(span.parent)]);
  for (const hop of answers(index)) pairs.push(["answered by", link(hop.span)]);
  const events = data.events.filter((e) => e.thread === span.thread && e.at >= span.begin && e.at <= end(span));
  open(title(span), colour(span.process), make("pre", {}, span.message),
    ...(span.error ? [make("p", { class: "bad" }, "✗ " + span.error)] : []), facts(pairs),
    make("h2", {}, "What the kernel did for it (" + events.length + ")"), list(events));
  document.querySelectorAll("[data-span='" + index + "']").forEach((e) => e.setAttribute("aria-expanded", "true"));
  history.replaceState(null, "", "#" + view() + "/" + index);
}

function openEvent(index) {
  const event = data.events[index];
  open(data.roles[event.role].name, colour(event.process), make("pre", {}, event.text),
    facts([["process", processName(event.process)], ["at", ms(event.at)]]));
}

function openStrip(role) {
  open("Kernel events of " + data.roles[role].name, "", list(data.events.filter((event) => event.role === role)));
}

function openElement(element) {
  opener = element;
  if (element.dataset.span) openSpan(Number(element.dataset.span));
  else if (element.dataset.event) openEvent(Number(element.dataset.event));
  else openStrip(Number(element.dataset.role));
}

function closeDetail() {
  $("detail").hidden = true;
  document.querySelectorAll("[aria-expanded=true]").forEach((e) => e.setAttribute("aria-expanded", "false"));
  history.replaceState(null, "", "#" + view());
  drawAxis();
  if (opener) opener.focus();
}

/* ---- what the user does ---- */

const view = () => $("view-sequence").hidden ? "timeline" : "sequence";

function show(name) {
  for (const one of ["timeline", "sequence"]) {
    const shown = one === name;
    $("view-" + one).hidden = !shown;
    $("tab-" + one).setAttribute("aria-selected", String(shown));
    $("tab-" + one).tabIndex = shown ? 0 : -1;
  }
  $("zoom-label").hidden = name !== "timeline";
  history.replaceState(null, "", "#" + name);
}

function peek(element) {
  const span = element && data.spans[element.dataset.span];
  $("peek").hidden = !span;
  if (span) $("peek").textContent = title(span) + ": " + span.message + " (" + took(span) + ")";
}

/* Arrow keys: along the time, and from row to row to what lies nearest. */
function go(bar, key) {
  const bars = [...document.querySelectorAll(".bar")];
  const now = data.spans[bar.dataset.span];
  const forwards = key === "ArrowRight" || key === "ArrowDown";
  let others = bars.filter((other) => {
    const span = data.spans[other.dataset.span], index = Number(other.dataset.span), own = Number(bar.dataset.span);
    if (key === "ArrowLeft" || key === "ArrowRight") return forwards ? index > own : index < own;
    return forwards ? span.role > now.role : span.role < now.role;
  });
  const distance = (other) => {
    const span = data.spans[other.dataset.span];
    if (key === "ArrowLeft" || key === "ArrowRight") return Math.abs(other.dataset.span - bar.dataset.span);
    return Math.abs(span.role - now.role) * data.us * 2 + Math.abs(span.begin - now.begin);
  };
  const next = others.sort((a, b) => distance(a) - distance(b))[0];
  if (next) {
    bar.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

function onKey(event) {
  const bar = event.target.closest(".bar"), tab = event.target.closest("[role=tab]");
  const arrow = event.key.startsWith("Arrow");
  if (event.key === "Escape" && !$("detail").hidden) closeDetail();
  else if (bar && arrow) go(bar, event.key);
  else if (tab && arrow) {
    show(view() === "timeline" ? "sequence" : "timeline");
    $("tab-" + view()).focus();
  } else if ((event.key === "+" || event.key === "-") && view() === "timeline") zoom(event.key === "+" ? 1 : -1);
  else return;
  event.preventDefault();
}

function highlight(process) {
  const buttons = [...document.querySelectorAll("#legend button")];
  const chosen = buttons[process].getAttribute("aria-pressed") !== "true";
  buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(chosen && index === process)));
  document.querySelectorAll(".bar").forEach((bar) =>
    bar.classList.toggle("faded", chosen && Number(bar.dataset.process) !== process));
}

function listen() {
  document.addEventListener("click", (event) => {
    const opens = event.target.closest(".bar, .strip, .hop"), tab = event.target.closest("[role=tab]");
    if (opens) openElement(opens);
    else if (tab) show(tab.id.slice(4));
  });
  document.addEventListener("keydown", onKey);
  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, (event) => peek(event.target.closest && event.target.closest(".bar, .hop")));
  }
  $("zoom").addEventListener("input", () => zoom(0));
  window.addEventListener("resize", drawAxis);
}

/* "#sequence/12": a lesson can lead to a view, and to one hop opened in it. */
function followHash() {
  const [name, index] = location.hash.slice(1).split("/");
  if (name === "sequence") show(name);
  if (/^\d+$/.test(index || "") && data.spans[index]) {
    opener = document.querySelector(".bar[data-span='" + index + "']");
    openSpan(Number(index));
  }
}

function drawHead() {
  document.title = data.command;
  $("command").textContent = data.command;
  $("story").textContent = data.story;
  $("notes").append(...data.notes.map((note) => make("li", {}, note)));
  data.processes.forEach((process, index) => {
    const button = make("button", { class: colour(index), "aria-pressed": "false" }, processName(index) + " ",
      make("small", {}, process.role < 0 ? "" : data.roles[process.role].name));
    button.addEventListener("click", () => highlight(index));
    $("legend").append(button);
  });
}

drawHead();
drawTimeline();
drawSequence();
listen();
followHash();
