/** A chart as SVG that stands by itself, with its numbers beside it for the page's script to show under the pointer. */

import { embeddedJson, escapeHtml } from './markup.js';
import { type Bucket, logTicks, type Point, shortNumber, ticks } from './series.js';
import { colours, marksStyle } from './style.js';

export interface Series {
  name: string;
  colour: string;
  points: readonly Point[];
  /** Drawn faintly behind the line. */
  behind?: readonly Bucket[] | undefined;
  /** Every point gets one. */
  marker?: Marker | undefined;
  /** Steps between values rather than slopes. */
  stairs?: boolean | undefined;
}

export type Marker = 'circle' | 'square' | 'triangle' | 'diamond';

export interface ChartOptions {
  id: string;
  title: string;
  /** One line under the title. */
  note?: string | undefined;
  series: readonly Series[];
  scale?: 'linear' | 'log' | undefined;
  /** The axis includes it. */
  from?: number | undefined;
  wide?: boolean | undefined;
}

const height = 280;
const margin = { left: 52, right: 14, top: 10, bottom: 26 };

/** The chart as a figure of a page that has the style of `style.ts`. */
export function chart(options: ChartOptions): string {
  const { id, title, note, scale, wide } = options;
  const head = `<figcaption><h3>${escapeHtml(title)}</h3>${note === undefined ? '' : `<p>${escapeHtml(note)}</p>`}</figcaption>`;
  const drawing = draw(options);
  if (drawing === undefined) {
    return `<figure class="chart" id="${id}">${head}<p class="empty">Nothing was recorded yet.</p></figure>`;
  }
  const { width, series, frame, marks } = drawing;
  const numbers = {
    left: margin.left,
    right: width - margin.right,
    top: margin.top,
    bottom: height - margin.bottom,
    x: frame.xRange,
    y: frame.yRange,
    log: scale === 'log',
    series: series.map(({ name, colour, points }) => ({
      name,
      colour,
      x: points.map((point) => Number(point.x.toPrecision(7))),
      y: points.map((point) => Number(point.y.toPrecision(5))),
    })),
  };
  return (
    `<figure class="chart${wide === true ? ' wide' : ''}" id="${id}">${head}${legend(series)}` +
    `<div class="plot"><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">` +
    `${marks}<g class="pointer"></g></svg>` +
    `<div class="tip" hidden></div></div>` +
    `<script type="application/json">${embeddedJson(numbers)}</script></figure>`
  );
}

/** The chart as the text of an SVG file, which shows its title and legend itself. */
export function chartFile(options: ChartOptions): string {
  const drawing = draw(options);
  const width = drawing?.width ?? widthOf(options);
  const rowHeight = 18;
  const columnWidth = (width - 2 * margin.right) / legendColumns;
  const rows = Math.ceil((drawing?.series.length ?? 0) / legendColumns);
  const top = 30 + rows * rowHeight;
  const keys = (drawing?.series ?? []).map((one, i) => {
    const x = margin.right + (i % legendColumns) * columnWidth;
    const y = 26 + Math.floor(i / legendColumns) * rowHeight;
    return `<g transform="translate(${x} ${y})">${key(one)}<text class="tick" x="28" y="10">${escapeHtml(one.name)}</text></g>`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top + height}" width="${width}" height="${top + height}" role="img">` +
    `<title>${escapeHtml(options.title)}</title><style>${colours}${marksStyle}text { font-family: system-ui, sans-serif; }</style>` +
    `<rect width="${width}" height="${top + height}" rx="10" fill="var(--card)"/>` +
    `<text x="${margin.right}" y="20" fill="var(--ink)" font-weight="600">${escapeHtml(options.title)}</text>` +
    `${keys.join('')}<g transform="translate(0 ${top})">${drawing?.marks ?? ''}</g></svg>\n`
  );
}

const legendColumns = 3;

function widthOf({ wide }: ChartOptions): number {
  return wide === true ? 1120 : 546;
}

/** Axes and curves; undefined where there are no points. */
function draw(options: ChartOptions) {
  const { scale = 'linear', from } = options;
  const width = widthOf(options);
  const series = options.series.map((one) => ({ ...one, points: usable(one.points, scale) }));
  if (series.every(({ points }) => points.length === 0)) return undefined;
  const frame = frameOf(series, scale, from, width);
  const { x, y } = frame;
  const grid = frame.yTicks.map(
    (value) =>
      `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${y(value)}" y2="${y(value)}"/>` +
      `<text class="tick" x="${margin.left - 8}" y="${y(value)}" dy="0.32em" text-anchor="end">${shortNumber(value)}</text>`,
  );
  const steps = frame.xTicks.map(
    (value) =>
      `<text class="tick" x="${x(value)}" y="${height - 8}" text-anchor="middle">${shortNumber(value)}</text>`,
  );
  const marks =
    `${grid.join('')}${steps.join('')}` +
    `<line class="axis" x1="${margin.left}" x2="${width - margin.right}" y1="${height - margin.bottom}" y2="${height - margin.bottom}"/>` +
    `<g class="curves">${series.map((one) => curve(one, x, y)).join('')}</g>`;
  return { width, series, frame, marks };
}

function usable(points: readonly Point[], scale: 'linear' | 'log'): Point[] {
  return points.filter(({ y }) => Number.isFinite(y) && (scale === 'linear' || y > 0));
}

/** Where values lie: the ranges of the axes, and functions to the SVG's coordinates. */
function frameOf(
  series: readonly Series[],
  scale: 'linear' | 'log',
  from: number | undefined,
  width: number,
) {
  const all = series.flatMap(({ points, behind }) => [...points, ...(behind ?? [])]);
  let [left, right, low, high] = [Infinity, -Infinity, from ?? Infinity, from ?? -Infinity];
  for (const point of all) {
    left = Math.min(left, point.x);
    right = Math.max(right, point.x);
    low = Math.min(low, point.y);
    high = Math.max(high, point.y);
  }
  if (left === right) right = left + 1;
  const log = scale === 'log';
  if (log) [low, high] = [low / 1.15, high * 1.15];
  else {
    const room = 0.05 * (high - low) || 0.05 * Math.abs(high) || 1;
    [low, high] = [from === low ? low : low - room, high + room];
  }
  const toLine = log ? Math.log : (value: number) => value;
  const [bottom, top] = [toLine(low), toLine(high)];
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    xRange: [left, right],
    yRange: [low, high],
    xTicks: ticks(left, right, width / 90),
    yTicks: log ? logTicks(low, high) : ticks(low, high, 5),
    x: (value: number) =>
      round(margin.left + ((value - left) / (right - left)) * (width - margin.left - margin.right)),
    y: (value: number) =>
      round(
        height -
          margin.bottom -
          ((toLine(value) - bottom) / (top - bottom)) * (height - margin.top - margin.bottom),
      ),
  };
}

type Place = (value: number) => number;

function curve({ name, colour, points, behind, marker, stairs }: Series, x: Place, y: Place): string {
  const line = points.map((point, i) => {
    const flat = stairs === true && i > 0 ? `H${x(point.x)}` : '';
    return `${flat}${i === 0 ? 'M' : 'L'}${x(point.x)} ${y(point.y)}`;
  });
  const faint = (behind ?? []).map((bucket, i) => `${i === 0 ? 'M' : 'L'}${x(bucket.x)} ${y(bucket.y)}`);
  return (
    `<g style="color:${colour}" data-series="${escapeHtml(name)}">` +
    (faint.length > 0 ? `<path class="raw" d="${faint.join('')}"/>` : '') +
    (points.length > 1 ? `<path class="${marker ? 'held-out' : 'line'}" d="${line.join('')}"/>` : '') +
    (marker || points.length === 1
      ? points.map((point) => shape(marker ?? 'circle', x(point.x), y(point.y))).join('')
      : '') +
    `</g>`
  );
}

function shape(marker: Marker, x: number, y: number): string {
  switch (marker) {
    case 'circle':
      return `<circle class="marker" cx="${x}" cy="${y}" r="3.5"/>`;
    case 'square':
      return `<path class="marker" d="M${x - 3} ${y - 3}h6v6h-6z"/>`;
    case 'triangle':
      return `<path class="marker" d="M${x} ${y - 4}l4 7h-8z"/>`;
    case 'diamond':
      return `<path class="marker" d="M${x} ${y - 4.5}l4.5 4.5l-4.5 4.5l-4.5 -4.5z"/>`;
  }
}

function legend(series: readonly Series[]): string {
  const items = series
    .filter(({ points }) => points.length > 0)
    .map(
      (one) =>
        `<li><svg viewBox="0 0 22 12" aria-hidden="true">${key(one)}</svg>${escapeHtml(one.name)}</li>`,
    );
  return `<ul class="legend">${items.join('')}</ul>`;
}

/** A piece of the curve, 22 by 12. */
function key({ colour, marker }: Series): string {
  const line = `<path class="${marker ? 'held-out' : 'line'}" d="M1 6H21"/>`;
  return `<g style="color:${colour}">${line}${marker ? shape(marker, 11, 6) : ''}</g>`;
}
