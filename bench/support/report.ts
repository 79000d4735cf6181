import os from 'node:os';

export type Row = Readonly<Record<string, string | number | undefined>>;

export interface Report {
  benchmark: string;
  /** What was measured with: threads, types, shapes. */
  settings: object;
  rows: readonly Row[];
}

/** JSON on stdout, and a table of the rows on stderr. */
export function report({ benchmark, settings, rows }: Report): void {
  console.error(`\n${benchmark}, ${os.cpus()[0]?.model ?? 'unknown processor'}, ${JSON.stringify(settings)}`);
  console.error(table(rows));
  const processor = os.cpus()[0]?.model;
  console.log(JSON.stringify({ benchmark, processor, load: os.loadavg()[0], ...settings, rows }, null, 2));
}

function table(rows: readonly Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => columns.map((column) => shown(row[column])));
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((line) => line[i]!.length)));
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, i) => text.padEnd(widths[i]!)).join(' | ')} |`;
  return [line(columns), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n');
}

const shown = (value: Row[string]) =>
  typeof value !== 'number' || Number.isInteger(value)
    ? String(value ?? '')
    : String(Number(value.toPrecision(3)));
