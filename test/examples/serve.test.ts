/** The HTTP example: streams, completions, limits, callers who leave, and its page in a browser. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

import type { FastifyInstance } from 'fastify';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { createServer, usualLimits } from '../../examples/serve/server.js';
import type { GLM } from '../../ts/glm.js';
import { textModel } from '../generate/text-model.js';
import { withFolder } from '../support/folder.js';

const serve = suite('examples: serve');
const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);
let model: GLM;
let server: FastifyInstance;
let address = '';

serve.before(async () => {
  model = await textModel('bpe');
  server = await createServer(model, 'test', { ...usualLimits, perMinute: 1000 });
  // The page with an image that comes when a fill is over: the browser then takes the page for loaded.
  let filled = () => {};
  const fillIsOver = new Promise<void>((resolve) => (filled = resolve));
  server.addHook('onRequest', async (request, reply) => {
    const browsed = request.headers['user-agent']?.includes('Chrome') === true;
    if (browsed && request.url === '/fill') reply.raw.once('finish', () => setTimeout(filled, 500));
  });
  server.get('/held', async (_request, reply) => {
    const page = await readFile(new URL('../../examples/serve/page.html', import.meta.url), 'utf8');
    return reply.type('text/html; charset=utf-8').send(`${page}<img src="held.png" alt="" />`);
  });
  server.get('/held.png', async (_request, reply) => {
    await fillIsOver;
    return reply.code(404).send();
  });
  address = await server.listen({ port: 0, host: '127.0.0.1' });
});
serve.after(async () => {
  await server.close();
  model.dispose();
});

function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(`${address}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: text,
    ...(signal && { signal }),
  });
}

/** The events of a stream, without the last, which says that it is done. */
async function eventsOf(response: Response): Promise<unknown[]> {
  assert.is(response.status, 200);
  const events = (await response.text()).split('\n\n').filter((event) => event !== '');
  assert.is(events.pop(), 'data: [DONE]');
  return events.map((event) => JSON.parse(event.slice('data: '.length)) as unknown);
}

const text = 'The [MASK] was [MASK].';
const decoding = { max_tokens: 12, temperature: 3, seed: 9 };

serve('streams what fill gives', async () => {
  const { blanks } = await model.fill(text, { maxTokens: 12, temperature: 3, seed: 9 });
  const events = (await eventsOf(await post('/fill', { text, ...decoding }))) as {
    blank: number;
    text: string;
  }[];
  blanks.forEach((blank, i) => {
    assert.is(
      events
        .filter((event) => event.blank === i)
        .map((event) => event.text)
        .join(''),
      blank.text,
    );
  });
});

serve('completes a prompt, with and without a suffix, at once and as a stream', async () => {
  const between = await model.fill('The river [sMASK] was gone.', { maxTokens: 12, temperature: 3, seed: 9 });
  const request = { prompt: 'The river', suffix: ' was gone.', ...decoding };
  const completion = (await (await post('/v1/completions', request)).json()) as {
    object: string;
    choices: { text: string; finish_reason: string }[];
  };
  assert.is(completion.object, 'text_completion');
  assert.is(completion.choices[0]!.text, between.blanks[0]!.text);
  assert.is(completion.choices[0]!.finish_reason, between.blanks[0]!.finished ? 'stop' : 'length');
  const events = (await eventsOf(
    await post('/v1/completions', { ...request, stream: true }),
  )) as (typeof completion)[];
  assert.is(events.map(({ choices }) => choices[0]!.text).join(''), between.blanks[0]!.text);
  const after = await model.fill('The river', { maxTokens: 12, temperature: 3, seed: 9 });
  const { choices } = (await (
    await post('/v1/completions', { prompt: 'The river', ...decoding })
  ).json()) as typeof completion;
  assert.is(choices[0]!.text, after.blanks[0]!.text);
});

serve('refuses what is wrong or too much', async () => {
  for (const body of [
    '{',
    {},
    { text: '' },
    { text: 3 },
    { text, unknown: 1 },
    { text, max_tokens: 1000 },
    { text, top_k: 3 },
  ]) {
    const response = await post('/fill', body);
    assert.is(response.status, 400, JSON.stringify(body));
    assert.type(((await response.json()) as { error: { message: string } }).error.message, 'string');
  }
  assert.is(
    (await post('/fill', { text: `${'river '.repeat(400)}[MASK]` })).status,
    400,
    'more tokens than positions',
  );
  assert.is((await post('/fill', { text: 'x'.repeat(70_000) })).status, 413);
  assert.is((await fetch(`${address}/nowhere`)).status, 404);
});

serve('limits the requests of a caller, those under way, and the time of one', async () => {
  const strict = await createServer(model, 'test', { ...usualLimits, perMinute: 3, underWay: 1, time: 20 });
  const fill = () =>
    strict.inject({
      method: 'POST',
      url: '/v1/completions',
      payload: { prompt: 'The river', max_tokens: 200, temperature: 5, seed: 1 },
    });
  const first = await Promise.all([fill(), fill()]);
  const codes = first.map(({ statusCode }) => statusCode);
  assert.ok(codes.includes(503), `${codes.join()}: too many, or too slow`);
  await fill();
  assert.is((await fill()).statusCode, 429);
  await strict.close();
});

serve('a caller who leaves stops the work', async () => {
  const atRest = () => new Promise((resolve) => setTimeout(resolve, 300));
  await atRest();
  const before = model.network.device.memory().inUse;
  for (let i = 0; i < 5; i++) {
    const leaving = new AbortController();
    const response = await post('/fill', { text, max_tokens: 250, temperature: 5, seed: i }, leaving.signal);
    await response.body!.getReader().read();
    leaving.abort();
  }
  await atRest();
  assert.is(model.network.device.memory().inUse, before, 'no cache is held');
});

const title = 'the page fills the blanks of a text in a browser';
if (chromium !== undefined || process.env.CI === 'true') serve(title, pageTest);
else serve.skip(`${title}: chromium is not installed`);

serve.run();

async function pageTest(): Promise<void> {
  const { blanks } = await model.fill(text, { maxTokens: 64 });
  await withFolder(async (profile) => {
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', `--user-data-dir=${profile}`]; // prettier-ignore
    const child = spawn(chromium!, [...flags, '--dump-dom', `${address}/held#${encodeURIComponent(text)}`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let dom = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => (dom += data));
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    await once(child, 'close');
    clearTimeout(timer);
    assert.match(dom, 'data-state="done"');
    const marks = [...dom.matchAll(/<mark class="">(.*?)<\/mark>/gs)].map(([, shown]) => shown!);
    const written = blanks.map((blank) =>
      blank.text
        .replace(/&/g, '&amp;')
        .replace(/</g, '&lt;')
        .replace(/>/g, '&gt;')
        .replace(/\u00a0/g, '&nbsp;'),
    );
    assert.equal(
      marks,
      written.filter((shown) => shown !== ''),
    );
  });
}
