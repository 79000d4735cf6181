import type { AddedToken } from '../layouts.js';
import { isObject, malformed, readJsonObject } from './text-file.js';
import { isTokenId } from './vocab-json.js';

/** added_tokens.json: an object from text to id. */
export async function readAddedTokensJson(file: string): Promise<Map<string, AddedToken>> {
  const added = new Map<string, AddedToken>();
  for (const [text, id] of Object.entries(await readJsonObject(file))) {
    if (!isTokenId(id) || text === '') throw malformed(`${file}: '${text}'`, 'a text and its id', id);
    added.set(text, { id, leftStrip: false });
  }
  return added;
}

/** `added_tokens_decoder` of a newer tokenizer_config.json: an object from id to `{ content, lstrip, … }`. */
export function addedTokensDecoder(decoder: unknown, where: string): Map<string, AddedToken> {
  if (decoder === undefined) return new Map();
  if (!isObject(decoder)) throw malformed(where, 'an object from id to token', decoder);
  return addedTokens(
    Object.entries(decoder).map(([id, token]) => (isObject(token) ? { ...token, id: Number(id) } : token)),
    where,
  );
}

/** A list of `{ id, content, lstrip, … }`, as tokenizer.json has it in `added_tokens`. */
export function addedTokens(tokens: unknown, where: string): Map<string, AddedToken> {
  if (tokens === undefined || tokens === null) return new Map();
  if (!Array.isArray(tokens)) throw malformed(where, 'a list of tokens', tokens);
  const added = new Map<string, AddedToken>();
  for (const token of tokens as unknown[]) {
    const { content, id, lstrip } = isObject(token) ? token : {};
    if (typeof content !== 'string' || content === '' || !isTokenId(id)) {
      throw malformed(where, 'a token with its id and content', token);
    }
    added.set(content, { id, leftStrip: lstrip === true });
  }
  return added;
}
