"""Style and script of the page. Without the script everything is there but the reading-off line."""

STYLE = """
main { max-width: 66rem; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: 0; margin: 1rem 0;
  list-style: none; }
.legend i, .shares i { display: inline-block; width: .8em; height: .8em; border-radius: .2em;
  margin-right: .4em; vertical-align: -.05em; }
.overview .row { display: grid; grid-template-columns: 8rem 1fr; align-items: center; gap: .6rem;
  margin: .35rem 0; }
.overview a { display: flex; align-items: center; gap: .6rem; color: var(--accent); }
.overview img, .head img { border-radius: .4rem; }
.track .head { display: flex; gap: 1rem; align-items: center; margin-bottom: .8rem; }
.track .head p { margin: 0; }
.shares span { display: inline-block; margin-right: .9rem; }
.chart { position: relative; margin-right: .6rem; break-inside: avoid; }
.areas { position: relative; height: 9rem; background: var(--panel); overflow: hidden;
  border: 1px solid var(--line); border-radius: .3rem .3rem 0 0; }
.areas svg { position: absolute; top: 0; height: 100%; }
.areas path { stroke: var(--paper); stroke-width: .8; stroke-opacity: .7;
  vector-effect: non-scaling-stroke; }
.areas .name { position: absolute; transform: translate(-50%, 50%); font-size: .8rem;
  line-height: 1; font-weight: 600; white-space: nowrap; pointer-events: none; }
.band { position: relative; height: 1.5rem; background: var(--panel); overflow: hidden;
  border: 1px solid var(--line); border-radius: .3rem; }
.chart .band { border-top: 0; border-radius: 0 0 .3rem .3rem; }
.band span { position: absolute; top: 0; height: 100%; min-width: 1px; overflow: hidden;
  font-size: .75rem; line-height: 1.5rem; text-align: center; white-space: nowrap; }
.band .parted { box-shadow: inset -1px 0 0 var(--paper); }
.axis { position: relative; height: 1.5rem; font-size: .75rem; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.axis span { position: absolute; top: .15rem; transform: translateX(-50%); }
.axis span::before { content: ""; position: absolute; left: 50%; top: -.15rem; height: .25rem;
  border-left: 1px solid var(--soft); }
.axis .first { transform: none; }
.axis .first::before { left: 0; }
.axis .last { transform: translateX(-100%); }
.axis .last::before { left: 100%; }
.reading { display: block; min-height: 1.5rem; font-size: .85rem; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.cursor { position: absolute; top: 0; bottom: 0; width: 0; border-left: 1px solid var(--ink);
  pointer-events: none; }
.areas:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.film { display: flex; flex-wrap: wrap; gap: .7rem; margin: .3rem 0 1rem; }
.film figure { margin: 0; width: 5.4rem; border-top: 4px solid; border-radius: .2rem; }
.film img { display: block; width: 100%; height: auto; border-radius: 0 0 .3rem .3rem; }
.film figcaption { line-height: 1.3; font-size: .78rem; font-variant-numeric: tabular-nums; }
summary { cursor: pointer; color: var(--accent); }
details[open] summary { margin-bottom: .5rem; }
.legend i, .shares i, .band span, .areas { print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
@media (max-width: 36rem) { .overview .row { grid-template-columns: 5.5rem 1fr; }
  .overview img, .areas .name { display: none; } .band span { text-indent: .1rem; }
  .axis span:nth-child(even) { display: none; } }
@media print { .reading { display: none; }
  details::details-content { content-visibility: visible; block-size: auto; } }
""".strip()

SCRIPT = """
"use strict";
const names = JSON.parse(document.querySelector("[data-labels]").dataset.labels);
const clock = (time) => {
  const tenths = Math.round(time * 10), seconds = Math.floor(tenths / 10);
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
  const head = hours ? hours + ":" + two(minutes) : String(minutes);
  return head + ":" + two(seconds % 60) + "." + (tenths % 10);
};
for (const areas of document.querySelectorAll(".areas")) {
  const given = areas.dataset;
  const [from, to] = [Number(given.from), Number(given.to)];
  const [start, step] = [Number(given.start), Number(given.step)];
  const levels = Uint8Array.from(atob(given.levels), (letter) => letter.charCodeAt(0));
  const reading = areas.parentElement.querySelector(".reading");
  const cursor = document.createElement("div");
  cursor.className = "cursor";
  cursor.hidden = true;
  areas.append(cursor);
  areas.tabIndex = 0;
  let share = 0;
  const show = (wanted) => {
    share = Math.min(0.9999, Math.max(0, wanted));
    const time = from + share * (to - from);
    const first = Math.floor((time - start) / step) * names.length;
    const here = Array.from(levels.slice(Math.max(0, first), Math.max(0, first + names.length)));
    const text = here.length < names.length || here[0] === 255 ? ["away"] :
      here.map((level, index) => [level / 2.5, names[index]]).sort((a, b) => b[0] - a[0])
        .filter(([percent]) => percent >= 1)
        .map(([percent, name]) => name + " " + Math.round(percent) + "%");
    cursor.hidden = false;
    cursor.style.left = share * 100 + "%";
    reading.textContent = clock(time) + "  " + text.join(", ");
  };
  const hide = () => { cursor.hidden = true; reading.textContent = ""; };
  areas.addEventListener("pointermove", (event) => {
    const box = areas.getBoundingClientRect();
    show((event.clientX - box.left) / box.width);
  });
  areas.addEventListener("pointerleave", hide);
  areas.addEventListener("blur", hide);
  areas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -0.005, ArrowRight: 0.005, Home: -1, End: 1 };
    if (event.key in moves) { show(share + moves[event.key]); event.preventDefault(); }
  });
}
""".strip()
