import { GlmError } from '../../errors.js';
import { isObject, malformed, readJsonObject, readTextFile } from './text-file.js';

/** Ids are kept below this, so that a wild one in a file does not take all memory. */
const maxVocabulary = 1 << 21;

/**
 * vocab.json of GPT-2: an object from piece to id. Returns the piece of each id, empty where there is none.
 */
export async function readVocabJson(file: string): Promise<string[]> {
  return piecesOfIds(await readJsonObject(file), file);
}

export function piecesOfIds(vocabulary: unknown, where: string): string[] {
  if (!isObject(vocabulary)) throw malformed(where, 'an object from piece to id', vocabulary);
  const entries = Object.entries(vocabulary);
  let size = 0;
  for (const [piece, id] of entries) {
    if (!isTokenId(id)) throw malformed(`${where}: '${piece}'`, `an id from 0 to ${maxVocabulary - 1}`, id);
    size = Math.max(size, id + 1);
  }
  const pieces = Array.from({ length: size }, () => '');
  for (const [piece, id] of entries as [string, number][]) {
    if (pieces[id] !== '') {
      throw new GlmError(
        'GLM_TOKENIZER',
        `${where}: expected one piece for each id, found '${pieces[id]}' and '${piece}' for ${id}`,
      );
    }
    pieces[id] = piece;
  }
  return pieces;
}

export function isTokenId(id: unknown): id is number {
  return Number.isInteger(id) && (id as number) >= 0 && (id as number) < maxVocabulary;
}

export function formatVocabJson(pieces: readonly string[]): string {
  const entries = pieces.map((piece, id) => [piece, id] as const).filter(([piece]) => piece !== '');
  // Written by hand: an object would put pieces that look like numbers first.
  return `{${entries.map(([piece, id]) => `${JSON.stringify(piece)}:${id}`).join(',')}}\n`;
}

/** merges.txt of GPT-2: a version line, then a pair of pieces a line, the first to be joined first. */
export async function readMergesTxt(file: string): Promise<[string, string][]> {
  const lines = (await readTextFile(file)).split(/\r?\n/);
  const merges: [string, string][] = [];
  for (const [index, line] of lines.entries()) {
    if (line === '' || (index === 0 && line.startsWith('#version'))) continue;
    const space = line.indexOf(' ');
    if (space <= 0 || space === line.length - 1 || line.includes(' ', space + 1)) {
      throw malformed(`${file}:${index + 1}`, 'two pieces with a space between them', line);
    }
    merges.push([line.slice(0, space), line.slice(space + 1)]);
  }
  return merges;
}

export function formatMergesTxt(merges: readonly (readonly [string, string])[]): string {
  return ['#version: 0.2', ...merges.map(([left, right]) => `${left} ${right}`), ''].join('\n');
}
