#include "report/page_look.h"

namespace ddpm::report {

// Lines and bands have the colours of Okabe and Ito, which colour-blind people can tell apart; dark pages have the lighter ones.
const char* const kPageStyle = R"css(
:root { color-scheme: light dark; --ink: #222; --faint: #5c5c5c; --paper: #fff; --rule: #ddd; --red: #b00020;
  --c0: #0072b2; --c1: #b34700; --c2: #00795a; --c3: #a8447f; --c4: #8a6100; --c5: #2c7fb0; --c6: #555; --c7: #7a3db8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --faint: #a8a8a8; --paper: #16181b; --rule: #3a3d41; --red: #ff7b88;
  --c0: #56b4e9; --c1: #ff9a52; --c2: #2fd0a2; --c3: #e79ac6; --c4: #f0c04a; --c5: #8fd0ff; --c6: #bbb; --c7: #c9a2f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; font: 1rem/1.45 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-top: 1px solid var(--rule);
  padding-top: .8rem; } h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
p { margin: .4rem 0; } small, .note, footer { color: var(--faint); font-size: .85rem; }
figure { margin: 1rem 0; } figcaption { font-weight: 600; }
figure img { display: block; max-width: 100%; height: auto; image-rendering: pixelated; }
input[type=range] { width: 100%; max-width: 32rem; display: block; }
output { font-variant-numeric: tabular-nums; font-size: .85rem; display: block; min-height: 1.4em; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 1.5rem; }
.plots figure { min-width: 0; }
.area { position: relative; height: 13rem; margin: .3rem 0 1.4rem 4.4rem; border: solid var(--rule); border-width: 0 0 1px 1px; }
.area svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: hidden; }
.area span { position: absolute; font-size: .75rem; color: var(--faint); white-space: nowrap; }
.area .y { right: calc(100% + .35rem); transform: translateY(-50%); } .area .x { top: calc(100% + .2rem); transform: translateX(-50%); }
svg path { vector-effect: non-scaling-stroke; fill: none; stroke-width: 1.8; stroke: var(--ink); stroke-linejoin: round; }
svg .g { stroke: var(--rule); stroke-width: 1; } svg .k { stroke: var(--faint); stroke-width: 1; stroke-dasharray: 2 3; }
svg .m { stroke: var(--c4); stroke-width: 1; opacity: .8; } svg .m.r { stroke: var(--red); stroke-width: 1.5; }
svg .f { stroke-width: 1; opacity: .45; } svg .d { stroke-dasharray: 6 4; } svg .b { stroke: none; opacity: .22; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); } .c4 { --c: var(--c4); }
.c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
svg .l { stroke: var(--c); } svg .b { fill: var(--c); }
.legend span { margin-right: 1rem; font-size: .85rem; } .legend span::before { content: ""; display: inline-block; width: 1.1em;
  margin-right: .35em; vertical-align: .25em; border-top: 3px solid var(--c); } .legend .d::before { border-top-style: dashed; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; width: 100%; }
td, th { text-align: left; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; min-width: 5rem; }
summary { cursor: pointer; } :focus-visible { outline: 2px solid var(--c0); outline-offset: 3px; }
@media print { body { max-width: none; padding: 0; } figure { break-inside: avoid; } input, .plot output { display: none; } }
)css";

// Sliders choose the picture; pointing at a plot, or the arrow keys in it, reads its values. Arrow keys elsewhere move all sliders.
const char* const kPageScript = R"js(
"use strict";
const number = value => Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString("en") : String(value);
const sliders = [...document.querySelectorAll(".grids")].map(figure => {
  const grids = JSON.parse(figure.querySelector("script").textContent);
  const range = figure.querySelector("input"), image = figure.querySelector("img"), text = figure.querySelector("output");
  grids[grids.length - 1].url = image.src;  // which is in the page once
  const show = () => {
    const grid = grids[Number(range.value)];
    image.src = grid.url;
    text.textContent = "step " + grid.step.toLocaleString("en") + (grid.note ? " (" + grid.note + ")" : "");
    image.alt = "samples at " + text.textContent;
    range.setAttribute("aria-valuetext", text.textContent);
  };
  range.addEventListener("input", show);
  return { range, show };
});
for (const figure of document.querySelectorAll(".plot")) {
  const plot = JSON.parse(figure.querySelector("script").textContent);
  const area = figure.querySelector(".area"), cursor = figure.querySelector(".k"), text = figure.querySelector("output");
  const steps = [...new Set(plot.lines.flatMap(line => line.x))].sort((a, b) => a - b);
  const nearest = (xs, x) => {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] <= x) low = middle; else high = middle;
    }
    return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
  };
  let at = steps.length - 1;
  const read = index => {
    at = Math.max(0, Math.min(index, steps.length - 1));
    const place = (steps[at] - plot.low) / (plot.high - plot.low) * 800;
    cursor.setAttribute("d", "M" + place.toFixed(1) + " 0V240");
    const values = plot.lines.map(line => {
      const i = nearest(line.x, steps[at]);
      return line.name + " " + number(line.y[i]);
    });
    const reach = (plot.high - plot.low) / 200;
    const marks = plot.marks.filter(mark => Math.abs(mark.x - steps[at]) <= reach).slice(0, 3).map(mark => mark.text);
    text.textContent = "step " + Math.round(steps[at]).toLocaleString("en") + ": " + values.concat(marks).join(", ");
  };
  area.addEventListener("pointermove", event => {
    const box = area.getBoundingClientRect();
    read(nearest(steps, plot.low + (event.clientX - box.left) / box.width * (plot.high - plot.low)));
  });
  figure.addEventListener("keydown", event => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageDown: -20, PageUp: 20, Home: -steps.length, End: steps.length }[event.key];
    if (move === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    read(at + move);
  });
}
addEventListener("keydown", event => {
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!move || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, .scroll")) return;
  for (const { range, show } of sliders) {
    range.value = Number(range.value) + move;
    show();
  }
});
const reload = Number(document.body.dataset.reload || 0) * 1000;
if (reload > 0) {
  let used = 0;
  for (const kind of ["pointermove", "keydown", "input"]) addEventListener(kind, () => { used = Date.now(); });
  const kept = JSON.parse(history.state || "[]");
  sliders.forEach(({ range, show }, i) => {
    if (kept[i] == null) return;
    range.value = kept[i];
    show();
  });
  setInterval(() => {
    if (Date.now() - used < reload) return;
    history.replaceState(JSON.stringify(sliders.map(({ range }) => range.value === range.max ? undefined : range.value)), "");
    location.reload();
  }, reload);
}
)js";

}  // namespace ddpm::report
