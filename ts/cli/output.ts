/** How commands speak: results on stdout, progress on stderr. */

import { GlmError } from '../errors.js';

/** Exit statuses: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export const status = { failed: 1, usage: 2, interrupted: 130 } as const;

/** One JSON document with `--json`, else lines for people. */
export function print(json: boolean | undefined, document: unknown, lines: () => readonly string[]): void {
  process.stdout.write(json === true ? `${JSON.stringify(document, null, 2)}\n` : `${lines().join('\n')}\n`);
}

/** Prints an error, and says with which status to end. */
export function report(error: unknown, json: boolean): number {
  const known = error instanceof GlmError;
  if (json) {
    const { message, code } = error as Error & { code?: string };
    process.stdout.write(`${JSON.stringify({ error: { code, message } }, null, 2)}\n`);
  } else if (known) {
    process.stderr.write(`${error.code}: ${error.message}\n`);
  } else {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  }
  return known && error.code === 'GLM_INVALID_ARGUMENT' ? status.usage : status.failed;
}

/** A line that is written over on a terminal; elsewhere, every line that `log` gets on a line of its own. */
export class LiveLine {
  readonly #onTerminal = process.stderr.isTTY;

  show(line: string): void {
    if (this.#onTerminal)
      process.stderr.write(`\r\x1b[2K${line.slice(0, (process.stderr.columns ?? 100) - 1)}`);
  }

  log(line: string): void {
    process.stderr.write(this.#onTerminal ? `\r\x1b[2K${line}\n` : `${line}\n`);
  }

  clear(): void {
    if (this.#onTerminal) process.stderr.write('\r\x1b[2K');
  }
}

export function gibibytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(0)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}
