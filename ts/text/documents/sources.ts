import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { GlmError } from '../../errors.js';
import { ioError } from '../../files.js';

export type SourceFormat = 'text' | 'json-lines' | 'parquet';

/** A file of documents. */
export interface Source {
  readonly file: string;
  readonly format: SourceFormat;
  readonly gzip: boolean;
  /** Bytes on disk. */
  readonly size: number;
  /** Milliseconds, when it was last changed. */
  readonly modified: number;
}

const formatOfExtension = new Map<string, SourceFormat>([
  ['.txt', 'text'],
  ['.jsonl', 'json-lines'],
  ['.ndjson', 'json-lines'],
  ['.parquet', 'parquet'],
]);
const understood = `${[...formatOfExtension.keys()].join(', ')}, each also with .gz`;

/**
 * The files that paths name, each once: files in the order given, folders with everything below them that is understood
 * and globs (`data/**\/*.jsonl.gz`), both sorted by name.
 * A file of another name that is named itself is of the kind `otherwise`.
 * @throws GlmError GLM_IO for what is missing, GLM_DATA for a file of an unknown kind or when there is none
 */
export async function findSources(
  paths: readonly string[],
  { otherwise }: { otherwise?: SourceFormat } = {},
): Promise<Source[]> {
  const sources = new Map<string, Source>();
  for (const given of paths) {
    for (const file of await filesOf(given)) {
      if (!sources.has(file)) sources.set(file, await describe(file, otherwise));
    }
  }
  return [...sources.values()];
}

async function filesOf(given: string): Promise<string[]> {
  const absolute = path.resolve(given);
  const found = await stat(absolute).catch((error: unknown) => {
    if (isDynamicPattern(given)) return undefined;
    throw ioError(`cannot read ${given}`, error);
  });
  if (found === undefined) {
    const matches = await glob(given, { absolute: true, onlyFiles: true });
    if (matches.length === 0) throw nothing(`the pattern ${given} to match files`);
    return matches.map((match) => path.normalize(match)).sort();
  }
  if (!found.isDirectory()) return [absolute];
  const entries = await readdir(absolute, { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      throw ioError(`cannot list ${given}`, error);
    },
  );
  const files = entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => kindOf(file) !== undefined && !insideCache(path.relative(absolute, file)))
    .sort();
  if (files.length === 0) throw nothing(`files of a known kind (${understood}) in ${given}`);
  return files;
}

/** The file or folder that a path names; of a pattern, the folder that it looks in. */
export function baseOf(given: string): string {
  const parts = path.resolve(given).split(path.sep);
  const pattern = isDynamicPattern(given) ? parts.findIndex((part) => isDynamicPattern(part)) : -1;
  return pattern < 0 ? parts.join(path.sep) : parts.slice(0, Math.max(2, pattern)).join(path.sep);
}

/** Token files lie in folders whose names end so; what is in them is no source. */
export const cacheSuffix = '.glm-corpus';

function insideCache(relative: string): boolean {
  return relative.split(path.sep).some((part) => part.endsWith(cacheSuffix));
}

async function describe(file: string, otherwise: SourceFormat | undefined): Promise<Source> {
  const kind = kindOf(file) ?? (otherwise && { format: otherwise, gzip: false });
  if (kind === undefined) {
    throw new GlmError(
      'GLM_DATA',
      `expected a file whose name ends in ${understood}, found ${file}; rename or convert it`,
    );
  }
  try {
    // Opened, so that a file that may not be read is noticed before hours of work on the others.
    const handle = await open(file, 'r');
    try {
      const { size, mtimeMs } = await handle.stat();
      return { file, ...kind, size, modified: mtimeMs };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw ioError(`cannot read ${file}`, error);
  }
}

function kindOf(file: string): { format: SourceFormat; gzip: boolean } | undefined {
  const lower = path.basename(file).toLowerCase();
  const gzip = lower.endsWith('.gz');
  const format = formatOfExtension.get(path.extname(gzip ? lower.slice(0, -3) : lower));
  return format === undefined ? undefined : { format, gzip };
}

function nothing(expected: string): GlmError {
  return new GlmError('GLM_DATA', `expected ${expected}, found none`);
}
