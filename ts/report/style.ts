/** Light and dark. The series colours are told apart with any kind of colour blindness, by lightness if not by hue. */
export const colours = `
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #ffffff; --ink: #1b1c1e; --quiet: #6a6d72; --line: #e3e3de; --strong: #b9b9b2; --seen: #dcdcd6;
  --series-0: #2a6fdb; --series-1: #d9622b; --series-2: #1a936f; --series-3: #8a4fbf;
  --series-4: #c2387a; --series-5: #8c6d1f; --series-6: #1c8ea3; --series-7: #55606e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131416; --card: #1c1e21; --ink: #e9e9e6; --quiet: #9a9ea5; --line: #2e3136; --strong: #565a61; --seen: #3a3d43;
    --series-0: #6ea8ff; --series-1: #ff9a66; --series-2: #4fd1a5; --series-3: #c39bf0;
    --series-4: #f58ab8; --series-5: #d9b85a; --series-6: #5fc9dc; --series-7: #a9b4c2;
  }
}
`;

/** Of what is drawn in a chart. */
export const marksStyle = `
.grid { stroke: var(--line); stroke-width: 1; }
.axis { stroke: var(--strong); stroke-width: 1; }
.tick { fill: var(--quiet); font-size: 11.5px; font-variant-numeric: tabular-nums; }
.line, .raw, .held-out { fill: none; stroke: currentColor; stroke-linejoin: round; stroke-linecap: round; }
.line { stroke-width: 2; }
.raw { stroke-width: 1; opacity: 0.35; }
.held-out { stroke-width: 1.5; stroke-dasharray: 4 4; opacity: 0.75; }
.marker { fill: currentColor; stroke: var(--card); stroke-width: 1.2; }
`;

/** The page's look. */
export const style = `${colours}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 48px 0 4px; letter-spacing: -0.01em; }
h3 { font-size: 15px; margin: 0; }
h4 { font-size: 13px; margin: 16px 0 8px; }
h4 small { font-weight: 400; color: var(--quiet); margin-left: 6px; font-size: 12px; }
p { margin: 0; }
.lead { color: var(--quiet); max-width: 76ch; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
.summary { margin-top: 24px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; border-collapse: separate; border-spacing: 0; }
.summary th, .summary td { padding: 9px 14px; text-align: left; white-space: nowrap; }
.summary thead th { color: var(--quiet); font-weight: 500; font-size: 12.5px; border-bottom: 1px solid var(--line); }
.summary tbody tr + tr > * { border-top: 1px solid var(--line); }
.summary i, .owner i, .tip i { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; }
th.number, td.number { text-align: right !important; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; margin-top: 16px; align-items: start; }
figure { margin: 0; }
.chart { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 16px 10px; min-width: 0; }
.chart.wide { grid-column: 1 / -1; }
.chart figcaption { display: flex; flex-wrap: wrap; gap: 0 10px; align-items: baseline; }
.chart figcaption p, .empty { color: var(--quiet); font-size: 12.5px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 4px 0 6px; padding: 0; font-size: 12.5px; color: var(--quiet); }
.legend svg { width: 22px; height: 12px; vertical-align: -1px; margin-right: 6px; }
.plot { position: relative; }
.plot svg { display: block; width: 100%; height: auto; overflow: visible; touch-action: pan-y; }
${marksStyle}.pointer line { stroke: var(--strong); stroke-dasharray: 2 3; }
.pointer circle { fill: currentColor; stroke: var(--card); stroke-width: 1.5; }
.pointer, .tip { pointer-events: none; }
.tip { position: absolute; top: 8px; background: var(--card); border: 1px solid var(--strong); border-radius: 8px; padding: 8px 10px; font-size: 12.5px; box-shadow: 0 4px 16px rgb(0 0 0 / 0.15); white-space: nowrap; z-index: 1; }
.tip[hidden] { display: none; }
.tip div { display: flex; align-items: center; }
.tip b { margin-left: auto; padding-left: 16px; font-variant-numeric: tabular-nums; }
.fills { display: grid; gap: 16px; margin-top: 16px; }
.fill, .example { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; }
.fill h3 { font-weight: 600; margin-bottom: 8px; }
.owner { float: right; color: var(--quiet); font-size: 12.5px; }
.fill table { font-size: 14px; }
.fill td { padding: 5px 12px 5px 0; vertical-align: top; border-top: 1px solid var(--line); }
.fill td.number { width: 56px; color: var(--quiet); }
.sure { width: 132px; white-space: nowrap; color: var(--quiet); font-size: 12.5px; font-variant-numeric: tabular-nums; }
.bar { display: inline-block; width: 64px; height: 6px; border-radius: 3px; background: var(--line); margin-right: 8px; vertical-align: 2px; overflow: hidden; }
.bar b { display: block; height: 100%; background: var(--series-2); border-radius: 3px; }
.mask { font: 600 0.85em ui-monospace, monospace; color: var(--series-0); }
mark { background: color-mix(in srgb, var(--series-0) 18%, transparent); color: inherit; border-radius: 4px; padding: 1px 4px; overflow-wrap: anywhere; }
.text { overflow-wrap: anywhere; }
.example { margin-top: 16px; }
.sides { display: grid; grid-template-columns: minmax(0, 1fr) 380px; gap: 28px; align-items: start; }
.tokens { display: flex; flex-wrap: wrap; gap: 4px; }
.token { display: flex; flex-direction: column; text-align: center; border: 1px solid var(--line); border-radius: 6px; padding: 1px 5px 2px; cursor: default; transition: opacity 0.1s; }
.token b { font: 500 12.5px/1.4 ui-monospace, "SF Mono", Menlo, monospace; color: var(--ink); white-space: pre; }
.token small { font: 10px/1.3 ui-monospace, monospace; color: var(--quiet); }
.token i { font-style: normal; opacity: 0.75; margin-left: 2px; }
.token.span { border-color: currentColor; background: color-mix(in srgb, currentColor 13%, transparent); }
.token.span b { font-weight: 600; }
.asked .token { opacity: 0.25; }
.asked .token.seen { opacity: 1; }
.token.asking { outline: 2px solid var(--ink); outline-offset: 1px; }
.says { color: var(--quiet); font-size: 12.5px; margin-top: 12px; }
.attention figcaption, .attention p { color: var(--quiet); font-size: 12.5px; }
.attention svg { display: block; width: 100%; margin: 8px 0 4px; border: 1px solid var(--line); border-radius: 4px; background: var(--page); }
.attention g { color: var(--strong); }
.attention .a { fill: var(--seen); }
.attention .b { fill: currentColor; }
.attention .row { fill: transparent; }
.attention g.asking .a, .attention g.asking .b { fill: var(--ink); }
.border { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 3 3; fill: none; }
.attention p { display: flex; justify-content: space-between; }
footer { margin-top: 48px; color: var(--quiet); font-size: 12.5px; }
@media (max-width: 860px) {
  .charts, .sides { grid-template-columns: minmax(0, 1fr); }
  main { padding: 24px 12px 48px; }
}
`;
