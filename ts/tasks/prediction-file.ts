import { writeFileAtomically } from '../files.js';

/** Writes what a model answered, in the lines that the benchmark takes. Throws `GLM_IO`. */
export function writePredictions(file: string, lines: readonly string[]): Promise<void> {
  return writeFileAtomically(file, lines.map((line) => `${line}\n`).join(''));
}
