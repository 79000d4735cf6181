import { writeFileAtomically } from '../files.js';
import { curves } from './curves.js';
import { examples } from './example.js';
import { fills } from './fills.js';
import { escapeHtml } from './markup.js';
import { readRun, type Run } from './run.js';
import { script } from './script.js';
import { style } from './style.js';
import { type RunSummary, summarize, summaryTable } from './summary.js';

/**
 * Writes what happened in training runs as one HTML file that needs nothing else: curves, filled blanks, an example. The
 * runs may be going on. Gives the summary of each run. Throws `GLM_IO`.
 */
export async function writeReport(folders: readonly string[], file: string): Promise<RunSummary[]> {
  const runs = named(await Promise.all(folders.map(readRun)));
  await writeFileAtomically(file, page(runs));
  return runs.map(summarize);
}

/** Two folders with the same name are told apart by their paths. */
function named(runs: readonly Run[]): Run[] {
  return runs.map((run) => ({
    ...run,
    name: runs.some((other) => other !== run && other.name === run.name) ? run.folder : run.name,
  }));
}

function page(runs: readonly Run[]): string {
  const title = runs.map(({ name }) => name).join(', ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} – training report</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p class="lead">Pretraining by autoregressive blank infilling. ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC.</p>
${summaryTable(runs)}
<h2>Curves</h2>
<div class="charts">
${curves(runs).join('\n')}
</div>
${fills(runs)}
${examples(runs)}
<footer>Made by glm-native from metrics.jsonl and examples.json of ${runs.length === 1 ? 'the run' : `${runs.length} runs`}. This file needs no network.</footer>
</main>
<script>${script}</script>
</body>
</html>
`;
}
