import type { SubwordDefinition } from '../definition.js';
import type { AddedToken } from '../layouts.js';
import { addedTokens } from './added-tokens.js';
import { isObject, malformed, readJsonObject } from './text-file.js';
import { piecesOfIds } from './vocab-json.js';

/**
 * tokenizer.json of the `tokenizers` library, as far as it describes a byte-level BPE or BERT's word pieces;
 * that is what GLM and GPT-2 have.
 */
export async function readTokenizerJson(
  file: string,
): Promise<{ subwords: SubwordDefinition; added: Map<string, AddedToken> }> {
  const json = await readJsonObject(file);
  return {
    subwords: readModel(json, file),
    added: addedTokens(json['added_tokens'], `${file}: added_tokens`),
  };
}

function readModel(json: Record<string, unknown>, file: string): SubwordDefinition {
  const { model, normalizer } = json;
  if (!isObject(model)) throw malformed(`${file}: model`, 'an object', model);
  const pieces = piecesOfIds(model['vocab'], `${file}: model.vocab`);
  // Old files do not name the type of the model; only BPE has merges.
  const type = model['type'] ?? (model['merges'] === undefined ? 'WordPiece' : 'BPE');
  if (type === 'WordPiece') {
    const lowercase = isObject(normalizer) && normalizer['lowercase'] === true;
    return { type: 'wordpiece', pieces, lowercase };
  }
  if (type === 'BPE' && partsOf(json['pre_tokenizer']).some((part) => part['type'] === 'ByteLevel')) {
    return { type: 'bpe', pieces, merges: readMerges(model['merges'], `${file}: model.merges`) };
  }
  throw malformed(`${file}: model.type`, 'a WordPiece model or a byte-level BPE', type);
}

/** A pre-tokenizer, or the parts of a sequence of them. */
function partsOf(preTokenizer: unknown): Record<string, unknown>[] {
  if (!isObject(preTokenizer)) return [];
  const parts = preTokenizer['pretokenizers'];
  return Array.isArray(parts) ? parts.filter(isObject) : [preTokenizer];
}

/** Merges are written as 'a b', or as ['a', 'b']. */
function readMerges(merges: unknown, where: string): [string, string][] {
  if (!Array.isArray(merges)) throw malformed(where, 'a list of merges', merges);
  return merges.map((merge: unknown): [string, string] => {
    const pair: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    const [left, right] = pair;
    if (pair.length !== 2 || typeof left !== 'string' || typeof right !== 'string') {
      throw malformed(where, 'pairs of pieces', merge);
    }
    return [left, right];
  });
}
