/** The report in a real browser: what is drawn, what the pointer shows, that nothing fails and nothing is fetched. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { writeReport } from '../../ts/report/report.js';
import { withFolder } from '../support/folder.js';
import { events, lines, makeRun } from './made-up-run.js';

const browser = suite('report: in a browser');
const title = 'two runs: curves, fills, the example, the pointer';
const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);

/** The page's document after its scripts have run, and what they complained about. */
async function open(file: string, profile: string): Promise<{ dom: string; complaints: string[] }> {
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--window-size=1280,2000', '--enable-logging=stderr']; // prettier-ignore
  const child = spawn(
    chromium!,
    [...flags, `--user-data-dir=${profile}`, '--dump-dom', pathToFileURL(file).href],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [dom, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (dom += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  assert.is(status, 0, errors);
  return { dom, complaints: errors.split('\n').filter((line) => line.includes(':CONSOLE')) };
}

/** Moves the pointer as a reader would, and writes what the page shows into an element that the dump has. */
const probe = `<script>
const found = { charts: {} };
for (const chart of document.querySelectorAll('.chart')) {
  const svg = chart.querySelector('svg[role]');
  if (svg === null) continue;
  const box = svg.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + box.width / 2, clientY: box.top + 20 }));
  found.charts[chart.id] = {
    lengths: [...chart.querySelectorAll('.curves path.line')].map((path) => path.getTotalLength()),
    inside: [...chart.querySelectorAll('.curves path, .curves circle')].every((element) => {
      const own = element.getBoundingClientRect();
      return own.left >= box.left && own.right <= box.right && own.top >= box.top - 1 && own.bottom <= box.bottom;
    }),
    markers: chart.querySelectorAll('.curves .marker').length,
    tip: chart.querySelector('.tip').hidden ? '' : chart.querySelector('.tip').textContent,
    dots: chart.querySelectorAll('.pointer circle').length,
  };
}
const tokens = [...document.querySelectorAll('.token')];
tokens[4].dispatchEvent(new PointerEvent('pointerenter'));
found.seen = tokens.map((token) => token.classList.contains('seen'));
found.says = document.querySelector('.says').textContent;
found.row = document.querySelector('.attention g.asking .b').getAttribute('width');
found.tokens = tokens.map((token) => token.innerText.replace(/\\s+/g, ' '));
found.colours = tokens.map((token) => getComputedStyle(token).color);
found.fills = [...document.querySelectorAll('.fill mark')].map((mark) => mark.textContent);
found.hostile = document.getElementById('hostile') !== null;
found.fetched = performance.getEntriesByType('resource').length;
found.wide = document.documentElement.scrollWidth > innerWidth;
const shown = document.createElement('pre');
shown.id = 'found';
shown.textContent = encodeURIComponent(JSON.stringify(found));
document.body.append(shown);
</script>`;

interface Found {
  charts: Record<
    string,
    { lengths: number[]; inside: boolean; markers: number; tip: string; dots: number } | undefined
  >;
  seen: boolean[];
  says: string;
  row: string;
  tokens: string[];
  colours: string[];
  fills: string[];
  hostile: boolean;
  fetched: number;
  wide: boolean;
}

const look = () =>
  withFolder(async (folder) => {
    const first = await makeRun(path.join(folder, 'first'), lines(events));
    const second = await makeRun(path.join(folder, 'second'), lines(events.slice(0, 40)));
    const file = path.join(folder, 'report.html');
    await writeReport([first, second], file);
    await writeFile(file, `${await readFile(file, 'utf8')}${probe}`);
    const { dom, complaints } = await open(file, path.join(folder, 'profile'));
    assert.equal(complaints, []);
    const text = /<pre id="found">(.*?)<\/pre>/.exec(dom)?.[1];
    assert.ok(text, 'the probe did not run');
    const found = JSON.parse(decodeURIComponent(text)) as Found;

    assert.equal(
      Object.keys(found.charts).sort(),
      ['gradient-norm', 'learning-rate', 'loss', 'loss-blank', 'loss-document', 'skipped', 'throughput'], // prettier-ignore
    );
    for (const [id, chart] of Object.entries(found.charts)) {
      assert.ok(chart!.inside, `${id} draws outside of its frame`);
      assert.match(chart!.tip, /^step \d+first/, id);
    }
    const { loss } = found.charts;
    assert.is(loss!.lengths.length, 2);
    assert.ok(
      loss!.lengths.every((length) => length > 300),
      loss!.lengths.join(),
    );
    assert.is(loss!.markers, 3 + 1, 'held-out points');
    assert.is(loss!.dots, 4);
    assert.match(loss!.tip, /first, training3\.\d+.*first, held out.*second, held out/);

    assert.equal(found.tokens.slice(2), ['[MASK] 2 0', '·end 3 0', '<|startofpiece|> 2 1', '·in 2 2']);
    assert.is(found.colours[4], found.colours[2], 'a span has the colour of its mask');
    assert.is.not(found.colours[3], found.colours[2]);
    assert.equal(found.seen, [true, true, true, true, true, false]);
    assert.is(found.row, '1');
    assert.is(found.says, 'Token 4 sees 5 tokens and predicts ·in .');
    assert.equal(found.fills, ['filled 19', 'filled 39', 'filled 59', 'filled 19']);
    assert.not.ok(found.hostile, 'text became markup');
    assert.is(found.fetched, 0, 'something was fetched');
    assert.not.ok(found.wide, 'the page scrolls sideways');
  });

if (chromium !== undefined || process.env['CI'] === 'true') browser(title, look);
else browser.skip(`${title}: chromium is not installed`);

browser.run();
