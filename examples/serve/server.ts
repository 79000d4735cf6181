/**
 * A GLM behind HTTP: `fill` with streaming (server-sent events), and a completions route as OpenAI's, with `suffix`.
 * Bodies, lengths, times and callers are limited; a caller who leaves stops the work.
 */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';

import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import { type FillOptions, GLM, GlmError } from '../../ts/index.js';

export interface Limits {
  /** Bytes of a body. */
  body: number;
  /** Tokens of one blank. */
  tokens: number;
  /** Milliseconds of one request. */
  time: number;
  /** Requests of one caller in a minute. */
  perMinute: number;
  /** Requests under way; more are turned away. */
  underWay: number;
}

export const usualLimits: Limits = {
  body: 64 << 10,
  tokens: 256,
  time: 30_000,
  perMinute: 120,
  underWay: 64,
};

interface FillBody extends Decoding {
  text: string;
}

interface CompletionBody extends Decoding {
  model?: string;
  prompt: string;
  suffix?: string;
  stream?: boolean;
}

interface Decoding {
  max_tokens?: number;
  temperature?: number;
  top_k?: number;
  top_p?: number;
  seed?: number;
  stop?: string | string[];
}

const decodingSchema = (limits: Limits) => ({
  max_tokens: { type: 'integer', minimum: 1, maximum: limits.tokens },
  temperature: { type: 'number', minimum: 0, maximum: 10 },
  top_k: { type: 'integer', minimum: 1 },
  top_p: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
  seed: { type: 'integer', minimum: 0 },
  stop: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, maxItems: 4 }] },
});

/** The server for a model with a tokenizer; it is not listening yet. */
export async function createServer(
  model: GLM,
  name: string,
  limits: Limits = usualLimits,
): Promise<FastifyInstance> {
  const server = fastify({
    bodyLimit: limits.body,
    forceCloseConnections: true,
    requestTimeout: limits.time,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  });
  await server.register(rateLimit, { max: limits.perMinute, timeWindow: '1 minute' });
  const page = await readFile(new URL('page.html', import.meta.url));
  let underWay = 0;

  server.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error instanceof GlmError ? statusOf(error) : (error.statusCode ?? 500);
    const message = status < 500 || error instanceof GlmError ? error.message : 'the server failed';
    return reply
      .code(status)
      .send({ error: { message, code: error instanceof GlmError ? error.code : null } });
  });

  /** Runs a request's work with a signal that ends it when its time is over or the caller has left. */
  async function limited(
    reply: FastifyReply,
    body: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<unknown> {
    if (underWay >= limits.underWay) {
      return reply
        .code(503)
        .header('retry-after', '1')
        .send({ error: { message: 'too many requests are under way' } });
    }
    underWay++;
    const left = new AbortController();
    reply.raw.once('close', () => left.abort(new Error('the caller left')));
    try {
      return await body(AbortSignal.any([left.signal, AbortSignal.timeout(limits.time)]));
    } catch (error) {
      if (error instanceof DOMException && error.name === 'TimeoutError') {
        return await reply.code(503).send({ error: { message: `not done in ${limits.time} ms` } });
      }
      throw error;
    } finally {
      underWay--;
    }
  }

  server.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(page));

  server.post(
    '/fill',
    {
      schema: {
        body: {
          type: 'object',
          required: ['text'],
          additionalProperties: false,
          properties: { text: { type: 'string', minLength: 1 }, ...decodingSchema(limits) },
        },
      },
    },
    (request: FastifyRequest<{ Body: FillBody }>, reply) =>
      limited(reply, async (signal) => {
        const { text, ...decoding } = request.body;
        await sendEvents(reply, model.stream(text, options(decoding, signal)), (chunk) => chunk);
      }),
  );

  server.post(
    '/v1/completions',
    {
      schema: {
        body: {
          type: 'object',
          required: ['prompt'],
          additionalProperties: false,
          properties: {
            model: { type: 'string' },
            prompt: { type: 'string', minLength: 1 },
            suffix: { type: 'string' },
            stream: { type: 'boolean' },
            ...decodingSchema(limits),
          },
        },
      },
    },
    (request: FastifyRequest<{ Body: CompletionBody }>, reply) =>
      limited(reply, async (signal) => {
        const { prompt, suffix = '', stream, ...decoding } = request.body;
        const text = suffix === '' ? prompt : `${prompt}${blankFor(model)}${suffix}`;
        const head = {
          id: `cmpl-${request.id}`,
          object: 'text_completion',
          created: Math.floor(Date.now() / 1000),
          model: name,
        };
        const choice = (written: string, finish_reason: string | null) => ({
          ...head,
          choices: [{ index: 0, text: written, logprobs: null, finish_reason }],
        });
        if (stream) {
          await sendEvents(reply, model.stream(text, options(decoding, signal)), (chunk) =>
            choice(chunk.text, null),
          );
          return;
        }
        const { blanks } = await model.fill(text, options(decoding, signal));
        const written = blanks.map((blank) => blank.text).join('');
        return choice(written, blanks.every(({ finished }) => finished) ? 'stop' : 'length');
      }),
  );
  return server;
}

/** The blank between a prompt and its suffix: of sentences, where the tokenizer has one. */
function blankFor({ tokenizer }: GLM): string {
  return tokenizer?.special.smask === undefined ? ' [MASK]' : ' [sMASK]';
}

function options(
  { max_tokens, temperature, top_k, top_p, seed, stop }: Decoding,
  signal: AbortSignal,
): FillOptions {
  return { maxTokens: max_tokens, temperature, topK: top_k, topP: top_p, seed, stop, signal };
}

function statusOf({ code }: GlmError): number {
  if (code === 'GLM_INVALID_ARGUMENT' || code === 'GLM_CONTEXT_LENGTH' || code === 'GLM_NO_MASK') return 400;
  return code === 'GLM_DISPOSED' ? 503 : 500;
}

/** Sends each element as a server-sent event, as fast as the reader takes them; the last event is [DONE]. */
async function sendEvents<T>(
  reply: FastifyReply,
  elements: AsyncGenerator<T>,
  data: (element: T) => unknown,
): Promise<void> {
  // Until the first element there may be an error that has a status of its own.
  let next = await elements.next();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' });
  try {
    for (; next.done !== true; next = await elements.next())
      await send(raw, JSON.stringify(data(next.value)));
    await send(raw, '[DONE]');
  } catch (error) {
    if (!raw.destroyed) await send(raw, JSON.stringify({ error: { message: (error as Error).message } }));
  } finally {
    await elements.return(undefined);
    raw.end();
  }
}

async function send(raw: ServerResponse, data: string): Promise<void> {
  if (raw.destroyed) throw new Error('the caller left');
  if (raw.write(`data: ${data}\n\n`)) return;
  await Promise.race([once(raw, 'drain'), once(raw, 'close')]);
}
