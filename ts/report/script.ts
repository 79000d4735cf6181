/** The page's script: values under the pointer. Everything that is drawn is there without it. */
export const script = `'use strict';
const svgNames = 'http://www.w3.org/2000/svg';
function svgElement(name, attributes) {
  const element = document.createElementNS(svgNames, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  return element;
}
function nearest(sorted, value) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle; else high = middle;
  }
  return Math.abs(sorted[low] - value) <= Math.abs(sorted[high] - value) ? low : high;
}
function followPointer(figure) {
  const numbers = JSON.parse(figure.querySelector('script').textContent);
  const svg = figure.querySelector('svg[viewBox][role]');
  const pointer = svg.querySelector('.pointer');
  const tip = figure.querySelector('.tip');
  const line = numbers.log ? Math.log : (value) => value;
  const [x0, x1] = numbers.x, [y0, y1] = numbers.y.map(line);
  const place = (x, y) => [
    numbers.left + ((x - x0) / (x1 - x0)) * (numbers.right - numbers.left),
    numbers.bottom - ((line(y) - y0) / (y1 - y0)) * (numbers.bottom - numbers.top),
  ];
  function show(event) {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const at = ((event.clientX - box.left) * scale - numbers.left) / (numbers.right - numbers.left);
    const x = x0 + Math.min(1, Math.max(0, at)) * (x1 - x0);
    pointer.replaceChildren();
    tip.replaceChildren();
    let shownStep;
    for (const series of numbers.series) {
      if (series.x.length === 0) continue;
      const i = nearest(series.x, x);
      const [cx, cy] = place(series.x[i], series.y[i]);
      if (shownStep === undefined || Math.abs(series.x[i] - x) < Math.abs(shownStep - x)) shownStep = series.x[i];
      const dot = svgElement('circle', { cx, cy, r: 4 });
      dot.style.color = series.colour;
      pointer.append(dot);
      const row = document.createElement('div');
      const chip = document.createElement('i');
      chip.style.background = series.colour;
      const name = document.createElement('span');
      const far = Math.abs(series.x[i] - x) > (x1 - x0) / 100;
      name.textContent = series.name + (far ? ' (step ' + Math.round(series.x[i]) + ')' : '');
      const value = document.createElement('b');
      value.textContent = String(Number(series.y[i].toPrecision(4)));
      row.append(chip, name, value);
      tip.append(row);
    }
    if (shownStep === undefined) return;
    const [cx] = place(shownStep, y0);
    pointer.prepend(svgElement('line', { x1: cx, x2: cx, y1: numbers.top, y2: numbers.bottom }));
    const head = document.createElement('strong');
    head.textContent = 'step ' + Math.round(shownStep);
    tip.prepend(head);
    tip.hidden = false;
    const left = cx / scale;
    const width = tip.offsetWidth;
    tip.style.left = (left + width + 24 > box.width ? left - width - 12 : left + 12) + 'px';
  }
  function hide() {
    pointer.replaceChildren();
    tip.hidden = true;
  }
  svg.addEventListener('pointermove', show);
  svg.addEventListener('pointerleave', hide);
}
function showAttention(example) {
  const context = Number(example.dataset.context);
  const tokens = [...example.querySelectorAll('.token')];
  const rows = [...example.querySelectorAll('.attention g')];
  const says = example.querySelector('.says');
  function show(i) {
    example.classList.add('asked');
    const sees = Math.max(context, i + 1);
    tokens.forEach((token, j) => {
      token.classList.toggle('seen', j < sees);
      token.classList.toggle('asking', j === i);
    });
    rows.forEach((row, j) => row.classList.toggle('asking', j === i));
    const target = tokens[i].dataset.target;
    says.textContent = 'Token ' + i + ' sees ' + sees + ' tokens' +
      (target === undefined ? '; it has no loss.' : ' and predicts ' + target + ' .');
  }
  function hide() {
    example.classList.remove('asked');
    for (const element of [...tokens, ...rows]) element.classList.remove('seen', 'asking');
    says.textContent = '\\u00a0';
  }
  for (const element of [...tokens, ...rows]) {
    element.addEventListener('pointerenter', () => show(Number(element.dataset.i)));
    element.addEventListener('pointerleave', hide);
  }
}
for (const figure of document.querySelectorAll('.chart:has(svg)')) followPointer(figure);
for (const example of document.querySelectorAll('.example')) showAttention(example);
`;
