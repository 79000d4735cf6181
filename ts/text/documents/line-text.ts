import { isUtf8 } from 'node:buffer';
import { GlmError } from '../../errors.js';
import type { Source } from './sources.js';
import { openBytes } from './bytes.js';
import { LineError, lineNumberAt } from './lines.js';

/** The text of a line's bytes. @throws LineError for what is not UTF-8 */
export function decodeLine(bytes: Buffer, start: number): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new LineError(
    start,
    'expected UTF-8, found other bytes; convert the file, for instance with `iconv -t UTF-8`',
  );
}

/** A `GLM_DATA` error with file and line for what was wrong with a line; other errors as they are. */
export async function withPlace(error: unknown, source: Source): Promise<unknown> {
  if (!(error instanceof LineError)) return error;
  // Parts know bytes, not lines: the lines before are counted only now that someone wants to know.
  const stream = await openBytes(source);
  try {
    const line = await lineNumberAt(stream, error.start);
    return new GlmError('GLM_DATA', `${source.file}:${line}: ${error.message}`, { cause: error.cause });
  } finally {
    await stream.close();
  }
}
