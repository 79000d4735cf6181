import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { GlmError } from '../../errors.js';
import { ioError } from '../../files.js';

/** Reads one of a tokenizer's text files. */
export async function readTextFile(file: string): Promise<string> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw ioError(`cannot read ${file}`, error);
  });
  if (!isUtf8(bytes))
    throw new GlmError(
      'GLM_TOKENIZER',
      `${file}: expected UTF-8 text, found other bytes; fetch the file again`,
    );
  return bytes.toString('utf8');
}

/** Reads one of a tokenizer's JSON files, which all hold an object. */
export async function readJsonObject(file: string): Promise<Record<string, unknown>> {
  const text = await readTextFile(file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GlmError(
      'GLM_TOKENIZER',
      `${file}: expected JSON, found ${(error as Error).message}; fetch the file again`,
      {
        cause: error,
      },
    );
  }
  if (!isObject(value)) throw malformed(file, 'an object', value);
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What to say about a file whose JSON is not as it must be. */
export function malformed(where: string, expected: string, found: unknown): GlmError {
  const shown = JSON.stringify(found) ?? String(found);
  return new GlmError(
    'GLM_TOKENIZER',
    `${where}: expected ${expected}, found ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}`,
  );
}
