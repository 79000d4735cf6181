import { readTextFile } from './text-file.js';

/** vocab.txt of BERT: a piece a line, the id is the line's number from 0. */
export async function readVocabTxt(file: string): Promise<string[]> {
  const lines = (await readTextFile(file)).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

export function formatVocabTxt(pieces: readonly string[]): string {
  return pieces.map((piece) => `${piece}\n`).join('');
}
